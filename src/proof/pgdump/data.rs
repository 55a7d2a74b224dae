//! The data blocks after the table of contents, walked and decompressed to their end.

use super::header::Compression;
use super::rows::{CopyRows, RowCount};
use super::toc::{DataState, Entry, Toc};
use super::wire::Wire;
use crate::model::text::escaped;
use crate::proof::fault::Fault;
use flate2::{Decompress, FlushDecompress, Status};
use std::collections::BTreeMap;
use std::io::Read;
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

const DATA_BLOCK: u8 = 1;
const LARGE_OBJECTS: u8 = 3;

/// What a whole dump turned out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub toc: Toc,
    /// One per table with data, in order of the dump's blocks.
    pub rows: Vec<RowCount>,
    pub large_objects: u64,
    /// Bytes of table data and large objects after decompression.
    pub data_bytes: u64,
    /// The blocks were decoded; `false` where their compression is walked but not opened.
    pub decoded: bool,
}

/// Reads a dump to its last byte. `now_at` is told the table that is being read, for progress.
pub fn read_all(reader: impl Read, mut now_at: impl FnMut(&str)) -> Result<Contents, Fault> {
    let mut wire = Wire::new(reader);
    let header = super::header::read(&mut wire)?;
    let toc = super::toc::read(&mut wire, header)?;
    let decoded = toc.header.compression != Compression::Lz4;
    let mut contents = Contents { toc, rows: Vec::new(), large_objects: 0, data_bytes: 0, decoded };
    let places: BTreeMap<u32, usize> = contents.toc.entries.iter().enumerate().map(|(at, e)| (e.id, at)).collect();
    let mut seen = vec![false; contents.toc.entries.len()];
    loop {
        let start = wire.at;
        let Some(block) = wire.byte_or_end("the start of a data block")? else { break };
        let id = wire.small("the start of a data block")?;
        let Some(&place) = places.get(&id) else {
            return Err(Fault::bad_at(format!("a data block belongs to entry {id}, which does not exist"), start));
        };
        let entry = contents.toc.entries[place].clone();
        let name = title(&entry);
        check_place(&entry, start, std::mem::replace(&mut seen[place], true))?;
        now_at(&name);
        match block {
            DATA_BLOCK => table_data(&mut wire, &entry, &mut contents),
            LARGE_OBJECTS => large_objects(&mut wire, &mut contents),
            other => Err(Fault::bad_at(format!("unknown kind of data block {other}"), start)),
        }
        .map_err(|fault| fault.within(&name))?;
    }
    for (entry, seen) in contents.toc.entries.iter().zip(seen) {
        if entry.data != DataState::None && !seen {
            return Err(Fault::bad_at(format!("the dump ends before the data of {}", title(entry)), wire.at));
        }
    }
    Ok(contents)
}

fn title(entry: &Entry) -> String {
    let name = match &entry.schema {
        Some(schema) => format!("{schema}.{}", entry.tag),
        None => entry.tag.clone(),
    };
    format!("{} {}", entry.kind, escaped(&name))
}

fn check_place(entry: &Entry, start: u64, seen: bool) -> Result<(), Fault> {
    if seen {
        return Err(Fault::bad_at(format!("{} has two data blocks", title(entry)), start));
    }
    match entry.data {
        DataState::At(offset) if offset != start => Err(Fault::bad_at(
            format!("the data of {} should begin at byte {offset} by the table of contents", title(entry)),
            start,
        )),
        DataState::None => {
            Err(Fault::bad_at(format!("{} has data although the table of contents says none", title(entry)), start))
        }
        _ => Ok(()),
    }
}

fn table_data<R: Read>(wire: &mut Wire<R>, entry: &Entry, contents: &mut Contents) -> Result<(), Fault> {
    let mut rows = CopyRows::default();
    let counted = entry.copies && contents.decoded;
    contents.data_bytes += chunks(wire, contents.toc.header.compression, |piece| {
        if counted {
            rows.see(piece);
        }
    })?;
    if counted && !rows.ended {
        return Err(Fault::bad_at(format!("its rows end after {} without the end mark", rows.rows), wire.at));
    }
    if rows.overrun {
        return Err(Fault::bad_at("more text follows after the end mark of its rows", wire.at));
    }
    contents.rows.push(RowCount {
        schema: entry.schema.clone().unwrap_or_default(),
        table: entry.tag.clone(),
        rows: counted.then_some(rows.rows),
    });
    Ok(())
}

fn large_objects<R: Read>(wire: &mut Wire<R>, contents: &mut Contents) -> Result<(), Fault> {
    loop {
        // Object numbers are unsigned 32-bit values written as signed ones.
        let oid = wire.int("the number of a large object")?;
        if oid == 0 {
            return Ok(());
        }
        contents.data_bytes += chunks(wire, contents.toc.header.compression, |_| ())
            .map_err(|fault| fault.within(&format!("large object {oid}")))?;
        contents.large_objects += 1;
    }
}

/// Chunks with their lengths until the empty one, decompressed as one stream. Returns decoded bytes.
fn chunks<R: Read>(wire: &mut Wire<R>, compression: Compression, mut see: impl FnMut(&[u8])) -> Result<u64, Fault> {
    let mut decoder = Decoder::new(compression)?;
    let mut decoded = 0;
    loop {
        let start = wire.at;
        let length = wire.int("the length of a chunk")?;
        let Ok(length) = u64::try_from(length) else {
            return Err(Fault::bad_at(format!("a chunk of {length} bytes is impossible"), start));
        };
        if length == 0 {
            decoder.finish().map_err(|what| Fault::bad_at(what, wire.at))?;
            return Ok(decoded);
        }
        wire.bytes(length, "a chunk of data", |piece| {
            decoder
                .feed(piece, &mut |out| {
                    decoded += out.len() as u64;
                    see(out);
                })
                .map_err(|what| Fault::bad_at(what, start))
        })?;
    }
}

/// One compressed stream that is pushed in pieces. Its own end is required and nothing may follow it.
enum Decoder {
    None,
    Gzip {
        state: Box<Decompress>,
        ended: bool,
        fed: bool,
    },
    Zstd {
        state: Box<ZstdDecoder<'static>>,
        ended: bool,
    },
    /// Walked, not opened.
    Closed,
}

impl Decoder {
    fn new(compression: Compression) -> Result<Self, Fault> {
        Ok(match compression {
            Compression::None => Decoder::None,
            Compression::Gzip => Decoder::Gzip { state: Box::new(Decompress::new(true)), ended: false, fed: false },
            Compression::Lz4 => Decoder::Closed,
            Compression::Zstd => {
                let state = ZstdDecoder::new().map_err(|e| Fault::from_io(&e, "zstd", None))?;
                Decoder::Zstd { state: Box::new(state), ended: true }
            }
        })
    }

    fn feed(&mut self, piece: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        match self {
            Decoder::None => see(piece),
            Decoder::Closed => {}
            Decoder::Gzip { state, ended, fed } => {
                *fed = true;
                inflate(state, ended, piece, see)?;
            }
            Decoder::Zstd { state, ended } => unzstd(state, ended, piece, see)?,
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), String> {
        match self {
            Decoder::Gzip { ended: false, fed: true, .. } | Decoder::Zstd { ended: false, .. } => {
                Err("its compressed data ends too early".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn inflate(
    state: &mut Decompress,
    ended: &mut bool,
    mut piece: &[u8],
    see: &mut dyn FnMut(&[u8]),
) -> Result<(), String> {
    let mut out = [0_u8; 16 * 1024];
    loop {
        if *ended {
            return if piece.is_empty() { Ok(()) } else { Err("bytes follow after its compressed data".to_owned()) };
        }
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state
            .decompress(piece, &mut out, FlushDecompress::None)
            .map_err(|e| format!("its compressed data is damaged ({e})"))?;
        let (used, made) = ((state.total_in() - before_in) as usize, (state.total_out() - before_out) as usize);
        piece = &piece[used..];
        see(&out[..made]);
        match status {
            Status::StreamEnd => *ended = true,
            _ if made == 0 && used == 0 => {
                return if piece.is_empty() { Ok(()) } else { Err("its compressed data is damaged".to_owned()) };
            }
            _ => {}
        }
    }
}

fn unzstd(
    state: &mut ZstdDecoder<'static>,
    ended: &mut bool,
    piece: &[u8],
    see: &mut dyn FnMut(&[u8]),
) -> Result<(), String> {
    let mut out = vec![0_u8; 32 * 1024];
    let mut input = InBuffer::around(piece);
    loop {
        let mut output = OutBuffer::around(out.as_mut_slice());
        let hint = state.run(&mut input, &mut output).map_err(|e| format!("its compressed data is damaged ({e})"))?;
        let full = output.pos() == output.capacity();
        see(output.as_slice());
        *ended = hint == 0;
        if input.pos() == piece.len() && (!full || *ended) {
            return Ok(());
        }
    }
}
