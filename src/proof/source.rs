//! The stored bytes as they pass by: counted, hashed, watched.

use super::fault::Fault;
use crate::stores::SumKind;
use crc_fast::{CrcAlgorithm, Digest as Cyclic};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read};

/// Who wants to know how far a reading is, and may stop it. Called once per buffer, from the reading
/// thread.
pub trait Watch: Send + Sync {
    /// Stored bytes read so far.
    fn read_so_far(&self, bytes: u64);
    fn cancelled(&self) -> bool;
}

/// For readings that nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn read_so_far(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Bytes that are summed up between two looks at the watch.
const AT_ONCE: usize = 128 * 1024;

/// A cyclic checksum that has begun; `None` for the SHA-256.
fn cyclic(kind: SumKind) -> Option<Cyclic> {
    Some(Cyclic::new(match kind {
        SumKind::Sha256 => return None,
        SumKind::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        SumKind::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
        SumKind::Crc32c => CrcAlgorithm::Crc32Iscsi,
    }))
}

fn hex_of(kind: SumKind, sum: &Cyclic) -> String {
    match kind {
        SumKind::Crc64Nvme => format!("{:016x}", sum.finalize()),
        _ => format!("{:08x}", sum.finalize()),
    }
}

pub struct Source<'w, R> {
    inner: R,
    /// Bytes at the front of `inner` that are summed up and not consumed.
    ready: usize,
    taken: u64,
    sha256: Option<Sha256>,
    md5: Option<Md5>,
    sums: Vec<(SumKind, Cyclic)>,
    watch: &'w dyn Watch,
}

/// Digests of all stored bytes, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    pub bytes: u64,
    /// Absent where something cheaper was to be compared and no identity was asked for.
    pub sha256: Option<String>,
    pub md5: Option<String>,
    /// Those that were asked for with [`Source::with_sums`].
    pub sums: Vec<(SumKind, String)>,
}

impl Digests {
    /// The sum of one kind, where it was made.
    pub fn sum(&self, kind: SumKind) -> Option<&str> {
        match kind {
            SumKind::Sha256 => self.sha256.as_deref(),
            other => self.sums.iter().find(|(made, _)| *made == other).map(|(_, hex)| hex.as_str()),
        }
    }
}

impl<'w, R: BufRead> Source<'w, R> {
    /// Makes the SHA-256, which is the identity of the bytes.
    pub fn new(inner: R, watch: &'w dyn Watch) -> Self {
        Self { inner, ready: 0, taken: 0, sha256: Some(Sha256::new()), md5: None, sums: Vec::new(), watch }
    }

    /// The SHA-256 takes most of the time of a reading. Before the first byte is read.
    #[must_use]
    pub fn with_sha256(self, made: bool) -> Self {
        Self { sha256: made.then(Sha256::new), ..self }
    }

    /// The MD5 costs about as much as everything else together: only where something compares it. Before the first
    /// byte is read.
    #[must_use]
    pub fn with_md5(self, made: bool) -> Self {
        Self { md5: made.then(Md5::new), ..self }
    }

    /// Also makes these checksums. Before the first byte is read.
    #[must_use]
    pub fn with_sums(mut self, kinds: impl IntoIterator<Item = SumKind>) -> Self {
        self.sums = kinds.into_iter().filter_map(|kind| Some((kind, cyclic(kind)?))).collect();
        self
    }

    /// Stored bytes read so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Reads the rest, whatever it is, so that the digests cover the whole object.
    pub fn drain(mut self) -> Result<Digests, Fault> {
        loop {
            let n = self.fill_buf().map_err(|e| Fault::from_io(&e, "the stored bytes", None))?.len();
            if n == 0 {
                return Ok(Digests {
                    bytes: self.taken,
                    sha256: self.sha256.map(|sum| hex::encode(sum.finalize())),
                    md5: self.md5.map(|md5| hex::encode(md5.finalize())),
                    sums: self.sums.iter().map(|(kind, sum)| (*kind, hex_of(*kind, sum))).collect(),
                });
            }
            self.consume(n);
        }
    }
}

impl<R: BufRead> BufRead for Source<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ready == 0 {
            if self.watch.cancelled() {
                return Err(Fault::Cancelled.into_io());
            }
            let there = loop {
                match self.inner.fill_buf() {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other?.len(),
                }
            };
            self.ready = there.min(AT_ONCE);
            let new = &self.inner.fill_buf()?[..self.ready];
            self.taken += new.len() as u64;
            if let Some(sha256) = &mut self.sha256 {
                sha256.update(new);
            }
            if let Some(md5) = &mut self.md5 {
                md5.update(new);
            }
            for (_, sum) in &mut self.sums {
                sum.update(new);
            }
            self.watch.read_so_far(self.taken);
        }
        Ok(&self.inner.fill_buf()?[..self.ready])
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.ready);
        self.ready -= n;
        self.inner.consume(n);
    }
}

impl<R: BufRead> Read for Source<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(out.len());
        out[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}
