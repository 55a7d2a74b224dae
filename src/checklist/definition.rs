//! A checklist as its file says it.

use crate::model::proof::Level;
use crate::model::time::Timestamp;
use chrono::{Datelike, Duration, NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checklist {
    /// Its file name without extension: `daily`.
    pub id: String,
    pub title: String,
    pub period: Period,
    /// Path of its file, or `built in`.
    pub origin: String,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: String,
    pub title: String,
    /// Why it is asked, and what to do when it fails.
    pub help: String,
    pub check: Check,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// None of these rules of health has found anything.
    Rules(Vec<String>),
    /// Every asset had a proof of this level within this time.
    Proof { level: Level, within: Duration },
    /// A person looks, and answers this.
    Person { asks: String },
}

/// How often a checklist begins anew, in the estate's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    /// From Monday.
    Week,
    Month,
    Quarter,
}

impl Period {
    /// When the period around `now` began.
    pub fn start(self, now: Timestamp, zone: Tz) -> Timestamp {
        let today = now.with_timezone(&zone).date_naive();
        let first = |month: u32| NaiveDate::from_ymd_opt(today.year(), month, 1).unwrap_or(today);
        let day = match self {
            Period::Day => today,
            Period::Week => today - Duration::days(i64::from(today.weekday().num_days_from_monday())),
            Period::Month => first(today.month()),
            Period::Quarter => first((today.month() - 1) / 3 * 3 + 1),
        };
        let midnight = day.and_time(chrono::NaiveTime::MIN);
        // Where the clocks skip midnight, the day begins with the first instant after it.
        let local = (0..=3).find_map(|hour| zone.from_local_datetime(&(midnight + Duration::hours(hour))).earliest());
        local.map_or_else(|| midnight.and_utc(), |local| local.with_timezone(&Utc))
    }

    pub const fn word(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Quarter => "quarter",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_at_midnight_of_the_zone() {
        let now = Utc.with_ymd_and_hms(2026, 11, 20, 23, 30, 0).unwrap();
        let starts = |zone: Tz| {
            [Period::Day, Period::Week, Period::Month, Period::Quarter]
                .map(|period| period.start(now, zone).format("%m-%d %H:%M").to_string())
        };
        assert_eq!(starts(Tz::UTC), ["11-20 00:00", "11-16 00:00", "11-01 00:00", "10-01 00:00"]);
        assert_eq!(starts(Tz::Europe__Berlin), ["11-20 23:00", "11-15 23:00", "10-31 23:00", "09-30 22:00"]);
    }
}
