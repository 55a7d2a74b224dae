//! The head of an archive: format version, widths, compression, when and from what it was made.

use super::wire::Wire;
use crate::proof::fault::Fault;
use chrono::{NaiveDate, NaiveDateTime};
use serde::Serialize;
use std::fmt;
use std::io::Read;

/// Archive versions 1.10 (PostgreSQL 8.0) to 1.16 (PostgreSQL 17 and later).
const OLDEST: (u8, u8) = (1, 10);
const NEWEST: (u8, u8) = (1, 16);

const CUSTOM: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    /// zlib streams, one per data block.
    Gzip,
    Lz4,
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Format version: major, minor, revision.
    pub version: (u8, u8, u8),
    pub compression: Compression,
    /// When the dump began, in the local time of the host that made it; the zone is not recorded.
    pub created: Option<NaiveDateTime>,
    pub database: String,
    /// Version of the server that was dumped, as it calls itself.
    pub server_version: String,
    /// Version of `pg_dump`.
    pub dump_version: String,
}

impl Header {
    pub fn at_least(&self, minor: u8) -> bool {
        (self.version.0, self.version.1) >= (1, minor)
    }

    /// Major version of the dumped server: 15 for `15.4 (Debian …)`, 9 for `9.6.24`.
    pub fn server_major(&self) -> Option<u32> {
        self.server_version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

pub fn read<R: Read>(wire: &mut Wire<R>) -> Result<Header, Fault> {
    let mut magic = [0; 5];
    wire.fill(&mut magic, "the head of the dump")?;
    if &magic != b"PGDMP" {
        return Err(Fault::bad_at("it does not begin like a custom-format dump", 0));
    }
    let doing = "the head of the dump";
    let version = (wire.byte(doing)?, wire.byte(doing)?, wire.byte(doing)?);
    let short = (version.0, version.1);
    if !(OLDEST..=NEWEST).contains(&short) {
        return Err(Fault::Closed(format!(
            "a dump of archive version {}.{} cannot be read by this program (it knows {}.{} to {}.{})",
            short.0, short.1, OLDEST.0, OLDEST.1, NEWEST.0, NEWEST.1
        )));
    }
    widths(wire)?;
    if wire.byte(doing)? != CUSTOM {
        return Err(Fault::bad_at("the head names another format than custom", wire.at - 1));
    }
    let compression = compression(wire, short >= (1, 15))?;
    let created = created(wire)?;
    let mut text = |what: &str| wire.text(what).map(Option::unwrap_or_default);
    Ok(Header {
        version,
        compression,
        created,
        database: text("the name of the dumped database")?,
        server_version: text("the version of the dumped server")?,
        dump_version: text("the version of pg_dump")?,
    })
}

fn widths<R: Read>(wire: &mut Wire<R>) -> Result<(), Fault> {
    let doing = "the head of the dump";
    let int_size = wire.byte(doing)?;
    let offset_size = wire.byte(doing)?;
    if !matches!(int_size, 2 | 4 | 8) || !(4..=32).contains(&offset_size) {
        return Err(Fault::bad_at(format!("integers of {int_size} and positions of {offset_size} bytes"), wire.at - 2));
    }
    (wire.int_size, wire.offset_size) = (int_size, offset_size);
    Ok(())
}

/// Since 1.15 one byte names the algorithm; before, an integer gives the zlib level (-1 is its default).
fn compression<R: Read>(wire: &mut Wire<R>, named: bool) -> Result<Compression, Fault> {
    let doing = "the compression of the dump";
    let start = wire.at;
    let known = if named {
        match wire.byte(doing)? {
            0 => Some(Compression::None),
            1 => Some(Compression::Gzip),
            2 => Some(Compression::Lz4),
            3 => Some(Compression::Zstd),
            _ => None,
        }
    } else {
        match wire.int(doing)? {
            0 => Some(Compression::None),
            -1 | 1..=9 => Some(Compression::Gzip),
            _ => None,
        }
    };
    known.ok_or_else(|| Fault::bad_at("an unknown compression is named in the head", start))
}

fn created<R: Read>(wire: &mut Wire<R>) -> Result<Option<NaiveDateTime>, Fault> {
    let mut parts = [0_i64; 7];
    for part in &mut parts {
        *part = wire.int("the time of the dump")?;
    }
    let [second, minute, hour, day, month, year, _dst] = parts;
    let small = |n: i64| u32::try_from(n).ok();
    let date = || NaiveDate::from_ymd_opt(i32::try_from(year + 1900).ok()?, small(month + 1)?, small(day)?);
    let time = || date()?.and_hms_opt(small(hour)?, small(minute)?, small(second.min(59))?);
    Ok(time())
}
