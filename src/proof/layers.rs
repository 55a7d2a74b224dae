//! Opens compressions and encryptions one inside the other, within limits, and finds the form inside.

use super::fault::Fault;
use super::forms::openpgp;
use super::source::Watch;
use super::unseal::{Keyless, Unseal};
use crate::catalog::decompress;
use crate::catalog::sniff::{self, HEAD, Layer};
use crate::model::content::{Content, Form, Wrapping};
use crate::model::size::ByteCount;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// More compressions around one another than anyone makes on purpose.
pub const DEEPEST: usize = 4;

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
    /// Decoded bytes that an object of `stored` bytes may have.
    pub fn allows(self, stored: u64) -> u64 {
        self.free.max(stored.saturating_mul(self.ratio))
    }
}

/// The innermost content of an object, ready to be read.
pub struct Opened<'a> {
    pub reader: Box<dyn BufRead + 'a>,
    pub form: Form,
    /// What deserves a look although nothing is wrong.
    pub notes: Vec<String>,
}

/// Opens the compressions of `source`; what is encrypted stays closed. See [`open_with`].
pub fn open<'a>(
    source: Box<dyn BufRead + 'a>,
    stored: u64,
    limits: Limits,
    watch: &'a dyn Watch,
    found: &mut Content,
) -> Result<Opened<'a>, Fault> {
    open_with(source, stored, limits, watch, found, &Keyless)
}

/// Opens all layers of `source` for which there is a key. `found` tells what was recognised, also when this fails. `stored` is
/// the object's size, which the limits are measured by.
pub fn open_with<'a>(
    source: Box<dyn BufRead + 'a>,
    stored: u64,
    limits: Limits,
    watch: &'a dyn Watch,
    found: &mut Content,
    keys: &dyn Unseal,
) -> Result<Opened<'a>, Fault> {
    let mut notes = Vec::new();
    let most = limits.allows(stored);
    let mut reader = source;
    loop {
        let mut head = Vec::with_capacity(HEAD);
        let read = reader.by_ref().take(HEAD as u64).read_to_end(&mut head);
        if let Err(error) = read {
            return Err(Fault::from_io(&error, &doing(found), Some(head.len() as u64)));
        }
        let layer = sniff::layer(&head);
        if layer == Layer::Form(Form::OpenPgp) {
            notes.extend(openpgp::weakness(&head));
        }
        reader = Box::new(Cursor::new(head).chain(reader));
        let wrapping = match layer {
            Layer::Form(form) => {
                let Some(seal) = form.seal().filter(|seal| keys.opens(*seal)) else {
                    found.form = form;
                    return Ok(Opened { reader, form, notes });
                };
                seal
            }
            Layer::Wrapping(wrapping) => wrapping,
        };
        found.wrapped.push(wrapping);
        if found.wrapped.len() > DEEPEST {
            return Err(Fault::Limit(format!("more than {DEEPEST} compressions lie around one another")));
        }
        let doing = format!("the {wrapping} stream");
        let inner =
            if wrapping.is_seal() { keys.open(wrapping, reader) } else { decompress::decoder(wrapping, reader) };
        let inner = inner.map_err(|e| Fault::from_io(&e, &doing, None))?;
        let bounded = Bounded { inner, most, out: 0, watch, wrapping, stopped: None };
        reader = Box::new(BufReader::with_capacity(64 * 1024, bounded));
    }
}

fn doing(found: &Content) -> String {
    found.wrapped.last().map_or_else(|| "its first bytes".to_owned(), |w| format!("the {w} stream"))
}

/// Counts what comes out of a decoder, stops a decompression bomb, and stays stopped after any fault:
/// decoders must not be read again after one.
struct Bounded<'a> {
    inner: Box<dyn Read + 'a>,
    most: u64,
    out: u64,
    watch: &'a dyn Watch,
    wrapping: Wrapping,
    stopped: Option<Fault>,
}

impl Read for Bounded<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.watch.cancelled() {
            return Err(Fault::Cancelled.into_io());
        }
        if let Some(fault) = &self.stopped {
            return Err(fault.clone().into_io());
        }
        self.piece(out).map_err(|fault| {
            self.stopped = Some(fault.clone());
            fault.into_io()
        })
    }
}

impl Bounded<'_> {
    fn piece(&mut self, out: &mut [u8]) -> Result<usize, Fault> {
        let n = loop {
            match self.inner.read(out) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(|e| self.fault(&e))?,
            }
        };
        self.out += n as u64;
        if self.out > self.most {
            return Err(Fault::Limit(format!(
                "the {} stream gives more than {} for its size: it looks like a decompression bomb and was not read further",
                self.wrapping,
                ByteCount(self.most)
            )));
        }
        Ok(n)
    }

    fn fault(&self, error: &io::Error) -> Fault {
        Fault::from_io(error, &format!("the {} stream", self.wrapping), Some(self.out))
    }
}

impl std::fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("form", &self.form).finish_non_exhaustive()
    }
}
