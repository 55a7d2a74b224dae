//! What bytes are, by what they say themselves. Names are not asked.

use super::decompress;
use crate::model::content::{Content, Form, Wrapping};
use crate::stores::{Pin, Store, StoreError};
use std::io::Read;

/// Bytes of an object's beginning that are worth reading to know it.
pub const HEAD: usize = 64 << 10;

/// Compressions inside each other that are opened; more than this is no backup.
const LAYERS: usize = 3;

/// The form of one object of `size` bytes, and whether it is encrypted where it tells, by as much of its
/// beginning as its own compression makes necessary.
pub async fn look(
    store: &dyn Store,
    name: &str,
    size: u64,
    pin: Option<&Pin>,
) -> Result<(Content, Option<bool>), StoreError> {
    let end = size.min(HEAD as u64);
    let head = store.read_range(name, 0..end, pin).await?;
    let content = sniff(&head);
    if let (Form::Unknown, Some(outermost)) = (content.form, content.wrapped.first()) {
        let more = size.min(decompress::first_block(*outermost, &head) as u64);
        if more > end {
            let head = store.read_range(name, 0..more, pin).await?;
            return Ok((sniff(&head), sealed(&head)));
        }
    }
    Ok((content, sealed(&head)))
}

/// Reads the content's form from its first bytes; [`HEAD`] of them are enough, but for compressions of
/// larger blocks. What decompresses without end is cut off at [`HEAD`] bytes.
pub fn sniff(head: &[u8]) -> Content {
    let mut wrapped = Vec::new();
    let mut bytes = head.to_vec();
    for _ in 0..LAYERS {
        let Some(wrapping) = wrapping(&bytes) else {
            break;
        };
        wrapped.push(wrapping);
        match opened(wrapping, &bytes) {
            Some(inner) => bytes = inner,
            None => return Content { wrapped, form: Form::Unknown },
        }
    }
    Content { form: form(&bytes), wrapped }
}

/// What the outermost layer of some bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Wrapping(Wrapping),
    Form(Form),
}

/// Reads only the outermost layer, for those who open compressions themselves.
pub fn layer(head: &[u8]) -> Layer {
    wrapping(head).map_or_else(|| Layer::Form(form(head)), Layer::Wrapping)
}

/// Whether the bytes are encrypted, where they tell: OpenPGP messages, age and `openssl enc` files say so,
/// every other known form denies it.
pub fn sealed(head: &[u8]) -> Option<bool> {
    if head.starts_with(b"Salted__") {
        return Some(true);
    }
    match sniff(head) {
        Content { form: Form::OpenPgp | Form::Age, .. } => Some(true),
        Content { form: Form::Unknown | Form::Empty, wrapped } if wrapped.is_empty() => None,
        _ => Some(false),
    }
}

fn wrapping(bytes: &[u8]) -> Option<Wrapping> {
    let is = |magic: &[u8]| bytes.starts_with(magic);
    if is(&[0x1f, 0x8b, 8]) {
        Some(Wrapping::Gzip)
    } else if is(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Some(Wrapping::Zstd)
    } else if is(b"BZh") && bytes.get(4..10) == Some(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) {
        Some(Wrapping::Bzip2)
    } else if is(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Some(Wrapping::Xz)
    } else if is(&[0x04, 0x22, 0x4d, 0x18]) {
        Some(Wrapping::Lz4)
    } else {
        None
    }
}

/// The beginning of what is inside; `None` where nothing can be known of it.
fn opened(wrapping: Wrapping, bytes: &[u8]) -> Option<Vec<u8>> {
    match beginning(decompress::decoder(wrapping, Box::new(bytes)).ok()?) {
        (bytes, true) => Some(bytes),
        (bytes, false) => (!bytes.is_empty()).then_some(bytes),
    }
}

/// What can be read, and whether reading ended well: a head is cut off, so an error is no surprise.
fn beginning(mut reader: impl Read) -> (Vec<u8>, bool) {
    let mut out = vec![0; HEAD];
    let mut filled = 0;
    while filled < out.len() {
        match reader.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => {
                out.truncate(filled);
                return (out, false);
            }
        }
    }
    out.truncate(filled);
    (out, true)
}

fn form(bytes: &[u8]) -> Form {
    if bytes.is_empty() {
        Form::Empty
    } else if bytes.starts_with(b"PGDMP") {
        Form::PgCustom
    } else if is_rdb(bytes) {
        if has_aof_preamble(bytes) { Form::Aof } else { Form::Rdb }
    } else if is_openpgp(bytes) {
        Form::OpenPgp
    } else if AGE.iter().any(|magic| bytes.starts_with(magic)) {
        Form::Age
    } else if is_tar(bytes) {
        Form::Tar
    } else if is_wal(bytes) {
        Form::WalSegment
    } else if is_aof(bytes) {
        Form::Aof
    } else {
        text(bytes).map_or(Form::Unknown, text_form)
    }
}

/// Beginnings of age files, plain and armoured.
const AGE: [&[u8]; 2] = [b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----"];

fn is_rdb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"REDIS") && bytes.get(5..9).is_some_and(|v| v.iter().all(u8::is_ascii_digit))
}

/// An append-only file may begin with an RDB that says so of itself.
fn has_aof_preamble(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    [&b"aof-base\xc0\x01"[..], b"aof-preamble\xc0\x01"].iter().any(|key| start.windows(key.len()).any(|w| w == *key))
}

/// `*3\r\n$3\r\nSET\r\n…`
fn is_aof(bytes: &[u8]) -> bool {
    let digits =
        |from: usize| bytes[from.min(bytes.len())..].iter().take(10).take_while(|b| b.is_ascii_digit()).count();
    let count = digits(1);
    bytes.first() == Some(&b'*') && count > 0 && bytes[1 + count..].starts_with(b"\r\n$") && digits(1 + count + 3) > 0
}

/// A message that needs a key: its first packet is a session key or encrypted data.
fn is_openpgp(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"-----BEGIN PGP MESSAGE-----") {
        return true;
    }
    let Some(&first) = bytes.first().filter(|b| **b & 0x80 != 0) else {
        return false;
    };
    let (tag, header) = if first & 0x40 != 0 {
        let length = match bytes.get(1) {
            Some(0..=191 | 224..=254) => 1,
            Some(192..=223) => 2,
            Some(255) => 5,
            None => return false,
        };
        (first & 0x3f, 1 + length)
    } else {
        (first >> 2 & 0x0f, 1 + [1, 2, 4, 0][usize::from(first & 3)])
    };
    match (tag, bytes.get(header)) {
        (1, Some(version)) => matches!(version, 3 | 6),
        (3, Some(version)) => matches!(version, 4..=6),
        (18, Some(version)) => matches!(version, 1 | 2),
        (20, Some(version)) => *version == 1,
        _ => false,
    }
}

/// By the checksum of the first header, which every tar has, and not only by `ustar` at 257.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..512) else {
        return false;
    };
    let stated = std::str::from_utf8(&header[148..156]).ok().map(|s| s.trim_matches(|c| c == ' ' || c == '\0'));
    let Some(stated) = stated.filter(|s| !s.is_empty()).and_then(|s| u32::from_str_radix(s, 8).ok()) else {
        // An empty archive is nothing but zeros.
        return bytes.len() >= 1024 && bytes[..1024].iter().all(|b| *b == 0);
    };
    let sum = |blank: bool| -> u32 {
        header.iter().enumerate().map(|(i, b)| if blank && (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum()
    };
    sum(true) == stated
}

/// The long header at the start of a segment: known high byte of the magic, long-header flag, and sizes that
/// are powers of two in their limits.
fn is_wal(bytes: &[u8]) -> bool {
    let two = |at: usize| bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes);
    let four = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let (Some(magic), Some(info), Some(timeline), Some(segment), Some(block)) =
        (two(0), two(2), four(4), four(32), four(36))
    else {
        return false;
    };
    (0xd0..=0xd2).contains(&(magic >> 8))
        && info & 0x0002 != 0
        && info < 0x0010
        && timeline != 0
        && segment.is_power_of_two()
        && (1 << 20..=1 << 30).contains(&segment)
        && block.is_power_of_two()
        && (1 << 10..=1 << 16).contains(&block)
}

/// The bytes as text, if they are text: the head may end within a character.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}');
    (!text.is_empty() && !text.chars().any(foreign)).then_some(text)
}

fn text_form(text: &str) -> Form {
    const SQL: [&str; 9] =
        ["SET ", "CREATE ", "INSERT ", "BEGIN", "SELECT ", "ALTER ", "DROP ", "COPY ", "\\restrict "];
    let start = text.trim_start_matches('\u{feff}').trim_start();
    if is_json(start) {
        return Form::Json;
    }
    let head: String = start.chars().take(4096).collect();
    if head.contains("-- PostgreSQL database") {
        return Form::PlainSql;
    }
    let statement = head.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with("--"));
    if statement
        .is_some_and(|line| SQL.iter().any(|word| line.to_ascii_uppercase().starts_with(&word.to_ascii_uppercase())))
    {
        return Form::PlainSql;
    }
    let commas: Vec<usize> = head.lines().take(3).map(|l| l.matches(',').count()).collect();
    // The last of the lines may be cut off.
    if commas.len() > 1 && commas[0] > 0 && commas[..commas.len() - 1].iter().all(|n| *n == commas[0]) {
        return Form::Csv;
    }
    Form::Text
}

/// An object, or an array unless its first bytes already cannot be one: sections of settings (`[server]`)
/// and lines of logs (`[2024-01-15 02:00:00]`) begin with a bracket too. Damage further on is for a proof
/// to find.
fn is_json(start: &str) -> bool {
    const TELLING: usize = 40;
    if let Some(rest) = start.strip_prefix('{') {
        return matches!(rest.trim_start().chars().next(), None | Some('"' | '}'));
    }
    let line: &str = start.lines().next().unwrap_or_default();
    let first = serde_json::Deserializer::from_str(start).into_iter::<serde::de::IgnoredAny>().next();
    start.starts_with('[')
        && match first {
            Some(Err(error)) => error.is_eof() || error.line() > 1 || error.column() > TELLING.min(line.len()),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn shown(bytes: &[u8]) -> String {
        sniff(bytes).to_string()
    }

    fn tar() -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_data(&mut header, "a", &b"abc"[..]).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn forms_are_known_by_their_bytes_also_inside_compressions() {
        assert_eq!(shown(b""), "empty");
        assert_eq!(shown(b"PGDMP\x01\x0e\x00"), "custom dump");
        assert_eq!(shown(&gzip(b"PGDMP\x01\x0e\x00")), "custom dump + gzip");
        assert_eq!(shown(&gzip(&gzip(b"PGDMP\x01\x0e\x00"))), "custom dump + gzip + gzip");
        assert_eq!(shown(&zstd::encode_all(&tar()[..], 3).unwrap()), "tar + zstd");
        assert_eq!(shown(&tar()), "tar");
        assert_eq!(shown(&gzip(&tar())), "tar + gzip");
        assert_eq!(shown(&gzip(b"REDIS0011\xfa\x09redis-ver")), "RDB + gzip");
        assert_eq!(shown(b"REDIS0011\xfa\x08aof-base\xc0\x01"), "AOF");
        assert_eq!(shown(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"), "AOF");
        assert_eq!(shown(b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\nSET x;"), "plain SQL");
        assert_eq!(shown(b"{\"a\": 1}"), "JSON");
        assert_eq!(shown(&gzip(b"{\"a\": 1}\n{\"a\": 2}\n")), "JSON + gzip");
        assert_eq!(shown(b"[\n  {\"a\": 1"), "JSON");
        for text in ["[mysqld]\nport = 1\n", "[2024-01-15 02:00:00] INFO: done\n", "[INFO] x\n", "{{ template }}\n"] {
            assert_eq!(shown(text.as_bytes()), "text", "{text}");
        }
        assert_eq!(shown(b"a,b,c\n1,2,3\n"), "CSV");
        assert_eq!(shown(b"hello\n"), "text");
        assert_eq!(shown(b"\x1b[2Jhello\n"), "unknown");
        assert_eq!(shown(&[0xfd, b'7', b'z', b'X', b'Z', 0, 1]), "unknown + xz");
        let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bz.write_all(b"PGDMP\x01\x0e\x00").unwrap();
        assert_eq!(shown(&bz.finish().unwrap()), "custom dump + bzip2");
        let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default()).unwrap();
        xz.write_all(&tar()).unwrap();
        assert_eq!(shown(&xz.finish().unwrap()), "tar + xz");
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(b"REDIS0011\xfa\x09redis-ver").unwrap();
        assert_eq!(shown(&lz4.finish().unwrap()), "RDB + lz4");
        assert_eq!(shown(&gzip(b"")), "empty + gzip");
    }

    #[test]
    fn sealed_messages_are_known_by_their_first_packet() {
        for head in
            [&[0x8c, 0x0d, 4, 9, 3, 8][..], &[0x85, 1, 0x0c, 3], &[0xc3, 0x0d, 4, 9], b"-----BEGIN PGP MESSAGE-----\n"]
        {
            assert_eq!(sniff(head).form, Form::OpenPgp, "{head:x?}");
            assert_eq!(sealed(head), Some(true));
        }
        assert_eq!(sealed(b"Salted__abc"), Some(true));
        for head in [&b"age-encryption.org/v1\n-> X25519 "[..], b"-----BEGIN AGE ENCRYPTED FILE-----\n"] {
            assert_eq!((sniff(head).form, sealed(head)), (Form::Age, Some(true)));
        }
        assert_eq!(sealed(&gzip(&tar())), Some(false));
        assert_eq!(sealed(&[0x00, 0x01, 0x02]), None);
        // A compressed or signed message that needs no key is no sealed one.
        assert_ne!(sniff(&[0xa3, 1, 0x78]).form, Form::OpenPgp);
    }

    #[test]
    fn a_cut_off_head_still_tells_and_a_bomb_does_not_grow() {
        let whole = gzip(&tar());
        assert_eq!(shown(&whole[..whole.len() - 12]), "tar + gzip");
        let bomb = gzip(&vec![b'a'; 50 << 20]);
        assert_eq!(shown(&bomb[..bomb.len().min(HEAD)]), "text + gzip");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_can_break_it(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..700), start in 0_usize..9) {
            let magic: [&[u8]; 9] =
                [b"", &[0x1f, 0x8b, 8], &[0x28, 0xb5, 0x2f, 0xfd], b"PGDMP", b"REDIS", b"*", &[0xc3], b"{", &[0x16, 0xd1]];
            let mut head = magic[start].to_vec();
            head.extend(bytes);
            let _ = sniff(&head);
            let _ = sealed(&head);
        }
    }
}
