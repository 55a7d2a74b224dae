//! Where recovery is to stop, as an operator writes it: an instant with its zone, a position, a transaction, a name.

use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::model::time::{Timestamp, local, zoned};
use crate::tasks::pg::pair::look::Lsn;
use chrono::{NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use std::fmt;

/// Longest name that `pg_create_restore_point` takes, in bytes.
const NAME: usize = 63;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everything committed until then, and nothing after it.
    Time(Timestamp),
    /// The record at this position is the last that is applied.
    Lsn(Lsn),
    /// This transaction is the last that is applied.
    Xid(u32),
    /// A restore point.
    Name(String),
    /// The end of the archived log.
    Latest,
}

/// An instant as recovery and people read it; the zone is always there.
pub fn instant(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

impl Target {
    /// Reads what was typed. `zone` is the estate's, for the refusal of an instant that has none.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, Failure> {
        let text = text.trim();
        let unread = || {
            Failure::new(format!("`{}` is no point that recovery can stop at", escaped(text)))
                .means("nothing was done")
                .next("write an instant with its zone (2026-11-21 14:30:00+01:00), lsn:0/3000148, xid:1234, name:before_deploy or latest")
        };
        if text == "latest" {
            return Ok(Target::Latest);
        }
        let given = |kind: &str| text.strip_prefix(kind).map(str::trim);
        if let Some(lsn) = given("lsn:") {
            return Lsn::parse(lsn).map(Target::Lsn).ok_or_else(unread);
        }
        if let Some(xid) = given("xid:") {
            return xid.parse().ok().filter(|xid| *xid > 2).map(Target::Xid).ok_or_else(unread);
        }
        if let Some(name) = given("name:") {
            let fine = (1..=NAME).contains(&name.len()) && !name.chars().any(char::is_control);
            return if fine { Ok(Target::Name(name.to_owned())) } else { Err(unread()) };
        }
        match zoned(text) {
            Some(at) => Ok(Target::Time(at)),
            None => Err(local(text).map_or_else(unread, |local| without_zone(text, local, zone))),
        }
    }

    /// The setting of PostgreSQL that says it, and its value.
    pub fn setting(&self) -> (&'static str, String) {
        match self {
            Target::Time(at) => ("recovery_target_time", instant(*at)),
            Target::Lsn(lsn) => ("recovery_target_lsn", lsn.to_string()),
            Target::Xid(xid) => ("recovery_target_xid", xid.to_string()),
            Target::Name(name) => ("recovery_target_name", name.clone()),
            Target::Latest => ("recovery_target", String::new()),
        }
    }
}

/// In the form that [`Target::parse`] reads.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Time(at) => f.write_str(&instant(*at)),
            Target::Lsn(lsn) => write!(f, "lsn:{lsn}"),
            Target::Xid(xid) => write!(f, "xid:{xid}"),
            Target::Name(name) => write!(f, "name:{name}"),
            Target::Latest => f.write_str("latest"),
        }
    }
}

fn without_zone(text: &str, local: NaiveDateTime, zone: Tz) -> Failure {
    let mut could = vec![local.and_utc().format("%Y-%m-%d %H:%M:%S%.f+00:00").to_string()];
    let here = zone.from_local_datetime(&local).earliest();
    could.extend(here.filter(|_| zone != Tz::UTC).map(|at| at.format("%Y-%m-%d %H:%M:%S%.f%:z").to_string()));
    Failure::new(format!("`{}` does not say in which time zone it is", escaped(text)))
        .means("an hour's mistake would lose an hour of data, or keep the damage; nothing was done")
        .next(format!("write it with its zone, for example {}", could.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_needs_its_zone_and_means_the_same_however_it_is_written() {
        let read = |text: &str| Target::parse(text, Tz::Europe__Berlin);
        let at = read("2026-11-21 14:30:00+01:00").unwrap();
        for same in
            ["2026-11-21T13:30:00Z", "2026-11-21 13:30:00 UTC", "2026-11-21 13:30:00+00", "2026-11-21 13:30 +0000"]
        {
            assert_eq!(read(same).as_ref(), Ok(&at), "{same}");
        }
        assert_eq!(read(&at.to_string()), Ok(at));
        let refused = read("2026-11-21 14:30:00").unwrap_err();
        assert!(refused.what.contains("time zone") && refused.next.contains("14:30:00+01:00"), "{refused:?}");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in ["lsn:0/3000148", "xid:1234", "name:before deploy", "latest"] {
            assert_eq!(Target::parse(text, Tz::UTC).unwrap().to_string(), text);
        }
        for bad in [
            "",
            "yesterday",
            "2024-01-15 14:30:00 - 24 hours",
            "lsn:x",
            "xid:-1",
            "xid:1",
            "name:",
            "2026-13-01 00:00:00Z",
        ] {
            assert!(Target::parse(bad, Tz::UTC).is_err(), "{bad}");
        }
    }
}
