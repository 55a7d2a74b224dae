//! Instants are UTC; zones appear only where a name is read or a screen is drawn.

use chrono::{DateTime, NaiveDateTime, Utc};

/// An instant in UTC.
pub type Timestamp = DateTime<Utc>;

/// Where "now" comes from. Decisions receive instants; only edges hold a clock.
pub trait Clock: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;
}

/// A clock that always gives the same instant: tests, screenshots, replays.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// An instant as people write it, with its zone: `2026-11-21 14:30:00+01:00`, `… UTC`, RFC 3339.
pub fn zoned(text: &str) -> Option<Timestamp> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Some(bare) = ["UTC", "GMT", "Z"].iter().find_map(|zone| text.strip_suffix(zone)) {
        return Some(local(bare.trim_end())?.and_utc());
    }
    let forms = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z", "%Y-%m-%d %H:%M%#z", "%Y-%m-%d %H:%M %#z"];
    forms.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()).map(|at| at.to_utc())
}

/// The same without a zone, which says nothing yet.
pub fn local(text: &str) -> Option<NaiveDateTime> {
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
}

/// `2h 05m`, `3d 4h`, `45s`: two units at most, never rounded up.
pub fn short_duration(span: chrono::Duration) -> String {
    let seconds = span.num_seconds().unsigned_abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, m) => format!("{m}m {:02}s", seconds % 60),
        (0, h, m) => format!("{h}h {m:02}m"),
        (d, h, _) => format!("{d}d {h}h"),
    }
}

/// The time stamp that generated names carry: `20261121_021500`, UTC.
pub fn name_stamp(at: Timestamp) -> String {
    at.format("%Y%m%d_%H%M%S").to_string()
}
