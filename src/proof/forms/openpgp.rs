//! OpenPGP messages: the framing of their packets. What is sealed inside stays unread.

use crate::proof::fault::Fault;
use std::io::{BufRead, Read};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    pub packets: u64,
    /// Session keys: how many keys or passwords can open it.
    pub recipients: u64,
    pub sealed_bytes: u64,
    /// Text armour around the packets, which is not opened here.
    pub armored: bool,
}

/// Reads a message to its last byte and checks that its packets fill it exactly.
pub fn read(mut reader: impl BufRead) -> Result<Sealed, Fault> {
    let ahead = reader.fill_buf().map_err(|e| Fault::from_io(&e, "the message", Some(0)))?;
    if ahead.starts_with(b"-----BEGIN") {
        return armored(reader);
    }
    let mut frames = Frames { reader, at: 0 };
    let mut found = Sealed::default();
    let mut sealed = false;
    while let Some((tag, length)) = frames.packet()? {
        found.packets += 1;
        let bytes = frames.body(length)?;
        match tag {
            1 | 3 => found.recipients += 1,
            9 | 18 | 20 => {
                found.sealed_bytes += bytes;
                sealed = true;
            }
            _ => {}
        }
    }
    if sealed { Ok(found) } else { Err(Fault::bad_at("the message ends before its sealed data", frames.at)) }
}

/// Why a passphrase of the message at the beginning of `head` could be guessed sooner than it should.
pub fn weakness(head: &[u8]) -> Option<String> {
    const FEWEST: u64 = 65_536;
    let mut frames = Frames { reader: head, at: 0 };
    let (tag, _) = frames.packet().ok().flatten()?;
    let from = usize::try_from(frames.at).ok()?;
    let &[version, cipher, stretching, hash, ref rest @ ..] = head.get(from..)? else { return None };
    if tag != 3 || version != 4 {
        return None;
    }
    let why = match (cipher, stretching, hash) {
        (0..=4, ..) => "its cipher is one with short blocks".to_owned(),
        (_, 0 | 1, _) => "its passphrase is hashed only once".to_owned(),
        (_, _, 1) => "its passphrase is hashed with MD5".to_owned(),
        (_, 3, _) => {
            let count = u64::from(*rest.get(8)?);
            let count = (16 + (count & 15)) << ((count >> 4) + 6);
            (count < FEWEST).then(|| format!("its passphrase is hashed over {count} bytes only"))?
        }
        _ => return None,
    };
    Some(format!("it is weakly protected: {why}; encrypt new backups anew"))
}

fn armored(reader: impl BufRead) -> Result<Sealed, Fault> {
    let mut found = Sealed { armored: true, ..Sealed::default() };
    let mut tail: Vec<u8> = Vec::new();
    let mut reader = reader;
    loop {
        let piece =
            reader.fill_buf().map_err(|e| Fault::from_io(&e, "the armoured message", Some(found.sealed_bytes)))?;
        if piece.is_empty() {
            break;
        }
        tail.extend_from_slice(&piece[piece.len().saturating_sub(128)..]);
        tail.drain(..tail.len().saturating_sub(128));
        let n = piece.len();
        found.sealed_bytes += n as u64;
        reader.consume(n);
    }
    if tail.trim_ascii().ends_with(b"-----END PGP MESSAGE-----") {
        Ok(found)
    } else {
        Err(Fault::bad_at("the armoured message ends without its END line", found.sealed_bytes))
    }
}

enum Length {
    Exact(u64),
    /// A first part of this length; more lengths follow.
    Partial(u64),
    /// To the end of the file (old format only).
    Rest,
}

struct Frames<R> {
    reader: R,
    at: u64,
}

const DOING: &str = "a packet of the message";

impl<R: BufRead> Frames<R> {
    fn packet(&mut self) -> Result<Option<(u8, Length)>, Fault> {
        let start = self.at;
        let ahead = self.reader.fill_buf().map_err(|e| Fault::from_io(&e, DOING, Some(start)))?;
        if ahead.is_empty() {
            return Ok(None);
        }
        let first = self.byte()?;
        if first & 0x80 == 0 {
            return Err(Fault::bad_at("no packet begins where one must", start));
        }
        if first & 0x40 != 0 {
            return Ok(Some((first & 0x3f, self.new_length()?)));
        }
        let length = match first & 3 {
            0 => Length::Exact(self.number(1)?),
            1 => Length::Exact(self.number(2)?),
            2 => Length::Exact(self.number(4)?),
            _ => Length::Rest,
        };
        Ok(Some((first >> 2 & 0x0f, length)))
    }

    fn new_length(&mut self) -> Result<Length, Fault> {
        let first = u64::from(self.byte()?);
        Ok(match first {
            0..=191 => Length::Exact(first),
            192..=223 => Length::Exact((first - 192) * 256 + u64::from(self.byte()?) + 192),
            224..=254 => Length::Partial(1 << (first & 0x1f)),
            _ => Length::Exact(self.number(4)?),
        })
    }

    fn body(&mut self, mut length: Length) -> Result<u64, Fault> {
        let mut sum = 0;
        loop {
            match length {
                Length::Exact(n) => return Ok(sum + self.skip(n, true)?),
                Length::Rest => return Ok(sum + self.skip(u64::MAX, false)?),
                Length::Partial(n) => sum += self.skip(n, true)?,
            }
            length = self.new_length()?;
        }
    }

    fn skip(&mut self, length: u64, whole: bool) -> Result<u64, Fault> {
        let skipped = std::io::copy(&mut self.reader.by_ref().take(length), &mut std::io::sink())
            .map_err(|e| Fault::from_io(&e, DOING, Some(self.at)))?;
        self.at += skipped;
        if whole && skipped < length {
            let text = format!("the message ends {} bytes before the end of a packet", length - skipped);
            return Err(Fault::bad_at(text, self.at));
        }
        Ok(skipped)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.number(1)? as u8)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        let mut buffer = [0; 8];
        self.reader
            .read_exact(&mut buffer[..bytes])
            .map_err(|e| Fault::from_io(&e, "the length of a packet", Some(self.at)))?;
        self.at += bytes as u64;
        Ok(buffer[..bytes].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_protection_is_told() {
        let message = |cipher, stretching, hash, count| {
            let mut bytes = vec![0x8c, 13, 4, cipher, stretching, hash];
            bytes.extend([7; 8]);
            bytes.push(count);
            bytes
        };
        assert_eq!(weakness(&message(9, 3, 10, 255)), None);
        for (weak, word) in [
            (message(3, 3, 10, 255), "short blocks"),
            (message(9, 1, 10, 255), "only once"),
            (message(9, 3, 1, 255), "MD5"),
            (message(9, 3, 8, 0), "1024 bytes only"),
        ] {
            assert!(weakness(&weak).unwrap().contains(word));
        }
    }

    #[test]
    fn packets_fill_a_message_exactly() {
        // A public-key session key (old format), then sealed data in partial lengths of 512 and 3 bytes.
        let mut message = vec![0x84, 5, 3, 1, 2, 3, 4];
        message.extend([0xd2, 0xe9]);
        message.extend([1; 512]);
        message.extend([3, 9, 9, 9]);
        let found = read(message.as_slice()).unwrap();
        assert_eq!((found.packets, found.recipients, found.sealed_bytes), (2, 1, 515));
        for cut in 1..message.len() {
            assert!(read(&message[..cut]).is_err(), "cut at {cut}");
        }
    }
}
