//! Redis RDB files: header, opcodes walked, keys counted, CRC-64 of the whole file.

use crate::proof::fault::Fault;
use crc_fast::{CrcAlgorithm, Digest};
use std::collections::BTreeMap;
use std::io::BufRead;

fn crc() -> Digest {
    Digest::new(CrcAlgorithm::Crc64Redis)
}

/// Versions 1 (Redis 1) to 80 cover Redis, Valkey and what is to come; types decide what can be walked.
const NEWEST: u32 = 200;

/// Facts (`redis-ver`, `ctime`…) that are kept, and the longest of them.
const MOST_AUX: usize = 64;
const LONGEST_AUX: u64 = 512;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub version: u32,
    /// Facts about the server, as it wrote them.
    pub aux: BTreeMap<String, String>,
    pub keys: u64,
    pub expiring: u64,
    /// Keys by database number.
    pub databases: BTreeMap<u64, u64>,
    /// Keys as the file announces them before each database.
    pub announced: u64,
    /// The trailer holds a checksum and it is right; `false` where the server writes none.
    pub checksummed: bool,
    /// A value type that this program does not know: keys were not counted past it.
    pub unknown_type: Option<u8>,
}

/// Reads a file to its last byte.
pub fn read(reader: impl BufRead) -> Result<Snapshot, Fault> {
    let mut file = File { reader, at: 0, digest: crc() };
    let mut found = Snapshot { version: file.version()?, ..Snapshot::default() };
    let mut database = 0;
    loop {
        let start = file.at;
        match file.byte("the next key")? {
            0xff => break,
            0xfa => file.aux(&mut found)?,
            0xfe => database = file.length("a database number")?,
            0xfb => {
                found.announced += file.length("the size of a database")?;
                file.length("the number of expiring keys")?;
            }
            0xfd => {
                file.skip(4, "the expiry of a key")?;
                found.expiring += 1;
            }
            0xfc => {
                file.skip(8, "the expiry of a key")?;
                found.expiring += 1;
            }
            0xf9 => file.skip(1, "the frequency of a key")?,
            0xf8 => drop(file.length("the idle time of a key")?),
            0xf7 => file.module_aux()?,
            0xf5 => file.string("a function library")?,
            0xf4 => {
                for _ in 0..3 {
                    file.length("the size of a slot")?;
                }
            }
            kind => {
                if !(KNOWN_TYPES.contains(&kind)) {
                    found.unknown_type = Some(kind);
                    return file.rest(found);
                }
                file.string("a key")?;
                file.value(kind)
                    .map_err(|f| f.within(&format!("key {} (type {kind}, at byte {start})", found.keys + 1)))?;
                found.keys += 1;
                *found.databases.entry(database).or_insert(0) += 1;
            }
        }
    }
    file.trailer(found)
}

const KNOWN_TYPES: &[u8] = &[0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 24, 25];

struct File<R> {
    reader: R,
    at: u64,
    digest: Digest,
}

impl<R: BufRead> File<R> {
    fn fill(&mut self, out: &mut [u8], doing: &str) -> Result<(), Fault> {
        self.reader.read_exact(out).map_err(|e| Fault::from_io(&e, doing, Some(self.at)))?;
        self.digest.update(out);
        self.at += out.len() as u64;
        Ok(())
    }

    fn byte(&mut self, doing: &str) -> Result<u8, Fault> {
        let mut one = [0];
        self.fill(&mut one, doing)?;
        Ok(one[0])
    }

    fn skip(&mut self, length: u64, doing: &str) -> Result<(), Fault> {
        let mut left = length;
        while left > 0 {
            let ahead = self.reader.fill_buf().map_err(|e| Fault::from_io(&e, doing, Some(self.at)))?;
            if ahead.is_empty() {
                return Err(Fault::bad_at(format!("the content ends in the middle of {doing}"), self.at));
            }
            let n = left.min(ahead.len() as u64);
            self.digest.update(&ahead[..n as usize]);
            self.reader.consume(n as usize);
            (self.at, left) = (self.at + n, left - n);
        }
        Ok(())
    }

    fn version(&mut self) -> Result<u32, Fault> {
        let mut head = [0; 9];
        self.fill(&mut head, "the head of the RDB file")?;
        let version =
            head.strip_prefix(b"REDIS").and_then(|v| std::str::from_utf8(v).ok()).and_then(|v| v.parse().ok());
        version
            .filter(|v| (1..=NEWEST).contains(v))
            .ok_or_else(|| Fault::bad_at("the head of the RDB file names no version", 5))
    }

    /// A length, or the mark of a specially encoded string in its lower six bits.
    fn length_or_encoding(&mut self, doing: &str) -> Result<Result<u64, u8>, Fault> {
        let start = self.at;
        let first = self.byte(doing)?;
        Ok(match first >> 6 {
            0 => Ok(u64::from(first & 0x3f)),
            1 => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.byte(doing)?)),
            2 => match first {
                0x80 => {
                    let mut bytes = [0; 4];
                    self.fill(&mut bytes, doing)?;
                    Ok(u64::from(u32::from_be_bytes(bytes)))
                }
                0x81 => {
                    let mut bytes = [0; 8];
                    self.fill(&mut bytes, doing)?;
                    Ok(u64::from_be_bytes(bytes))
                }
                _ => return Err(Fault::bad_at(format!("{doing}: not a length"), start)),
            },
            _ => Err(first & 0x3f),
        })
    }

    fn length(&mut self, doing: &str) -> Result<u64, Fault> {
        let start = self.at;
        self.length_or_encoding(doing)?.map_err(|_| Fault::bad_at(format!("{doing}: not a length"), start))
    }

    fn string(&mut self, doing: &str) -> Result<(), Fault> {
        let start = self.at;
        match self.length_or_encoding(doing)? {
            Ok(length) => self.skip(length, doing),
            Err(width @ 0..=2) => self.skip(1 << width, doing),
            Err(3) => {
                let packed = self.length(doing)?;
                self.length(doing)?;
                self.skip(packed, doing)
            }
            Err(_) => Err(Fault::bad_at(format!("{doing}: unknown encoding of a string"), start)),
        }
    }

    fn strings(&mut self, count: u64, doing: &str) -> Result<(), Fault> {
        for _ in 0..count {
            self.string(doing)?;
        }
        Ok(())
    }

    fn aux(&mut self, found: &mut Snapshot) -> Result<(), Fault> {
        let (key, value) = (self.short_text()?, self.short_text()?);
        if let (Some(key), Some(value)) = (key, value)
            && found.aux.len() < MOST_AUX
        {
            found.aux.insert(key, value);
        }
        Ok(())
    }

    /// The text of a short string, `None` for one that is packed or long.
    fn short_text(&mut self) -> Result<Option<String>, Fault> {
        let doing = "a fact about the server";
        match self.length_or_encoding(doing)? {
            Ok(length) if length <= LONGEST_AUX => {
                let mut bytes = vec![0; length as usize];
                self.fill(&mut bytes, doing)?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Ok(length) => self.skip(length, doing).map(|()| None),
            Err(width @ 0..=2) => {
                let mut bytes = [0; 4];
                let width = 1_usize << width;
                self.fill(&mut bytes[..width], doing)?;
                let number = match width {
                    1 => i64::from(bytes[0].cast_signed()),
                    2 => i64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
                    _ => i64::from(i32::from_le_bytes(bytes)),
                };
                Ok(Some(number.to_string()))
            }
            Err(3) => {
                let packed = self.length(doing)?;
                self.length(doing)?;
                self.skip(packed, doing).map(|()| None)
            }
            Err(_) => Err(Fault::bad_at("unknown encoding of a string", self.at)),
        }
    }

    fn value(&mut self, kind: u8) -> Result<(), Fault> {
        let doing = "a value";
        match kind {
            0 | 9..=13 | 16 | 17 | 20 => self.string(doing),
            1 | 2 | 14 => {
                let count = self.length(doing)?;
                self.strings(count, doing)
            }
            4 => {
                let count = self.length(doing)?;
                self.strings(count, doing)?;
                self.strings(count, doing)
            }
            3 | 5 => self.sorted_set(kind == 5),
            7 => {
                self.length(doing)?;
                self.module_parts()
            }
            18 => {
                let count = self.length(doing)?;
                for _ in 0..count {
                    self.length(doing)?;
                    self.string(doing)?;
                }
                Ok(())
            }
            15 | 19 | 21 => self.stream(kind),
            24 => {
                self.skip(8, doing)?;
                let count = self.length(doing)?;
                for _ in 0..count {
                    self.length(doing)?;
                    self.strings(2, doing)?;
                }
                Ok(())
            }
            _ => {
                self.skip(8, doing)?;
                self.string(doing)
            }
        }
    }

    fn sorted_set(&mut self, binary_scores: bool) -> Result<(), Fault> {
        let doing = "a sorted set";
        for _ in 0..self.length(doing)? {
            self.string(doing)?;
            let score = if binary_scores { 8 } else { self.byte(doing)? };
            // 253 to 255 are NaN and the infinities, without digits.
            if binary_scores || score < 253 {
                self.skip(u64::from(score), doing)?;
            }
        }
        Ok(())
    }

    fn stream(&mut self, kind: u8) -> Result<(), Fault> {
        let doing = "a stream";
        let nodes = self.length(doing)?;
        self.strings(nodes, doing)?;
        self.strings(nodes, doing)?;
        // Length and last id; since type 19 also first id, newest deleted id and entries ever added.
        self.lengths(if kind == 15 { 3 } else { 8 })?;
        for _ in 0..self.length(doing)? {
            self.string(doing)?;
            self.lengths(if kind == 15 { 2 } else { 3 })?;
            for _ in 0..self.length(doing)? {
                self.skip(24, doing)?;
                self.length(doing)?;
            }
            for _ in 0..self.length(doing)? {
                self.string(doing)?;
                self.skip(if kind == 21 { 16 } else { 8 }, doing)?;
                let pending = self.length(doing)?;
                self.skip(pending.saturating_mul(16), doing)?;
            }
        }
        Ok(())
    }

    fn lengths(&mut self, count: usize) -> Result<(), Fault> {
        for _ in 0..count {
            self.length("a stream")?;
        }
        Ok(())
    }

    fn module_aux(&mut self) -> Result<(), Fault> {
        let doing = "a module's data";
        for _ in 0..3 {
            self.length(doing)?;
        }
        self.module_parts()
    }

    fn module_parts(&mut self) -> Result<(), Fault> {
        let doing = "a module's data";
        loop {
            match self.length(doing)? {
                0 => return Ok(()),
                1 | 2 => drop(self.length(doing)?),
                3 => self.skip(4, doing)?,
                4 => self.skip(8, doing)?,
                5 => self.string(doing)?,
                n => return Err(Fault::bad_at(format!("{doing}: unknown part {n}"), self.at)),
            }
        }
    }

    /// The eight bytes after the end mark. Before version 5 there are none; all zero means that the server
    /// writes no checksum.
    fn trailer(mut self, mut found: Snapshot) -> Result<Snapshot, Fault> {
        if found.version >= 5 {
            let digest = std::mem::replace(&mut self.digest, crc());
            let mut bytes = [0; 8];
            self.fill(&mut bytes, "the checksum of the file")?;
            found.checksummed = compare(u64::from_le_bytes(bytes), digest.finalize(), self.at)?;
        }
        let more = self.reader.fill_buf().map_err(|e| Fault::from_io(&e, "the end of the file", Some(self.at)))?;
        if more.is_empty() {
            return Ok(found);
        }
        Err(Fault::bad_at("other bytes follow after the checksum of the file", self.at))
    }

    /// Past a type that cannot be walked only the checksum over everything can be checked.
    fn rest(mut self, mut found: Snapshot) -> Result<Snapshot, Fault> {
        // The last nine bytes: end mark and checksum. They stay out of the digest until more follow.
        let mut tail: Vec<u8> = Vec::with_capacity(64 * 1024);
        loop {
            let ahead =
                self.reader.fill_buf().map_err(|e| Fault::from_io(&e, "the rest of the file", Some(self.at)))?;
            if ahead.is_empty() {
                break;
            }
            let n = ahead.len();
            tail.extend_from_slice(ahead);
            self.reader.consume(n);
            self.at += n as u64;
            let settled = tail.len().saturating_sub(8);
            self.digest.update(&tail[..settled]);
            if settled > 0 {
                found.checksummed = tail[settled - 1] == 0xff;
            }
            tail.drain(..settled);
        }
        let Ok(bytes) = <[u8; 8]>::try_from(tail.as_slice()) else {
            return Err(Fault::bad_at("the content ends in the middle of a value", self.at));
        };
        if !found.checksummed {
            return Err(Fault::bad_at("the file ends without its end mark", self.at));
        }
        found.checksummed = compare(u64::from_le_bytes(bytes), self.digest.finalize(), self.at)?;
        Ok(found)
    }
}

fn compare(stored: u64, computed: u64, at: u64) -> Result<bool, Fault> {
    match stored {
        0 => Ok(false),
        n if n == computed => Ok(true),
        n => Err(Fault::bad_at(
            format!("the checksum of the file is {n:016x}, its content gives {computed:016x}"),
            at - 8,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(body: &[u8]) -> Vec<u8> {
        let mut bytes = b"REDIS0011".to_vec();
        bytes.extend(b"\xfa\x09redis-ver\x057.2.4\xfa\x0aredis-bits\xc0\x40");
        bytes.extend(body);
        bytes.push(0xff);
        let crc = crc_fast::checksum(CrcAlgorithm::Crc64Redis, &bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    fn sample() -> Vec<u8> {
        let mut body = b"\xfe\x00\xfb\x04\x01".to_vec();
        body.extend(b"\x00\x01a\x05hello");
        body.extend(b"\xfc\x00\x01\x02\x03\x04\x05\x06\x07\x00\x01n\xc1\x10\x27");
        body.extend(b"\x04\x01h\x01\x01f\x01v");
        body.extend(b"\x05\x01z\x01\x01m\x00\x00\x00\x00\x00\x00\xf0\x3f");
        body.extend(b"\xfe\x03\xfb\x02\x00");
        body.extend(b"\x12\x01l\x01\x02\x03abc");
        body.extend(b"\x00\x01c\xc3\x03\x0axyz");
        file(&body)
    }

    #[test]
    fn the_checksum_is_the_one_redis_writes() {
        assert_eq!(crc_fast::checksum(CrcAlgorithm::Crc64Redis, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn keys_are_counted_and_the_checksum_is_compared() {
        let found = read(sample().as_slice()).unwrap();
        assert_eq!((found.keys, found.expiring, found.announced), (6, 1, 6));
        assert_eq!(found.databases, BTreeMap::from([(0, 4), (3, 2)]));
        assert_eq!(found.aux["redis-ver"], "7.2.4");
        assert_eq!(found.aux["redis-bits"], "64");
        assert!(found.checksummed && found.unknown_type.is_none());
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        for bytes in [sample(), file(b"\xfe\x00\x63whatever comes here")] {
            assert!(read(bytes.as_slice()).is_ok());
            for cut in 0..bytes.len() {
                assert!(read(&bytes[..cut]).unwrap_err().is_verdict(), "cut at {cut}");
            }
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut bent = bytes.clone();
                    bent[at] ^= 1 << bit;
                    assert!(read(bent.as_slice()).is_err(), "byte {at}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_type_from_the_future_is_left_to_the_checksum() {
        let found = read(file(b"\xfe\x00\x63whatever comes here").as_slice()).unwrap();
        assert_eq!((found.unknown_type, found.checksummed), (Some(0x63), true));
    }
}
