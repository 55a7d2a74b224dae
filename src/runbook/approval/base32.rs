//! Crockford's base32: no letters that look alike, any case, dashes anywhere.

use super::request::CodeError;
use sha2::{Digest, Sha256};

const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters between two dashes.
const GROUP: usize = 4;
/// Check characters at the end.
const CHECK: usize = 2;

pub fn encode(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(LETTERS[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(LETTERS[(held << (5 - bits)) as usize & 31]));
    }
    text
}

/// Every character that belongs to the code, in its one spelling.
pub fn plain(text: &str) -> Result<String, CodeError> {
    let letter = |c: char| match c.to_ascii_uppercase() {
        'O' => Ok('0'),
        'I' | 'L' => Ok('1'),
        c if LETTERS.contains(&(c as u8)) && c.is_ascii() => Ok(c),
        _ => Err(CodeError::Letter),
    };
    text.chars().filter(|c| *c != '-' && !c.is_whitespace()).map(letter).collect()
}

pub fn decode(text: &str) -> Result<Vec<u8>, CodeError> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in plain(text)?.bytes() {
        let value = LETTERS.iter().position(|letter| *letter == c).ok_or(CodeError::Letter)?;
        held = (held << 5) | value as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
        held &= (1 << bits) - 1;
    }
    // What is left over is filling, and filling is nothing.
    if bits >= 5 || held != 0 { Err(CodeError::Length) } else { Ok(bytes) }
}

fn check(bytes: &[u8]) -> String {
    encode(&Sha256::digest([b"relight code ", bytes].concat())[..2]).chars().take(CHECK).collect()
}

/// Code with its check characters, in groups.
pub fn checked(bytes: &[u8]) -> String {
    let text: Vec<char> = (encode(bytes) + &check(bytes)).chars().collect();
    text.chunks(GROUP).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// The bytes of a code that has its check characters and this length.
pub fn unchecked(text: &str, length: usize) -> Result<Vec<u8>, CodeError> {
    let text = plain(text)?;
    if text.len() != (length * 8).div_ceil(5) + CHECK {
        return Err(CodeError::Length);
    }
    let (code, ends) = text.split_at(text.len() - CHECK);
    let bytes = decode(code)?;
    if check(&bytes) == ends { Ok(bytes) } else { Err(CodeError::Check) }
}
