//! JSON: one document, or several one after another (JSON Lines), each well-formed to the last byte.

use crate::proof::fault::Fault;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Documents {
    pub count: u64,
    /// Members of the outermost object or array of the first.
    pub members: u64,
    pub is_object: bool,
    /// Whether each stands on a line of its own.
    pub by_line: bool,
}

pub fn read(reader: impl BufRead) -> Result<Documents, Fault> {
    let filled = Cell::new(0);
    let lines = Lines { inner: reader, filled: &filled, ink: false };
    let mut documents = serde_json::Deserializer::from_reader(lines).into_iter::<Outermost>();
    let first =
        documents.next().ok_or_else(|| Fault::bad("the JSON text ends before it begins"))?.map_err(|e| fault(e, 0))?;
    let mut count = 1;
    for document in documents {
        document.map_err(|e| fault(e, count))?;
        count += 1;
    }
    let is_object = matches!(first, Outermost::Object(_));
    let (Outermost::Object(members) | Outermost::Array(members)) = first else {
        return Err(Fault::bad("not well-formed JSON: its first value is no object and no array"));
    };
    Ok(Documents { count, members, is_object, by_line: filled.get() == count })
}

fn fault(error: serde_json::Error, whole_before: u64) -> Fault {
    if error.is_io() {
        return Fault::from_io(&error.into(), "the JSON text", None);
    }
    let mut place = format!("line {}, column {}", error.line(), error.column());
    if whole_before > 0 {
        place.push_str(&format!(", in document {}", whole_before + 1));
    }
    if error.is_eof() {
        return Fault::bad(format!("the JSON text ends too early, at {place}"));
    }
    Fault::bad(format!("not well-formed JSON at {place}"))
}

/// Counts the lines that are not blank as they pass by.
struct Lines<'c, R> {
    inner: R,
    filled: &'c Cell<u64>,
    /// Something stood on this line already.
    ink: bool,
}

impl<R: BufRead> Read for Lines<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        for byte in &out[..n] {
            if *byte == b'\n' {
                self.ink = false;
            } else if !self.ink && !byte.is_ascii_whitespace() {
                self.ink = true;
                self.filled.set(self.filled.get() + 1);
            }
        }
        Ok(n)
    }
}

enum Outermost {
    Object(u64),
    Array(u64),
    /// A line of JSON Lines may be any value.
    Other,
}

impl<'de> Deserialize<'de> for Outermost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Outside)
    }
}

struct Outside;

impl<'de> Visitor<'de> for Outside {
    type Value = Outermost;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outermost, A::Error> {
        let mut members = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            members += 1;
        }
        Ok(Outermost::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Outermost, A::Error> {
        let mut members = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            members += 1;
        }
        Ok(Outermost::Array(members))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outermost, E> {
        Ok(Outermost::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outermost, E> {
        Ok(Outermost::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outermost, E> {
        Ok(Outermost::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outermost, E> {
        Ok(Outermost::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Outermost, E> {
        Ok(Outermost::Other)
    }

    fn visit_unit<E>(self) -> Result<Outermost, E> {
        Ok(Outermost::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_checked_to_their_end() {
        assert_eq!(read(br#"{"a": [1, {"b": 2}], "c": null}"#.as_slice()).unwrap().members, 2);
        assert_eq!(read(b"[1, 2, 3]\n".as_slice()).unwrap().members, 3);
        for bad in [r#"{"a": 1"#, r#"{"a": 1}}"#, r#"{"a" 1}"#, ""] {
            assert!(read(bad.as_bytes()).unwrap_err().is_verdict(), "{bad}");
        }
    }

    #[test]
    fn documents_may_follow_one_another() {
        for (text, count, by_line) in [
            ("{\"a\": 1}\n{\"a\": 2}\n", 2, true),
            ("{\"a\": 1}\r\n\r\n[2]\n5\n\"x\"\nnull\ntrue\n-1.5", 7, true),
            ("{}", 1, true),
            ("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n", 2, false),
            ("[]\n[\n 1\n]\n", 2, false),
        ] {
            let found = read(text.as_bytes()).unwrap();
            assert_eq!((found.count, found.by_line), (count, by_line), "{text:?}");
        }
    }

    #[test]
    fn a_damaged_line_is_found_at_its_place() {
        let lines = |third: &str| format!("{{\"id\": 1}}\n{{\"id\": 2}}\n{third}\n{{\"id\": 4}}\n");
        for (third, place) in [("{\"id\": ", "document 3"), ("{\"id\" 3}", "line 3"), ("{\"id\": \"x", "document 3")] {
            let fault = read(lines(third).as_bytes()).unwrap_err();
            assert!(fault.is_verdict() && fault.to_string().contains(place), "{fault}");
        }
        let cut = read(&b"{\"id\": 1}\n{\"id\": 2}\n{\"i"[..]).unwrap_err();
        assert!(cut.to_string().contains("ends too early, at line 3, column 3, in document 3"), "{cut}");
    }
}
