//! Opens compressions one inside the other, within limits, and finds the form inside.

use super::fault::Fault;
use super::source::Watch;
use crate::catalog::sniff::{self, HEAD, Layer};
use crate::model::content::{Content, Form, Wrapping};
use crate::model::size::ByteCount;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// More compressions around one another than anyone makes on purpose.
pub const DEEPEST: usize = 4;

/// Largest zstd window that is opened, as a power of two: what the `zstd` program opens by default.
const ZSTD_WINDOW: u32 = 27;

/// What decompression may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Decoded bytes that any object may have.
    pub free: u64,
    /// Beyond `free`, decoded bytes per stored byte.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { free: 4 << 30, ratio: 1100 }
    }
}

impl Limits {
    fn allows(self, stored: u64) -> u64 {
        self.free.max(stored.saturating_mul(self.ratio))
    }
}

/// The innermost content of an object, ready to be read.
pub struct Opened<'a> {
    pub reader: Box<dyn BufRead + 'a>,
    pub form: Form,
}

/// Opens all layers of `source`. `found` tells what was recognised, also when this fails. `stored` is
/// the object's size, which the limits are measured by.
pub fn open<'a>(
    source: Box<dyn BufRead + 'a>,
    stored: u64,
    limits: Limits,
    watch: &'a dyn Watch,
    found: &mut Content,
) -> Result<Opened<'a>, Fault> {
    let most = limits.allows(stored);
    let mut reader = source;
    loop {
        let mut head = Vec::with_capacity(HEAD);
        let read = reader.by_ref().take(HEAD as u64).read_to_end(&mut head);
        if let Err(error) = read {
            return Err(Fault::from_io(&error, &doing(found), Some(head.len() as u64)));
        }
        let layer = sniff::layer(&head);
        reader = Box::new(Cursor::new(head).chain(reader));
        let wrapping = match layer {
            Layer::Form(form) => {
                found.form = form;
                return Ok(Opened { reader, form });
            }
            Layer::Wrapping(wrapping) => wrapping,
        };
        found.wrapped.push(wrapping);
        if found.wrapped.len() > DEEPEST {
            return Err(Fault::Limit(format!("more than {DEEPEST} compressions lie around one another")));
        }
        let decoded: Box<dyn Read + 'a> = match wrapping {
            Wrapping::Gzip => Box::new(Gzip::new(reader)),
            Wrapping::Zstd => Box::new(zstd_decoder(reader)?),
            other @ (Wrapping::Bzip2 | Wrapping::Xz | Wrapping::Lz4) => {
                return Err(Fault::Closed(format!("{other} cannot be opened by this program")));
            }
        };
        let bounded = Bounded { inner: decoded, most, out: 0, watch, wrapping };
        reader = Box::new(BufReader::with_capacity(64 * 1024, bounded));
    }
}

fn doing(found: &Content) -> String {
    found.wrapped.last().map_or_else(|| "its first bytes".to_owned(), |w| format!("the {w} stream"))
}

fn zstd_decoder<'a>(
    reader: Box<dyn BufRead + 'a>,
) -> Result<zstd::stream::read::Decoder<'static, Box<dyn BufRead + 'a>>, Fault> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(reader).map_err(|e| Fault::from_io(&e, "zstd", None))?;
    decoder.window_log_max(ZSTD_WINDOW).map_err(|e| Fault::from_io(&e, "zstd", None))?;
    Ok(decoder)
}

/// All members of a gzip file, one after the other; zero padding after the last is allowed, anything
/// else is not.
struct Gzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    fn new(reader: R) -> Self {
        Self { member: Some(GzDecoder::new(reader)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let n = member.read(out)?;
            if n > 0 {
                return Ok(n);
            }
            let Some(done) = self.member.take() else { break };
            let mut rest = done.into_inner();
            if another_member(&mut rest)? {
                self.member = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

fn another_member(rest: &mut impl BufRead) -> io::Result<bool> {
    let mut padded = false;
    loop {
        let ahead = rest.fill_buf()?;
        match ahead.iter().position(|b| *b != 0) {
            _ if ahead.is_empty() => return Ok(false),
            Some(0) if ahead[0] == 0x1f && !padded => return Ok(true),
            Some(_) => {
                let what = "other bytes follow after the end of the gzip stream";
                return Err(Fault::bad(what).into_io());
            }
            None => {
                padded = true;
                let n = ahead.len();
                rest.consume(n);
            }
        }
    }
}

/// Counts what comes out of a decoder and stops a decompression bomb.
struct Bounded<'a> {
    inner: Box<dyn Read + 'a>,
    most: u64,
    out: u64,
    watch: &'a dyn Watch,
    wrapping: Wrapping,
}

impl Read for Bounded<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.watch.cancelled() {
            return Err(Fault::Cancelled.into_io());
        }
        let n = self.inner.read(out).map_err(|e| self.fault(&e).into_io())?;
        self.out += n as u64;
        if self.out > self.most {
            let text = format!(
                "the {} stream gives more than {} for its size: it looks like a decompression bomb and was not read further",
                self.wrapping,
                ByteCount(self.most)
            );
            return Err(Fault::Limit(text).into_io());
        }
        Ok(n)
    }
}

impl Bounded<'_> {
    fn fault(&self, error: &io::Error) -> Fault {
        Fault::from_io(error, &format!("the {} stream", self.wrapping), Some(self.out))
    }
}

impl std::fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("form", &self.form).finish_non_exhaustive()
    }
}
