//! Opens what is encrypted, where its key is at hand.

use crate::model::content::Wrapping;
use std::io::{self, BufRead, ErrorKind, Read};

pub trait Unseal: Send + Sync {
    /// Whether there is a key to try.
    fn opens(&self, seal: Wrapping) -> bool;

    /// The content inside. Errors of the kind [`ErrorKind::Unsupported`] (another key, no program) say nothing
    /// against the bytes; errors of `reader` come through unchanged. After an error it must not be read again.
    fn open<'a>(&self, seal: Wrapping, reader: Box<dyn BufRead + 'a>) -> io::Result<Box<dyn Read + 'a>>;
}

/// No key at all.
#[derive(Clone, Copy, Debug)]
pub struct Keyless;

impl Unseal for Keyless {
    fn opens(&self, _: Wrapping) -> bool {
        false
    }

    fn open<'a>(&self, seal: Wrapping, _: Box<dyn BufRead + 'a>) -> io::Result<Box<dyn Read + 'a>> {
        Err(io::Error::new(ErrorKind::Unsupported, format!("there is no key for {seal}")))
    }
}
