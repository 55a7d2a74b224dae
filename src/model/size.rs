//! Byte counts, in the decimal units that object stores and disks are sold in.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteCount(pub u64);

const UNITS: [(&str, u64); 9] = [
    ("TIB", 1 << 40),
    ("GIB", 1 << 30),
    ("MIB", 1 << 20),
    ("KIB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            n if n < 1_000 => return f.pad(&format!("{n} B")),
            n if n < 1_000_000 => (n as f64 / 1e3, "kB"),
            n if n < 1_000_000_000 => (n as f64 / 1e6, "MB"),
            n if n < 1_000_000_000_000 => (n as f64 / 1e9, "GB"),
            n => (n as f64 / 1e12, "TB"),
        };
        let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
        f.pad(&format!("{value:.digits$} {unit}"))
    }
}

/// A text that is not a size such as `16 MiB`, `1GB` or `512`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a size; write for example 512MB, 16MiB or 1.5GB")]
pub struct NotASize(String);

impl FromStr for ByteCount {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let fail = || NotASize(text.to_owned());
        let upper = text.trim().to_ascii_uppercase();
        let (number, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| upper.strip_suffix(unit).map(|n| (n.trim_end(), *factor)))
            .unwrap_or((upper.as_str(), 1));
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(fail);
        }
        let value: f64 = number.parse().map_err(|_| fail())?;
        let bytes = value * factor as f64;
        if bytes.is_finite() && bytes >= 0.0 && bytes < u64::MAX as f64 { Ok(Self(bytes as u64)) } else { Err(fail()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!("16MiB".parse(), Ok(ByteCount(16 << 20)));
        assert_eq!("1.5 GB".parse(), Ok(ByteCount(1_500_000_000)));
        assert_eq!("512".parse(), Ok(ByteCount(512)));
        assert!("-1GB".parse::<ByteCount>().is_err());
        assert!("99999999999TB".parse::<ByteCount>().is_err());
        assert_eq!(ByteCount(1_234_567).to_string(), "1.23 MB");
        assert_eq!(ByteCount(999).to_string(), "999 B");
    }
}
