//! The stored bytes as they pass by: counted, hashed, watched.

use super::fault::Fault;
use crate::stores::SumKind;
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Digest as CrcDigest, Table};
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

static CRC64_NVME: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);
static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// A cyclic checksum as it grows.
enum Running {
    Crc64(CrcDigest<'static, u64, Table<16>>),
    Crc32(CrcDigest<'static, u32, Table<16>>),
}

impl Running {
    /// `None` for the SHA-256, which is always made.
    fn of(kind: SumKind) -> Option<Self> {
        Some(match kind {
            SumKind::Sha256 => return None,
            SumKind::Crc64Nvme => Running::Crc64(CRC64_NVME.digest()),
            SumKind::Crc32 => Running::Crc32(CRC32.digest()),
            SumKind::Crc32c => Running::Crc32(CRC32C.digest()),
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Running::Crc64(digest) => digest.update(bytes),
            Running::Crc32(digest) => digest.update(bytes),
        }
    }

    fn hex(self) -> String {
        match self {
            Running::Crc64(digest) => format!("{:016x}", digest.finalize()),
            Running::Crc32(digest) => format!("{:08x}", digest.finalize()),
        }
    }
}

pub struct Source<'w, R> {
    inner: R,
    /// Bytes at the front of `inner` that are summed up and not consumed.
    ready: usize,
    taken: u64,
    sha256: Sha256,
    md5: Option<Md5>,
    sums: Vec<(SumKind, Running)>,
    watch: &'w dyn Watch,
}

/// Digests of all stored bytes, hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    pub bytes: u64,
    pub sha256: String,
    pub md5: Option<String>,
    /// Those that were asked for with [`Source::with_sums`].
    pub sums: Vec<(SumKind, String)>,
}

impl Digests {
    /// The sum of one kind, where it was made.
    pub fn sum(&self, kind: SumKind) -> Option<&str> {
        match kind {
            SumKind::Sha256 => Some(&self.sha256),
            other => self.sums.iter().find(|(made, _)| *made == other).map(|(_, hex)| hex.as_str()),
        }
    }
}

impl<'w, R: BufRead> Source<'w, R> {
    /// `with_md5` costs about as much as everything else together: only where something compares it.
    pub fn new(inner: R, with_md5: bool, watch: &'w dyn Watch) -> Self {
        Self { inner, ready: 0, taken: 0, sha256: Sha256::new(), md5: with_md5.then(Md5::new), sums: Vec::new(), watch }
    }

    /// Also makes these checksums. Before the first byte is read.
    #[must_use]
    pub fn with_sums(mut self, kinds: impl IntoIterator<Item = SumKind>) -> Self {
        self.sums = kinds.into_iter().filter_map(|kind| Some((kind, Running::of(kind)?))).collect();
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
                    sha256: hex::encode(self.sha256.finalize()),
                    md5: self.md5.map(|md5| hex::encode(md5.finalize())),
                    sums: self.sums.into_iter().map(|(kind, sum)| (kind, sum.hex())).collect(),
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
            self.sha256.update(new);
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
