//! One entry as bytes.

use crate::event::Event;
use crate::event::wire;
use sha2::{Digest, Sha256};

/// The hash before the first entry.
pub const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const BEFORE_HASH: &[u8] = b"{\"hash\":\"";
const BEFORE_BODY: &[u8] = b"\",\"body\":";
const HASH_AT: usize = BEFORE_HASH.len();
const BODY_AT: usize = HASH_AT + ZERO.len() + BEFORE_BODY.len();

pub fn chained(previous: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(body);
    hex::encode(hash.finalize())
}

/// The line with its line feed, and its hash.
pub fn encode(previous: &str, event: &Event) -> Result<(Vec<u8>, String), serde_json::Error> {
    let body = wire::encode(event)?;
    let hash = chained(previous, &body);
    let mut line = Vec::with_capacity(BODY_AT + body.len() + 2);
    line.extend_from_slice(BEFORE_HASH);
    line.extend_from_slice(hash.as_bytes());
    line.extend_from_slice(BEFORE_BODY);
    line.extend_from_slice(&body);
    line.extend_from_slice(b"}\n");
    Ok((line, hash))
}

/// Hash and body of a line without its line feed, by position alone.
pub fn split(line: &[u8]) -> Option<(&str, &[u8])> {
    let hash = line.get(HASH_AT..HASH_AT + ZERO.len())?;
    let shaped = line.starts_with(BEFORE_HASH)
        && line.get(HASH_AT + ZERO.len()..BODY_AT)? == BEFORE_BODY
        && line.ends_with(b"}")
        && hash.iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b));
    let body = line.get(BODY_AT..line.len() - 1)?;
    if shaped { Some((std::str::from_utf8(hash).ok()?, body)) } else { None }
}
