//! Archives: gzip, and gzipped tar trees.

use crate::model::time::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Result, Write};

/// One file of a tree: its path and its bytes.
pub type Member = (String, Vec<u8>);

pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::default());
    out.write_all(bytes)?;
    out.finish()
}

pub fn tar(members: &[Member], at: Timestamp) -> Result<Vec<u8>> {
    let mut out = tar::Builder::new(Vec::new());
    for (path, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(at.timestamp().unsigned_abs());
        out.append_data(&mut header, path, bytes.as_slice())?;
    }
    out.into_inner()
}

pub fn tar_gz(members: &[Member], at: Timestamp) -> Result<Vec<u8>> {
    gzip(&tar(members, at)?)
}
