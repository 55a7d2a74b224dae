//! A journal's bytes, checked line by line.

use super::line;
use crate::event::{Event, wire};
use std::fmt;

/// One thing that is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Line of `journal.jsonl`, from 1; 0 for the head.
    pub line: u64,
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

#[derive(Debug)]
pub struct Head {
    pub seq: u64,
    pub hash: String,
}

/// Length of the head's one line.
pub const HEAD_LENGTH: usize = 20 + 1 + 64 + 1;

impl Head {
    pub fn encode(seq: u64, hash: &str) -> String {
        format!("{seq:020} {hash}\n")
    }

    pub fn decode(text: &str) -> Option<Self> {
        let (seq, hash) = text.trim_end_matches('\n').split_once(' ')?;
        (hash.len() == line::ZERO.len()).then_some(())?;
        Some(Self { seq: seq.parse().ok()?, hash: hash.to_owned() })
    }
}

#[derive(Debug, Default)]
pub struct Scan {
    pub events: Vec<Event>,
    /// Stated hash of the last good line.
    pub hash: String,
    /// Bytes up to the end of the last good line.
    pub good: usize,
    /// Something follows that was never acknowledged: what a crash left of a line.
    pub torn: bool,
    pub damage: Vec<Damage>,
}

pub fn scan(bytes: &[u8], head: Option<&Head>) -> Scan {
    let mut scan = Scan { hash: line::ZERO.to_owned(), ..Scan::default() };
    let mut head_met = false;
    // Line and entry run apart after damage: each seam is told once, not every line behind it.
    let (mut number, mut expected, mut at) = (0_u64, 1_u64, 0);
    while at < bytes.len() {
        number += 1;
        let rest = &bytes[at..];
        let Some(length) = memchr::memchr(b'\n', rest) else {
            scan.torn = true;
            break;
        };
        let is_last = at + length + 1 == bytes.len();
        let found = check(&rest[..length], &scan, expected);
        if is_last && found.is_err() && head.is_some_and(|head| head.seq < expected) {
            scan.torn = true;
            break;
        }
        let (event, hash) = match found {
            Ok(found) => found,
            Err(bad) => {
                let Bad { what, stated, event } = *bad;
                scan.damage.push(Damage { line: number, what });
                (event, stated.unwrap_or_else(|| scan.hash.clone()))
            }
        };
        let entry = event.as_ref().map_or(expected, |event| event.seq);
        if let Some(head) = head.filter(|head| head.seq == entry) {
            head_met = true;
            if head.hash != hash {
                let what = "its hash is not the one that the head names: it, or a line before it, was written anew";
                scan.damage.push(Damage { line: number, what: what.to_owned() });
            }
        }
        scan.hash = hash;
        scan.events.extend(event);
        expected = entry.saturating_add(1);
        at += length + 1;
        scan.good = at;
    }
    match head {
        None if scan.good == 0 => {}
        None => scan
            .damage
            .push(Damage { line: 0, what: "the head is missing or unreadable: the end cannot be checked".to_owned() }),
        Some(head) if head.seq >= expected => {
            let (last, named) = (expected - 1, head.seq);
            let what =
                format!("the journal ends after entry {last}, and its head names entry {named}: the tail was cut off");
            scan.damage.push(Damage { line: 0, what });
        }
        Some(head) if !head_met && head.seq > 0 => {
            scan.damage
                .push(Damage { line: 0, what: format!("the entry {} that the head names is not there", head.seq) });
        }
        Some(_) => {}
    }
    scan
}

struct Bad {
    what: String,
    stated: Option<String>,
    event: Option<Event>,
}

fn check(line: &[u8], so_far: &Scan, number: u64) -> Result<(Option<Event>, String), Box<Bad>> {
    let bad = |what: String, stated: Option<&str>, event: Option<Event>| {
        Box::new(Bad { what, stated: stated.map(str::to_owned), event })
    };
    let Some((stated, body)) = line::split(line) else {
        return Err(bad("it is not a journal entry: it was altered".to_owned(), None, None));
    };
    let event = match wire::decode(body) {
        Ok(event) => event,
        Err(why) => return Err(bad(format!("its event cannot be read: {why}"), Some(stated), None)),
    };
    let holds = line::chained(&so_far.hash, body) == stated;
    if event.seq != number {
        let what = if holds {
            format!("it holds entry {} where entry {number} belongs", event.seq)
        } else {
            format!(
                "it holds entry {} where entry {number} belongs: lines were removed, added or re-ordered",
                event.seq
            )
        };
        return Err(bad(what, Some(stated), Some(event)));
    }
    if !holds {
        let what = "it does not match its hash: it was altered, or the line before it was written anew";
        return Err(bad(what.to_owned(), Some(stated), Some(event)));
    }
    Ok((Some(event), stated.to_owned()))
}
