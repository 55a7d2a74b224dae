//! Wall-clock times to instants, with the two nights a year on which that is no function.

use crate::model::time::Timestamp;
use chrono::{DateTime, Duration, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// What a wall-clock time means in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Once(Timestamp),
    /// The clock was set back: the time came twice.
    Twice(Timestamp, Timestamp),
    /// The clock was set forward: the time never came. `as_read` is what a clock that was not set
    /// forward would mean, `nearest` the instant of the change.
    Never {
        as_read: Timestamp,
        nearest: Timestamp,
    },
}

impl Reading {
    pub fn of(local: NaiveDateTime, zone: Tz) -> Self {
        match zone.from_local_datetime(&local) {
            LocalResult::Single(at) => Reading::Once(at.to_utc()),
            LocalResult::Ambiguous(a, b) => {
                let (a, b) = (a.to_utc(), b.to_utc());
                Reading::Twice(a.min(b), a.max(b))
            }
            LocalResult::None => never(local, zone),
        }
    }

    /// The earliest instant it may mean: the same in every store, whatever their modification times say.
    pub fn first(self) -> Timestamp {
        match self {
            Reading::Once(at) | Reading::Twice(at, _) | Reading::Never { as_read: at, .. } => at,
        }
    }

    /// The instant it is taken for, and the other one that it may mean. Of two, the one nearer to
    /// `modified` (the end of the write) is taken, and the earlier one where nothing tells.
    pub fn settle(self, modified: Option<Timestamp>) -> (Timestamp, Option<Timestamp>) {
        match (self, modified) {
            (Reading::Once(at), _) => (at, None),
            (Reading::Twice(a, b), Some(m)) if (m - b).abs() < (m - a).abs() => (b, Some(a)),
            (Reading::Twice(a, b), _) => (a, Some(b)),
            (Reading::Never { as_read, nearest }, _) => (as_read, Some(nearest)),
        }
    }
}

fn never(local: NaiveDateTime, zone: Tz) -> Reading {
    let offset_at = |seconds: i64| {
        let at = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc())
    };
    // No zone is a whole day from UTC and no gap is longer than a day, so the change lies within this.
    let wall = local.and_utc().timestamp();
    let (mut low, mut high) = (wall - 50 * 3600, wall + 50 * 3600);
    let before = offset_at(low);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if offset_at(middle) == before {
            low = middle;
        } else {
            high = middle;
        }
    }
    let as_read = Utc.from_utc_datetime(&(local - Duration::seconds(before)));
    Reading::Never { as_read, nearest: DateTime::from_timestamp(high, 0).unwrap_or(as_read) }
}
