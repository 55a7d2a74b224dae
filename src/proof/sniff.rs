//! One look at the first bytes of a layer: which compression or which form it is.

use crate::model::content::{Content, Form, Wrapping};
use std::io::Read;

/// Bytes that are enough to recognise any layer.
pub const HEAD: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Wrapping(Wrapping),
    Form(Form),
}

const MAGICS: &[(&[u8], Layer)] = &[
    (b"\x1f\x8b", Layer::Wrapping(Wrapping::Gzip)),
    (b"\x28\xb5\x2f\xfd", Layer::Wrapping(Wrapping::Zstd)),
    (b"BZh", Layer::Wrapping(Wrapping::Bzip2)),
    (b"\xfd7zXZ\0", Layer::Wrapping(Wrapping::Xz)),
    (b"\x04\x22\x4d\x18", Layer::Wrapping(Wrapping::Lz4)),
    (b"PGDMP", Layer::Form(Form::PgCustom)),
    (b"REDIS", Layer::Form(Form::Rdb)),
    (b"-----BEGIN PGP MESSAGE", Layer::Form(Form::OpenPgp)),
];

/// What a layer is, from its first bytes ([`HEAD`] of them, or all where there are fewer).
pub fn layer(head: &[u8]) -> Layer {
    if head.is_empty() {
        return Layer::Form(Form::Empty);
    }
    if let Some((_, found)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *found;
    }
    Layer::Form(form(head))
}

fn form(head: &[u8]) -> Form {
    if is_tar(head) {
        return Form::Tar;
    }
    if is_wal(head) {
        return Form::WalSegment;
    }
    if is_openpgp(head) {
        return Form::OpenPgp;
    }
    let Some(text) = text_of(head) else { return Form::Unknown };
    if is_sql_dump(text) {
        return Form::PlainSql;
    }
    if is_aof(text) {
        return Form::Aof;
    }
    match text.trim_start().chars().next() {
        Some('{' | '[') => Form::Json,
        _ if is_csv(text) => Form::Csv,
        _ => Form::Text,
    }
}

/// A ustar or GNU mark, or for older archives a header whose checksum is right.
fn is_tar(head: &[u8]) -> bool {
    head.len() >= 512
        && (&head[257..262] == b"ustar" || (head[0] != 0 && super::forms::tar::checksum_holds(&head[..512])))
}

/// `xlp_magic` of PostgreSQL 9 to 18 with the long-header flag, page address on a segment boundary.
fn is_wal(head: &[u8]) -> bool {
    head.len() >= 40 && (0xd0..=0xd2).contains(&head[1]) && head[2] & 0x02 != 0 && head[3] == 0 && {
        let size = u32::from_le_bytes([head[32], head[33], head[34], head[35]]);
        size.is_power_of_two() && (1 << 20..=1 << 30).contains(&size)
    }
}

/// First packet of an encrypted message: a session key (1, 3) or the sealed data itself (9, 18, 20), with
/// the version byte that such a packet starts with.
fn is_openpgp(head: &[u8]) -> bool {
    let (tag, body) = match head {
        [first, rest @ ..] if first & 0xc0 == 0xc0 => (first & 0x3f, rest.get(new_length_bytes(rest)..)),
        [first, rest @ ..] if first & 0xc0 == 0x80 => {
            (first >> 2 & 0x0f, rest.get([1, 2, 4, 0][usize::from(first & 3)]..))
        }
        _ => return false,
    };
    match (tag, body.and_then(|b| b.first())) {
        (1, Some(version)) => matches!(version, 3 | 6),
        (3, Some(version)) => matches!(version, 4..=6),
        (18, Some(version)) => matches!(version, 1 | 2),
        (20, Some(version)) => *version == 1,
        _ => false,
    }
}

fn new_length_bytes(rest: &[u8]) -> usize {
    match rest.first() {
        Some(192..=223) => 2,
        Some(255) => 5,
        _ => 1,
    }
}

/// The head as text; a character cut off at its end does not count against it.
fn text_of(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() && head.len() >= 4 => std::str::from_utf8(&head[..e.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}');
    (!text.is_empty() && !text.contains(control)).then_some(text)
}

fn is_sql_dump(text: &str) -> bool {
    text.lines().take(40).any(|line| {
        line.starts_with("-- PostgreSQL database dump") || line.starts_with("-- PostgreSQL database cluster dump")
    })
}

fn is_aof(text: &str) -> bool {
    text.strip_prefix('*').and_then(|rest| rest.split_once("\r\n")).is_some_and(|(count, rest)| {
        !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()) && rest.starts_with('$')
    })
}

fn is_csv(text: &str) -> bool {
    let commas = |line: &str| line.matches(',').count();
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(first), Some(second)) => commas(first) > 0 && commas(first) == commas(second),
        (Some(only), None) => commas(only) > 1,
        _ => false,
    }
}

/// What the beginning of an object tells about all its layers: compressions that can be opened are opened
/// as far as `head` reaches. A layer inside one that cannot be opened is [`Form::Unknown`].
pub fn content(head: &[u8]) -> Content {
    let mut wrapped = Vec::new();
    let mut bytes = head.to_vec();
    while wrapped.len() < super::layers::DEEPEST {
        let wrapping = match layer(&bytes[..bytes.len().min(HEAD)]) {
            Layer::Form(form) => return Content { wrapped, form },
            Layer::Wrapping(wrapping) => wrapping,
        };
        wrapped.push(wrapping);
        let inside = match wrapping {
            Wrapping::Gzip => beginning(flate2::bufread::GzDecoder::new(bytes.as_slice())),
            Wrapping::Zstd => match zstd::stream::read::Decoder::with_buffer(bytes.as_slice()) {
                Ok(decoder) => beginning(decoder),
                Err(_) => Vec::new(),
            },
            Wrapping::Bzip2 | Wrapping::Xz | Wrapping::Lz4 => Vec::new(),
        };
        if inside.is_empty() {
            break;
        }
        bytes = inside;
    }
    Content { wrapped, form: Form::Unknown }
}

/// As many bytes as come out before the cut-off input ends, bounded.
fn beginning(mut decoder: impl Read) -> Vec<u8> {
    let mut out = vec![0; 16 * HEAD];
    let mut filled = 0;
    while filled < out.len() {
        match decoder.read(&mut out[filled..]) {
            Ok(0) | Err(_) => break,
            Ok(n) => filled += n,
        }
    }
    out.truncate(filled);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn forms_are_told_by_their_bytes() {
        let form = |head: &[u8]| content(head).form;
        assert_eq!(form(b""), Form::Empty);
        assert_eq!(form(b"PGDMP\x01\x0e\x00\x04\x08\x01"), Form::PgCustom);
        assert_eq!(form(b"--\n-- PostgreSQL database dump\n--\n\n"), Form::PlainSql);
        assert_eq!(form(b"REDIS0011\xfa"), Form::Rdb);
        assert_eq!(form(b"{\"a\": 1}"), Form::Json);
        assert_eq!(form(b"id,name\n1,x\n"), Form::Csv);
        assert_eq!(form(b"just words\n"), Form::Text);
        assert_eq!(form(b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"), Form::Aof);
        assert_eq!(form(b"\x00\x01\x02\x03binary"), Form::Unknown);
        assert_eq!(form(&[0x85, 0x01, 0x0c, 0x03, 1, 2, 3]), Form::OpenPgp);
    }

    #[test]
    fn compressions_are_opened_as_far_as_the_head_reaches() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(b"PGDMP\x01\x0e\x00").unwrap();
        gz.write_all(&[7; 100_000]).unwrap();
        let gz = gz.finish().unwrap();
        let found = content(&gz[..gz.len() / 2]);
        assert_eq!((found.wrapped.as_slice(), found.form), ([Wrapping::Gzip].as_slice(), Form::PgCustom));
        let twice = zstd::encode_all(gz.as_slice(), 1).unwrap();
        assert_eq!(content(&twice).wrapped, [Wrapping::Zstd, Wrapping::Gzip]);
        assert_eq!(content(b"\xfd7zXZ\0rest"), Content { wrapped: vec![Wrapping::Xz], form: Form::Unknown });
    }
}
