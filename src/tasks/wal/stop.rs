//! Where a server will stop that replays this log to a target, told from the log alone: the rules of `recoveryStopsBefore`
//! and `recoveryStopsAfter`.

use super::sight::is;
use super::target::{Target, instant};
use crate::model::task::Failure;
use crate::proof::forms::wal::{Moment, What};
use crate::tasks::pg::pair::look::Lsn;
use chrono::DateTime;
use serde_json::{Value, json};

pub struct Stopping {
    target: Target,
    /// A server is consistent only from here on.
    base_end: u64,
    kept: Option<Moment>,
    left_out: Option<Moment>,
    /// Behind the position of the target; which of them is kept tells the first whole record there.
    behind: Vec<Moment>,
    reached: bool,
    early: bool,
}

impl Stopping {
    pub const fn new(target: Target, base_end: u64) -> Self {
        Self { target, base_end, kept: None, left_out: None, behind: Vec::new(), reached: false, early: false }
    }

    /// Takes the next instant of the log.
    pub fn see(&mut self, moment: Moment) {
        if self.reached {
            self.left_out.get_or_insert(moment);
            return;
        }
        let ended = matches!(moment.what, What::Commit | What::Abort);
        match &self.target {
            Target::Time(at) if ended && moment.micros > at.timestamp_micros() => {
                self.early |= moment.lsn < self.base_end;
                self.reached = true;
                self.left_out = Some(moment);
                return;
            }
            Target::Lsn(lsn) if moment.lsn > lsn.0 => {
                self.behind.push(moment);
                return;
            }
            _ => {}
        }
        let after = moment.lsn >= self.base_end && is(&moment, &self.target);
        if ended {
            self.kept = Some(moment);
        }
        self.reached = after;
    }

    /// Takes the first whole record at or behind the target's position, once it was read: it is applied.
    pub fn passed(&mut self, marked: Option<u64>) {
        let Some(marked) = marked.filter(|_| matches!(self.target, Target::Lsn(_)) && !self.reached) else { return };
        self.reached = true;
        for moment in std::mem::take(&mut self.behind) {
            if moment.lsn > marked {
                self.left_out.get_or_insert(moment);
            } else if matches!(moment.what, What::Commit | What::Abort) {
                self.kept = Some(moment);
            }
        }
    }

    /// The position that the scanner is to mark.
    pub const fn position(&self) -> Option<u64> {
        match self.target {
            Target::Lsn(lsn) => Some(lsn.0),
            _ => None,
        }
    }

    pub const fn is_reached(&self) -> bool {
        self.reached
    }

    pub fn words(&self) -> String {
        let at = |moment: &Moment| instant(DateTime::from_timestamp_micros(moment.micros).unwrap_or_default());
        match (&self.kept, &self.left_out) {
            (Some(kept), Some(out)) if self.reached => {
                format!("the last transaction that is kept ended {}, the first that is left out {}", at(kept), at(out))
            }
            (Some(kept), None) if self.reached => format!("the last transaction that is kept ended {}", at(kept)),
            (Some(kept), _) => format!("read up to the transaction of {}", at(kept)),
            _ => "no transaction ended so far".to_owned(),
        }
    }

    /// What is kept last and what is left out first; a failure where recovery would not stop at the target.
    pub fn verdict(&self) -> Result<(Value, Value), Failure> {
        let refused = |what: String| {
            Failure::new(what)
                .means("a server would refuse to recover to it; nothing was stopped or changed")
                .next("choose a point that `wal.window` allows, and make a new plan")
        };
        if self.early {
            return Err(refused(format!("{} lies before the end of the base backup", self.target)));
        }
        if !self.reached {
            return Err(refused(format!("the log ends before {}: {}", self.target, self.words())));
        }
        let told = |moment: &Moment| {
            json!({
                "at": instant(DateTime::from_timestamp_micros(moment.micros).unwrap_or_default()),
                "micros": moment.micros,
                "xid": moment.xid,
                "lsn": Lsn(moment.lsn).to_string(),
            })
        };
        let kept = self.kept.as_ref().filter(|moment| moment.lsn >= self.base_end);
        Ok((kept.map_or(Value::Null, told), self.left_out.as_ref().map_or(Value::Null, told)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(lsn: u64, seconds: i64, what: What) -> Moment {
        Moment { lsn, what, micros: seconds * 1_000_000, xid: u32::try_from(lsn).unwrap() }
    }

    fn stopped(target: Target) -> Stopping {
        let mut stopping = Stopping::new(target, 100);
        for (lsn, seconds) in [(90, 1), (110, 2), (120, 3), (130, 4)] {
            stopping.see(moment(lsn, seconds, What::Commit));
        }
        stopping.see(moment(140, 5, What::Point("x".to_owned())));
        stopping.passed(Some(130));
        stopping
    }

    #[test]
    fn each_target_keeps_what_a_server_keeps() {
        let time = |seconds: i64| Target::Time(DateTime::from_timestamp(seconds, 0).unwrap());
        let told = |target: Target| {
            let (kept, out) = stopped(target).verdict().unwrap();
            (kept["xid"].as_u64(), out["xid"].as_u64())
        };
        assert_eq!(told(time(3)), (Some(120), Some(130)), "an instant includes what ended in it");
        assert_eq!(told(time(1)), (None, Some(110)), "all that is kept lies in the base already");
        assert_eq!(told(Target::Xid(120)), (Some(120), Some(130)));
        assert_eq!(
            told(Target::Lsn(Lsn(125))),
            (Some(130), Some(140)),
            "the record at or behind a position is applied"
        );
        assert_eq!(told(Target::Name("x".to_owned())), (Some(130), None));
        assert!(stopped(time(6)).verdict().is_err() && stopped(Target::Xid(7)).verdict().is_err());
    }
}
