//! PostgreSQL's write-ahead log: pages, records with their checksums, and the instants at which transactions ended.
//!
//! Layouts as in PostgreSQL's `xlog_internal.h`, `xlogrecord.h` and `xact.h`, unchanged since 9.5, in the little-endian
//! form that every common platform writes.

use crc_fast::{CrcAlgorithm, Digest};

fn crc32c() -> Digest {
    Digest::new(CrcAlgorithm::Crc32Iscsi)
}

/// Bytes of a page; the only size that packages are built with.
pub const PAGE: usize = 8192;
/// Fixed part of a record.
const HEADER: usize = 24;
/// Bytes of a record that are kept to be understood; its checksum covers all of it.
const KEPT: usize = 256;
/// Longest record that PostgreSQL writes.
const LONGEST: u32 = 1020 << 20;
/// Magic number of the oldest version whose records are read here: 9.5.
const OLDEST: u16 = 0xD087;

const HAS_REST: u16 = 1;
const IS_LONG: u16 = 2;
const DROPS_REST: u16 = 8;

/// What the first page of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub magic: u16,
    pub timeline: u32,
    /// Log position of the segment's first byte.
    pub address: u64,
    pub system_identifier: u64,
    pub segment_bytes: u32,
}

impl Head {
    /// `None` where these bytes do not begin a segment.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (magic, info) = (u16_at(bytes, 0)?, u16_at(bytes, 2)?);
        let head = Self {
            magic,
            timeline: u32_at(bytes, 4)?,
            address: u64_at(bytes, 8)?,
            system_identifier: u64_at(bytes, 24)?,
            segment_bytes: u32_at(bytes, 32)?,
        };
        let size = head.segment_bytes;
        let fits = size.is_power_of_two() && (1 << 20..=1 << 30).contains(&size) && u32_at(bytes, 36)? as usize == PAGE;
        (magic >> 9 == 0xD000 >> 9 && magic >= OLDEST && info & IS_LONG != 0 && fits).then_some(head)
    }

    /// Major version of the server that wrote it, where its magic number is known.
    pub fn version(&self) -> Option<u32> {
        Some(match self.magic {
            0xD098 => 11,
            0xD101 => 12,
            0xD106 => 13,
            0xD10D => 14,
            0xD110 => 15,
            0xD113 => 16,
            0xD116 => 17,
            0xD118 => 18,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Commit,
    Abort,
    /// A named restore point.
    Point(String),
}

/// A record that carries an instant: recovery can stop at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Log position of the record.
    pub lsn: u64,
    pub what: What,
    /// Microseconds since the epoch.
    pub micros: i64,
    pub xid: u32,
}

/// Why a stretch of log is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {:X}/{:X}: {what}", .lsn >> 32, .lsn & 0xFFFF_FFFF)]
pub struct Damage {
    pub lsn: u64,
    pub what: &'static str,
}

/// Reads consecutive segments. The first one may begin in the middle of a record, which is passed over.
#[derive(Default)]
pub struct Scanner {
    pending: Option<Pending>,
    last: Option<u64>,
    /// Whether a record's beginning was found.
    begun: bool,
    after: Option<u64>,
    marked: Option<u64>,
}

struct Pending {
    lsn: u64,
    total: u32,
    got: u32,
    kept: Vec<u8>,
    sum: Digest,
}

impl Scanner {
    /// Position of the last whole record.
    pub fn last(&self) -> Option<u64> {
        self.last
    }

    /// One that marks the first record at or behind a position.
    pub fn marking(after: Option<u64>) -> Self {
        Self { after, ..Self::default() }
    }

    /// Position of the marked record.
    pub fn marked(&self) -> Option<u64> {
        self.marked
    }

    /// Takes one whole segment that begins at `address`.
    pub fn feed(&mut self, address: u64, bytes: &[u8], each: &mut dyn FnMut(Moment)) -> Result<(), Damage> {
        for (at, page) in (address..).step_by(PAGE).zip(bytes.chunks(PAGE)) {
            if !self.page(at, page, each)? {
                break;
            }
        }
        Ok(())
    }

    /// False where the log ends in this page: what follows in the segment was never written, or is empty since the
    /// server went over to the next one.
    fn page(&mut self, address: u64, page: &[u8], each: &mut dyn FnMut(Moment)) -> Result<bool, Damage> {
        let damage = |what| Damage { lsn: address, what };
        let header = (u16_at(page, 0), u16_at(page, 2), u64_at(page, 8), u32_at(page, 16));
        let (Some(magic), Some(info), Some(stated), Some(rest)) = header else {
            return Err(damage("the page is cut off"));
        };
        if magic == 0 {
            return if page.iter().all(|byte| *byte == 0) { Ok(false) } else { Err(damage("the page has no header")) };
        }
        if stated != address {
            return Err(damage("the page belongs elsewhere in the log"));
        }
        let mut cursor = if info & IS_LONG == 0 { HEADER } else { 40 };
        if info & DROPS_REST != 0 {
            self.pending = None;
        } else if info & HAS_REST != 0 {
            if self.pending.as_ref().is_some_and(|pending| pending.total - pending.got != rest) {
                return Err(damage("the rest of a record does not fit its beginning"));
            }
            if self.pending.is_none() {
                // Its beginning lies before what is read here.
                let rest = rest as usize;
                if self.begun {
                    return Err(damage("the rest of a record has no beginning"));
                }
                if rest > page.len() - cursor {
                    return Ok(true);
                }
                cursor = (cursor + rest).next_multiple_of(8);
            }
        } else if self.pending.is_some() {
            return Err(damage("a record has no rest"));
        }
        self.begun = true;
        self.records_of(address, page, cursor, each)
    }

    fn records_of(
        &mut self,
        address: u64,
        page: &[u8],
        mut cursor: usize,
        each: &mut dyn FnMut(Moment),
    ) -> Result<bool, Damage> {
        while cursor < page.len() {
            let lsn = address + cursor as u64;
            let mut pending = match self.pending.take() {
                Some(pending) => pending,
                None => match u32_at(page, cursor) {
                    Some(0) | None => return Ok(false),
                    Some(total) if (total as usize) < HEADER || total > LONGEST => {
                        return Err(Damage { lsn, what: "what stands there is no record" });
                    }
                    Some(total) => Pending { lsn, total, got: 0, kept: Vec::new(), sum: crc32c() },
                },
            };
            let take = (page.len() - cursor).min((pending.total - pending.got) as usize);
            pending.take(&page[cursor..cursor + take]);
            cursor = (cursor + take).next_multiple_of(8);
            if pending.got < pending.total {
                self.pending = Some(pending);
                return Ok(true);
            }
            self.done(pending, each)?;
        }
        Ok(true)
    }

    fn done(&mut self, record: Pending, each: &mut dyn FnMut(Moment)) -> Result<(), Damage> {
        let Pending { lsn, kept, mut sum, .. } = record;
        let damage = |what| Damage { lsn, what };
        sum.update(&kept[..20]);
        if u32_at(&kept, 20) != Some(sum.finalize() as u32) {
            return Err(damage("a record does not have the checksum that it states"));
        }
        let before = u64_at(&kept, 8);
        if self.last.is_some() && self.last != before {
            return Err(damage("a record does not follow the one before it"));
        }
        self.last = Some(lsn);
        if self.marked.is_none() && self.after.is_some_and(|after| lsn >= after) {
            self.marked = Some(lsn);
        }
        if let Some(moment) = moment(lsn, &kept) {
            each(moment);
        }
        Ok(())
    }
}

impl Pending {
    fn take(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.kept.len()).min(bytes.len());
        // Its header is summed last.
        let before = HEADER.saturating_sub(self.got as usize).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.sum.update(&bytes[before..]);
        self.got += bytes.len() as u32;
    }
}

/// Seconds between the epochs of Unix and of PostgreSQL, in microseconds.
const EPOCH: i64 = 946_684_800_000_000;

fn moment(lsn: u64, record: &[u8]) -> Option<Moment> {
    let (info, manager) = (*record.get(16)?, *record.get(17)?);
    let end = match (manager, info & 0x70) {
        (1, 0x00 | 0x30) => Some(What::Commit),
        (1, 0x20 | 0x40) => Some(What::Abort),
        (0, _) if info & 0xF0 == 0x70 => None,
        _ => return None,
    };
    let data = main_data(record)?;
    let micros = (u64_at(data, 0)?.cast_signed()).checked_add(EPOCH)?;
    let what = end.unwrap_or_else(|| {
        let name = data.get(8..).unwrap_or_default();
        let name = &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len()).min(64)];
        What::Point(String::from_utf8_lossy(name).into_owned())
    });
    Some(Moment { lsn, what, micros, xid: u32_at(record, 4)? })
}

/// A record's own data; none of those that carry an instant refers to a page.
fn main_data(record: &[u8]) -> Option<&[u8]> {
    let mut at = HEADER;
    loop {
        match record.get(at)? {
            0xFF => return record.get(at + 2..),
            0xFE => return record.get(at + 5..),
            0xFD => at += 3,
            0xFC => at += 5,
            _ => return None,
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: u64 = 0x300_0000;

    fn record(prev: u64, manager: u8, info: u8, data: &[u8]) -> Vec<u8> {
        let mut body = vec![0xFE];
        body.extend_from_slice(&(data.len() as u32).to_le_bytes());
        body.extend_from_slice(data);
        let mut out = ((HEADER + body.len()) as u32).to_le_bytes().to_vec();
        out.extend_from_slice(&7_u32.to_le_bytes());
        out.extend_from_slice(&prev.to_le_bytes());
        out.extend_from_slice(&[info, manager, 0, 0]);
        let mut sum = crc32c();
        sum.update(&body);
        sum.update(&out);
        out.extend_from_slice(&(sum.finalize() as u32).to_le_bytes());
        out.extend_from_slice(&body);
        out
    }

    fn page(address: u64, rest: u32) -> Vec<u8> {
        let mut page = 0xD110_u16.to_le_bytes().to_vec();
        page.extend_from_slice(&u16::from(rest > 0).to_le_bytes());
        page.extend_from_slice(&1_u32.to_le_bytes());
        page.extend_from_slice(&address.to_le_bytes());
        page.extend_from_slice(&rest.to_le_bytes());
        page.resize(HEADER, 0);
        page
    }

    /// Two pages: a commit, and a long record with a restore point behind it that goes over the border.
    fn log() -> Vec<u8> {
        let mut first = page(ADDRESS, 0);
        first.extend(record(0, 1, 0, &1_000_000_i64.to_le_bytes()));
        first.resize(first.len().next_multiple_of(8), 0);
        let long = record(ADDRESS + 24, 9, 0, &[5; 9000]);
        let (start, here) = (first.len() as u64, PAGE - first.len());
        first.extend_from_slice(&long[..here]);
        let mut second = page(ADDRESS + PAGE as u64, (long.len() - here) as u32);
        second.extend_from_slice(&long[here..]);
        second.resize(second.len().next_multiple_of(8), 0);
        let mut named = 2_000_000_i64.to_le_bytes().to_vec();
        named.extend_from_slice(b"before deploy\0");
        second.extend(record(ADDRESS + start, 0, 0x70, &named));
        second.resize(PAGE, 0);
        [first, second].concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Moment>, Damage> {
        let mut found = Vec::new();
        Scanner::default().feed(ADDRESS, bytes, &mut |moment| found.push(moment))?;
        Ok(found)
    }

    #[test]
    fn records_are_put_together_over_pages_and_tell_their_instants() {
        let found = read(&log()).unwrap();
        assert_eq!((found[0].what.clone(), found[0].micros, found[0].xid), (What::Commit, EPOCH + 1_000_000, 7));
        assert_eq!(
            (found[1].what.clone(), found[1].micros),
            (What::Point("before deploy".to_owned()), EPOCH + 2_000_000)
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn whoever_begins_in_the_middle_passes_over_the_rest_of_a_record() {
        let mut found = Vec::new();
        let at = ADDRESS + PAGE as u64;
        Scanner::default().feed(at, &log()[PAGE..], &mut |moment| found.push(moment)).unwrap();
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn no_altered_byte_of_a_record_passes() {
        let whole = log();
        for at in (24..48).chain([100, PAGE + 100, PAGE + 900]) {
            let mut bad = whole.clone();
            bad[at] ^= 0x40;
            let told = read(&bad);
            assert!(told.is_err() || told.unwrap().len() < 2, "byte {at}");
        }
        let mut bad = whole;
        bad[PAGE + 8] ^= 1;
        assert!(read(&bad).unwrap_err().what.contains("elsewhere"));
    }
}
