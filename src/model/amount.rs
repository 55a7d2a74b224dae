//! How much a step touches: objects and bytes, each where someone counts or limits it.

use super::size::ByteCount;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a step's work would touch, or the most that it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Files, folders, keys, rows: the module says what it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What a task module can count of its work before that begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub objects: bool,
    pub bytes: bool,
}

impl Counts {
    pub const BOTH: Self = Self { objects: true, bytes: true };
}

impl Amount {
    /// What of it lies above `limit`, in words; empty where it keeps to it.
    pub fn over(&self, limit: &Self) -> Vec<String> {
        let mut over = Vec::new();
        if let (Some(found), Some(most)) = (self.objects, limit.objects)
            && found > most
        {
            over.push(format!("{}, and at most {most} may be", objects(found)));
        }
        if let (Some(found), Some(most)) = (self.bytes, limit.bytes)
            && found > most
        {
            let (found, most) = (bytes(found), bytes(most));
            over.push(format!("{found}, and at most {most} may be"));
        }
        over
    }

    /// It, with those figures of `other` that are there in place of its own.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { objects: other.objects.or(self.objects), bytes: other.bytes.or(self.bytes) }
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_none() && self.bytes.is_none()
    }
}

fn objects(count: u64) -> String {
    format!("{count} {}", if count == 1 { "object" } else { "objects" })
}

/// Rounded for the eye, and exact: a limit may be missed by one byte.
fn bytes(count: u64) -> String {
    if count < 1_000 { ByteCount(count).to_string() } else { format!("{} ({count} bytes)", ByteCount(count)) }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.objects.map(objects), self.bytes.map(|count| ByteCount(count).to_string())];
        f.pad(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// A text that is not an amount such as `2000objects`, `30GiB` or both with a comma between.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an amount; write for example 2000objects, 30GiB, or 2000objects,30GiB")]
pub struct NotAnAmount(String);

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let fail = || NotAnAmount(text.to_owned());
        let mut amount = Self::default();
        for part in text.split(',').map(str::trim) {
            let number = part.strip_suffix("objects").or_else(|| part.strip_suffix("object"));
            let place = if number.is_some() { &mut amount.objects } else { &mut amount.bytes };
            let count = match number {
                Some(number) => number.trim_end().parse().map_err(|_| fail())?,
                // A number alone could be either.
                None if part.ends_with(|c: char| c.is_ascii_alphabetic()) => {
                    part.parse::<ByteCount>().map_err(|_| fail())?.0
                }
                None => return Err(fail()),
            };
            if count == 0 || place.replace(count).is_some() {
                return Err(fail());
            }
        }
        Ok(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_compared() {
        let both = Amount { objects: Some(2000), bytes: Some(30 << 30) };
        assert_eq!("2000objects, 30 GiB".parse(), Ok(both));
        assert_eq!("1 object".parse(), Ok(Amount { objects: Some(1), bytes: None }));
        for wrong in ["", "2000", "objects", "0objects", "1GB,2GB", "-1objects", "1objects;2GB"] {
            assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
        }
        let found = Amount { objects: Some(2000), bytes: Some((30 << 30) + 1) };
        assert_eq!(found.over(&both).len(), 1);
        assert!(found.over(&both)[0].contains("32212254721 bytes"), "{:?}", found.over(&both));
        assert!(found.over(&Amount { objects: Some(2000), bytes: None }).is_empty());
        assert_eq!(both.to_string(), "2000 objects, 32.2 GB");
    }
}
