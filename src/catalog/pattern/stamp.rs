//! Time stamps in names: which digits are which field, and what they add up to.

use crate::model::time::Timestamp;
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike};

/// What the time in a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameTime {
    /// Epoch seconds, or a stamp with its offset.
    Exact(Timestamp),
    /// Wall-clock time of some zone.
    Local(NaiveDateTime),
    /// Digits in the right places that no calendar knows (month 13).
    Impossible,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Fraction,
    Offset,
    Epoch,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Field {
    pub(super) fn from_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'Y' => Field::Year,
            'y' => Field::ShortYear,
            'm' => Field::Month,
            'b' => Field::MonthName,
            'd' => Field::Day,
            'j' => Field::DayOfYear,
            'H' => Field::Hour,
            'M' => Field::Minute,
            'S' => Field::Second,
            'f' => Field::Fraction,
            'z' => Field::Offset,
            's' => Field::Epoch,
            _ => return None,
        })
    }

    /// The lengths that this field may have at the start of `text`, longest first.
    pub(super) fn lengths(self, text: &[u8]) -> std::iter::Rev<std::ops::RangeInclusive<usize>> {
        let digits = || text.iter().take(11).take_while(|b| b.is_ascii_digit()).count();
        #[expect(clippy::reversed_empty_ranges, reason = "a range that is empty on purpose: the field is not there")]
        let none = 1..=0;
        let fixed = |n: usize| if digits() >= n { n..=n } else { none.clone() };
        let range = match self {
            Field::Year => fixed(4),
            Field::DayOfYear => fixed(3),
            Field::Fraction => 1..=digits().min(9),
            Field::Epoch => 9..=digits(),
            Field::Offset => offset(text).map_or(none.clone(), |(n, _)| n..=n),
            Field::MonthName => month_name(text).map_or(none.clone(), |_| 3..=3),
            _ => fixed(2),
        };
        range.rev()
    }

    pub(super) fn write(self, at: NaiveDateTime, out: &mut String) {
        let text = match self {
            Field::Year => format!("{:04}", at.year()),
            Field::ShortYear => format!("{:02}", at.year().rem_euclid(100)),
            Field::Month => format!("{:02}", at.month()),
            Field::MonthName => MONTHS[at.month0() as usize % 12].to_owned(),
            Field::Day => format!("{:02}", at.day()),
            Field::DayOfYear => format!("{:03}", at.ordinal()),
            Field::Hour => format!("{:02}", at.hour()),
            Field::Minute => format!("{:02}", at.minute()),
            Field::Second => format!("{:02}", at.second()),
            Field::Fraction => format!("{:09}", at.nanosecond() % 1_000_000_000),
            Field::Offset => "+0000".to_owned(),
            Field::Epoch => at.and_utc().timestamp().to_string(),
        };
        out.push_str(&text);
    }
}

/// Whether these fields add up to at least a year.
pub(super) fn dates(fields: &[Field]) -> bool {
    fields.iter().any(|f| matches!(f, Field::Year | Field::ShortYear | Field::Epoch))
}

fn month_name(text: &[u8]) -> Option<u32> {
    let name = text.get(..3)?;
    MONTHS.iter().position(|m| m.as_bytes().eq_ignore_ascii_case(name)).map(|i| i as u32 + 1)
}

/// `Z`, `+0100` or `+01:00`: its length and the seconds east of Greenwich.
fn offset(text: &[u8]) -> Option<(usize, i32)> {
    let sign = match text.first()? {
        b'Z' => return Some((1, 0)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |at: usize| -> Option<i32> {
        let pair = text.get(at..at + 2)?;
        std::str::from_utf8(pair).ok()?.parse::<u8>().ok().map(i32::from)
    };
    let hours = two(1)?;
    let colon = text.get(3) == Some(&b':');
    let minutes = two(if colon { 4 } else { 3 })?;
    (hours < 24 && minutes < 60).then_some((if colon { 6 } else { 5 }, sign * (hours * 3600 + minutes * 60)))
}

/// The fields of one name, later ones overruling earlier ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
    offset: Option<i32>,
    epoch: Option<i64>,
}

impl Fields {
    pub(super) fn set(&mut self, field: Field, text: &str) {
        let number = || text.parse::<u32>().unwrap_or(u32::MAX);
        match field {
            Field::Year => self.year = text.parse().ok(),
            Field::ShortYear => self.year = text.parse::<i32>().ok().map(|y| if y < 70 { 2000 + y } else { 1900 + y }),
            Field::Month => self.month = Some(number()),
            Field::MonthName => self.month = month_name(text.as_bytes()),
            Field::Day => self.day = Some(number()),
            Field::DayOfYear => self.ordinal = Some(number()),
            Field::Hour => self.hour = number(),
            Field::Minute => self.minute = number(),
            Field::Second => self.second = number(),
            Field::Fraction => self.nanos = format!("{text:0<9}").parse().unwrap_or(0),
            Field::Offset => self.offset = offset(text.as_bytes()).map(|(_, seconds)| seconds),
            Field::Epoch => self.epoch = text.parse().ok(),
        }
    }

    pub(super) fn time(&self) -> NameTime {
        self.read().unwrap_or(NameTime::Impossible)
    }

    fn read(&self) -> Option<NameTime> {
        if let Some(epoch) = self.epoch {
            return DateTime::from_timestamp(epoch, 0).map(NameTime::Exact);
        }
        let year = self.year?;
        let date = match self.ordinal {
            Some(ordinal) => NaiveDate::from_yo_opt(year, ordinal)?,
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let local = date.and_time(NaiveTime::from_hms_nano_opt(self.hour, self.minute, self.second, self.nanos)?);
        let Some(offset) = self.offset else {
            return Some(NameTime::Local(local));
        };
        let at = FixedOffset::east_opt(offset)?.from_local_datetime(&local).single()?;
        Some(NameTime::Exact(at.to_utc()))
    }
}
