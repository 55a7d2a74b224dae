//! tar archives walked to their end: members, sizes, and members that no extraction may follow.

use crate::model::text::escaped;
use crate::proof::fault::Fault;
use std::io::Read;
use tar::{EntryType, Header};

const BLOCK: u64 = 512;

/// Longest extended header (long names, PAX records) that is read, in bytes.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// Members that are named in [`Walked::unsafe_members`]; all are counted.
const SAMPLES: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    pub members: u64,
    pub files: u64,
    /// Content bytes of regular files.
    pub bytes: u64,
    pub unsafe_count: u64,
    /// Escaped names with the reason.
    pub unsafe_members: Vec<String>,
}

/// One regular file of an archive while its content passes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As stored; untrusted.
    pub path: Vec<u8>,
    pub size: u64,
}

/// Watches the content of regular files.
pub trait Visitor {
    /// A regular file begins.
    fn file(&mut self, member: &Member);
    /// The next piece of its content.
    fn piece(&mut self, bytes: &[u8]);
    /// Its content is complete.
    fn done(&mut self) -> Result<(), Fault>;
    /// A symbolic link, with its target as stored; untrusted.
    fn link(&mut self, _path: &[u8], _to: &[u8]) {}
}

/// Whether the checksum in a header block is that of the block. Some old programs summed signed bytes.
fn checksum_holds(block: &[u8]) -> bool {
    let stored = Header::from_byte_slice(block).cksum();
    let plain = |at: usize, byte: u8| if (148..156).contains(&at) { b' ' } else { byte };
    let unsigned: u32 = block.iter().enumerate().map(|(at, b)| u32::from(plain(at, *b))).sum();
    let signed: i32 = block.iter().enumerate().map(|(at, b)| i32::from(plain(at, *b).cast_signed())).sum();
    stored.is_ok_and(|n| n == unsigned || i64::from(n) == i64::from(signed))
}

/// Reads an archive to the last byte. Its end mark is required: without it, a cut between two members
/// would look like an end.
pub fn walk(reader: impl Read, visitor: &mut impl Visitor) -> Result<Walked, Fault> {
    let mut walk = Walk { reader, at: 0, found: Walked::default(), next: Extensions::default() };
    while let Some(header) = walk.header()? {
        walk.member(&header, visitor)?;
    }
    walk.rest_is_padding()?;
    Ok(walk.found)
}

/// What extension headers said about the member that follows.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

struct Walk<R> {
    reader: R,
    at: u64,
    found: Walked,
    next: Extensions,
}

impl<R: Read> Walk<R> {
    /// The next header block, or `None` at the end mark.
    fn header(&mut self) -> Result<Option<Header>, Fault> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let filled =
            read_up_to(&mut self.reader, block).map_err(|e| Fault::from_io(&e, "a member's header", Some(self.at)))?;
        if filled == 0 {
            let text = format!("the archive ends after {} members without its end mark", self.found.members);
            return Err(Fault::bad_at(text, self.at));
        }
        if filled < block.len() {
            return Err(Fault::bad_at("the archive ends in the middle of a member's header", self.at));
        }
        if block.iter().all(|b| *b == 0) {
            self.at += BLOCK;
            return Ok(None);
        }
        if !checksum_holds(block) {
            let text = format!("the header after {} members is damaged", self.found.members);
            return Err(Fault::bad_at(text, self.at));
        }
        self.at += BLOCK;
        Ok(Some(header))
    }

    fn member(&mut self, header: &Header, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let size = header
            .entry_size()
            .map_err(|_| Fault::bad_at("a member's header has no readable size", self.at - BLOCK))?;
        match header.entry_type() {
            EntryType::GNULongName => {
                self.next.path = Some(without_end(self.extension(size)?));
            }
            EntryType::GNULongLink => {
                self.next.link = Some(without_end(self.extension(size)?));
            }
            EntryType::XHeader => {
                let records = self.extension(size)?;
                self.pax(&records)?;
            }
            EntryType::XGlobalHeader => {
                self.extension(size)?;
            }
            kind => self.real_member(header, kind, size, visitor)?,
        }
        Ok(())
    }

    fn real_member(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        let said = std::mem::take(&mut self.next);
        let path = said.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = said.link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
        self.found.members += 1;
        self.judge(&path, kind, link.as_deref());
        self.sparse_maps(header)?;
        if let (EntryType::Symlink, Some(to)) = (kind, &link) {
            visitor.link(&path, to);
        }
        let member = Member { path, size: said.size.unwrap_or(size) };
        let has_content = !matches!(
            kind,
            EntryType::Directory
                | EntryType::Symlink
                | EntryType::Link
                | EntryType::Char
                | EntryType::Block
                | EntryType::Fifo
        );
        if !has_content {
            return Ok(());
        }
        self.found.files += 1;
        self.found.bytes += member.size;
        visitor.file(&member);
        let name = escaped(&String::from_utf8_lossy(&member.path)).into_owned();
        self.content(member.size, |piece| visitor.piece(piece)).map_err(|fault| fault.within(&name))?;
        visitor.done()
    }

    /// GNU sparse files carry further blocks of their map before the content.
    fn sparse_maps(&mut self, header: &Header) -> Result<(), Fault> {
        let mut more = header.entry_type().is_gnu_sparse() && header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        while more {
            let mut block = [0; BLOCK as usize];
            self.reader
                .read_exact(&mut block)
                .map_err(|e| Fault::from_io(&e, "the map of a sparse member", Some(self.at)))?;
            self.at += BLOCK;
            more = block[504] == 1;
        }
        Ok(())
    }

    fn judge(&mut self, path: &[u8], kind: EntryType, link: Option<&[u8]>) {
        let reason = match kind {
            _ if path.starts_with(b"/") => Some("absolute path".to_owned()),
            _ if climbs(path) => Some("path with `..`".to_owned()),
            EntryType::Char | EntryType::Block => Some("device".to_owned()),
            EntryType::Fifo => Some("named pipe".to_owned()),
            EntryType::Symlink => link.filter(|to| leaves(path, to)).map(|to| leads_out("link", to)),
            EntryType::Link => {
                link.filter(|to| to.starts_with(b"/") || climbs(to)).map(|to| leads_out("hard link", to))
            }
            _ => None,
        };
        let Some(reason) = reason else { return };
        self.found.unsafe_count += 1;
        if self.found.unsafe_members.len() < SAMPLES {
            let name = String::from_utf8_lossy(path);
            self.found.unsafe_members.push(format!("{}: {reason}", escaped(&name)));
        }
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Fault> {
        if size > LONGEST_EXTENSION {
            return Err(Fault::bad_at(format!("an extended header of {size} bytes is impossible"), self.at));
        }
        let mut bytes = Vec::new();
        self.content(size, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    fn content(&mut self, size: u64, mut see: impl FnMut(&[u8])) -> Result<(), Fault> {
        let mut piece = [0; 16 * 1024];
        let mut left = size;
        while left > 0 {
            let n = left.min(piece.len() as u64) as usize;
            self.fill(&mut piece[..n])?;
            see(&piece[..n]);
            left -= n as u64;
        }
        let padding = ((BLOCK - size % BLOCK) % BLOCK) as usize;
        self.fill(&mut piece[..padding])
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.reader.read_exact(out).map_err(|e| Fault::from_io(&e, "a member's content", Some(self.at)))?;
        self.at += out.len() as u64;
        Ok(())
    }

    /// PAX records: `length key=value\n`.
    fn pax(&mut self, mut records: &[u8]) -> Result<(), Fault> {
        let damaged = || Fault::bad_at("an extended header is damaged", self.at);
        while !records.is_empty() {
            let space = records.iter().position(|b| *b == b' ').ok_or_else(damaged)?;
            let length: usize =
                std::str::from_utf8(&records[..space]).ok().and_then(|n| n.parse().ok()).ok_or_else(damaged)?;
            let record = records.get(space + 1..length).and_then(|r| r.strip_suffix(b"\n")).ok_or_else(damaged)?;
            let equals = record.iter().position(|b| *b == b'=').ok_or_else(damaged)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.next.path = Some(value.to_vec()),
                b"linkpath" => self.next.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|n| n.parse().ok());
                    self.next.size = Some(size.ok_or_else(damaged)?);
                }
                _ => {}
            }
            records = &records[length..];
        }
        Ok(())
    }

    /// After the end mark only zeros may follow (archives are padded to their record size).
    fn rest_is_padding(&mut self) -> Result<(), Fault> {
        let mut piece = [0; 16 * 1024];
        loop {
            let n = read_up_to(&mut self.reader, &mut piece)
                .map_err(|e| Fault::from_io(&e, "the end of the archive", Some(self.at)))?;
            if let Some(other) = piece[..n].iter().position(|b| *b != 0) {
                return Err(Fault::bad_at(
                    "other bytes follow after the end mark of the archive",
                    self.at + other as u64,
                ));
            }
            self.at += n as u64;
            if n < piece.len() {
                return Ok(());
            }
        }
    }
}

fn read_up_to(reader: &mut impl Read, out: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match reader.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    while name.last() == Some(&0) {
        name.pop();
    }
    name
}

fn leads_out(what: &str, to: &[u8]) -> String {
    format!("{what} out, to {}", escaped(&String::from_utf8_lossy(to)))
}

fn climbs(path: &[u8]) -> bool {
    path.split(|b| *b == b'/').any(|part| part == b"..")
}

/// Whether a symbolic link at `path` points outside the archive's root.
fn leaves(path: &[u8], to: &[u8]) -> bool {
    if to.starts_with(b"/") {
        return true;
    }
    let parts = |p: &[u8]| p.split(|b| *b == b'/').filter(|s| !s.is_empty() && *s != b".").count() as i64;
    let mut depth = parts(path).saturating_sub(1);
    for part in to.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For walks that look at no contents.
    #[derive(Clone, Copy, Debug)]
    pub struct Uninterested;

    impl Visitor for Uninterested {
        fn file(&mut self, _: &Member) {}
        fn piece(&mut self, _: &[u8]) {}
        fn done(&mut self) -> Result<(), Fault> {
            Ok(())
        }
    }

    fn archive(build: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        build(&mut builder);
        builder.into_inner().unwrap()
    }

    fn file(builder: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8]) {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content).unwrap();
    }

    fn raw(builder: &mut tar::Builder<Vec<u8>>, path: &[u8], kind: EntryType, link: &str) {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path);
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o644);
        if !link.is_empty() {
            header.set_link_name_literal(link).unwrap();
        }
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
    }

    #[test]
    fn members_are_counted_and_dangerous_ones_named() {
        let long = format!("deep/{}/name.txt", "x".repeat(180));
        let bytes = archive(|b| {
            file(b, "a.txt", b"hello");
            file(b, &long, &[7; 3000]);
            raw(b, b"/etc/passwd", EntryType::Regular, "");
            raw(b, b"up/../../x", EntryType::Regular, "");
            raw(b, b"dir/link", EntryType::Symlink, "../ok");
            raw(b, b"dir/out", EntryType::Symlink, "../../out");
            raw(b, b"dev/sda\x1b[2J", EntryType::Block, "");
        });
        let walked = walk(bytes.as_slice(), &mut Uninterested).unwrap();
        assert_eq!((walked.members, walked.bytes, walked.unsafe_count), (7, 3005, 4));
        assert_eq!(
            walked.unsafe_members,
            [
                "/etc/passwd: absolute path",
                "up/../../x: path with `..`",
                "dir/out: link out, to ../../out",
                "dev/sda\\x1b[2J: device",
            ]
        );
    }

    #[test]
    fn every_cut_is_found() {
        let bytes = archive(|b| {
            file(b, "zeros", &[0; 2048]);
            file(b, "b.txt", b"some words");
        });
        assert!(walk(bytes.as_slice(), &mut Uninterested).is_ok());
        let end = bytes.len() - 1024;
        for cut in 0..=end {
            let fault = walk(&bytes[..cut], &mut Uninterested).unwrap_err();
            assert!(fault.is_verdict(), "cut at {cut}: {fault}");
        }
    }

    #[test]
    fn a_flipped_bit_in_a_header_is_found() {
        let bytes = archive(|b| file(b, "a.txt", b"hello"));
        for at in 0..512 {
            let mut bent = bytes.clone();
            bent[at] ^= 0x04;
            assert!(walk(bent.as_slice(), &mut Uninterested).is_err(), "byte {at}");
        }
    }
}
