//! Archived log segments of PostgreSQL 15: 16 MiB each, zstd-compressed as an archive command does.

use crate::model::wal::{SEGMENTS_PER_LOG, Segment};
use std::io::{Read, Result};

pub const SEGMENT_SIZE: u64 = 16 * 1024 * 1024;
const PAGE: u32 = 8192;
/// `XLOG_PAGE_MAGIC` of version 15.
const MAGIC: u16 = 0xd110;
const LONG_HEADER: u16 = 0x0002;

/// Compresses segments that a forced switch left almost empty. Their common tail of zeros is compressed
/// once; a zstd file may consist of several frames.
pub struct Press {
    system: u64,
    tail: Vec<u8>,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Press {
    pub fn new(system: u64) -> Result<Self> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1)?;
        let mut zeros = std::io::repeat(0).take(SEGMENT_SIZE - u64::from(PAGE));
        std::io::copy(&mut zeros, &mut encoder)?;
        Ok(Self { system, tail: encoder.finish()?, compressor: zstd::bulk::Compressor::new(1)? })
    }

    pub fn segment(&mut self, segment: Segment) -> Result<Vec<u8>> {
        let mut page = Vec::with_capacity(PAGE as usize);
        page.extend(MAGIC.to_le_bytes());
        page.extend(LONG_HEADER.to_le_bytes());
        page.extend(segment.timeline.to_le_bytes());
        page.extend((segment.number * SEGMENT_SIZE).to_le_bytes());
        page.extend([0; 8]);
        page.extend(self.system.to_le_bytes());
        page.extend((SEGMENT_SIZE as u32).to_le_bytes());
        page.extend(PAGE.to_le_bytes());
        page.resize(PAGE as usize, 0);
        let mut out = self.compressor.compress(&page)?;
        out.extend(&self.tail);
        Ok(out)
    }
}

/// A position in the log as PostgreSQL writes it: `A2/FF000028`.
pub fn position(segment: Segment, offset: u32) -> String {
    let (log, low) = (segment.number / SEGMENTS_PER_LOG, segment.number % SEGMENTS_PER_LOG);
    format!("{log:X}/{:08X}", low * SEGMENT_SIZE + u64::from(offset))
}
