//! JSON documents: well-formed to the last byte.

use crate::proof::fault::Fault;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::Read;

/// Members of the outermost object or array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    pub members: u64,
    pub is_object: bool,
}

pub fn read(reader: impl Read) -> Result<Document, Fault> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    Outermost.deserialize(&mut json).and_then(|document| json.end().map(|()| document)).map_err(fault)
}

fn fault(error: serde_json::Error) -> Fault {
    if error.is_io() {
        return Fault::from_io(&error.into(), "the JSON text", None);
    }
    let place = format!("line {}, column {}", error.line(), error.column());
    if error.is_eof() {
        return Fault::bad(format!("the JSON text ends too early, at {place}"));
    }
    Fault::bad(format!("not well-formed JSON at {place}"))
}

struct Outermost;

impl<'de> DeserializeSeed<'de> for Outermost {
    type Value = Document;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Outermost {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut members = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            members += 1;
        }
        Ok(Document { members, is_object: true })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
        let mut members = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            members += 1;
        }
        Ok(Document { members, is_object: false })
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
}
