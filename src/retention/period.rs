//! Calendar periods, in UTC like every instant of the catalog: day, ISO week, month, year.

use crate::model::objective::Retention;
use crate::model::time::Timestamp;
use chrono::{Datelike as _, Days, Months, NaiveDate};
use serde::Serialize;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::Daily => "daily",
            Class::Weekly => "weekly",
            Class::Monthly => "monthly",
            Class::Yearly => "yearly",
        })
    }
}

impl Class {
    pub const ALL: [Class; 4] = [Class::Daily, Class::Weekly, Class::Monthly, Class::Yearly];

    pub const fn wanted(self, retention: &Retention) -> u32 {
        match self {
            Class::Daily => retention.daily,
            Class::Weekly => retention.weekly,
            Class::Monthly => retention.monthly,
            Class::Yearly => retention.yearly,
        }
    }

    /// The period in which an instant lies; later periods sort after earlier ones.
    pub fn period(self, at: Timestamp) -> String {
        self.named(at.date_naive())
    }

    pub(super) fn named(self, date: NaiveDate) -> String {
        match self {
            Class::Daily => date.format("%Y-%m-%d").to_string(),
            Class::Weekly => date.format("%G-W%V").to_string(),
            Class::Monthly => date.format("%Y-%m").to_string(),
            Class::Yearly => date.format("%Y").to_string(),
        }
    }

    /// A day of the period before the one in which `date` lies.
    pub(super) fn before(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            Class::Daily => date.checked_sub_days(Days::new(1)),
            Class::Weekly => date.checked_sub_days(Days::new(7)),
            Class::Monthly => date.with_day(1)?.checked_sub_months(Months::new(1)),
            Class::Yearly => date.with_ordinal(1)?.checked_sub_months(Months::new(12)),
        }
    }
}
