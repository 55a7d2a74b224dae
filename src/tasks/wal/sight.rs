//! What segments themselves tell of instants: where a base is consistent, and where its log ends.

use super::archive::{Index, segment};
use super::chain::on;
use super::target::Target;
use super::window::Candidate;
use crate::catalog::Position;
use crate::model::task::Failure;
use crate::model::time::Timestamp;
use crate::model::wal::Segment;
use crate::proof::forms::wal::{Head, Moment, Scanner, What};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::pg::pair::look::Lsn;
use crate::tasks::wal::archive::SEGMENT;
use chrono::DateTime;

/// The last instant of a chain.
#[derive(Clone, Debug)]
pub struct End {
    /// The last transaction that ended in it.
    pub at: Timestamp,
    /// Its last whole record.
    pub lsn: Lsn,
    pub cluster: u64,
    pub version: Option<u32>,
}

pub struct Sight<'a> {
    cx: &'a TaskContext,
    index: &'a Index,
    ends: Vec<(Segment, End)>,
}

impl<'a> Sight<'a> {
    /// Segments that are read backwards in search of a transaction.
    pub const BACK: u64 = 16;
    /// Segments that are searched for one transaction or name.
    const MOST: u64 = 512;

    pub const fn new(cx: &'a TaskContext, index: &'a Index) -> Self {
        Self { cx, index, ends: Vec::new() }
    }

    /// Reads a stretch of the log in order.
    async fn read(
        &self,
        of: &Candidate<'_>,
        from: u64,
        to: u64,
        each: &mut (dyn FnMut(Moment) + Send),
    ) -> Result<(Option<u64>, Option<Head>), Stop> {
        let mut scanner = Scanner::default();
        let mut seen = None;
        for number in from..=to {
            let at = on(&of.legs, number);
            let whole = segment(self.cx, self.index, at, of.base.cluster).await?;
            scanner.feed(number * SEGMENT, &whole.bytes, each).map_err(|damage| {
                Failure::new(format!("the log is damaged in segment {at}, {damage}"))
                    .means("recovery would end there; nothing was stopped")
                    .next("bring a good copy of the segment into a store, or choose an earlier instant")
            })?;
            seen = Some(whole.head);
        }
        Ok((scanner.last(), seen))
    }

    /// The earliest instant that a base reaches: the last commit that it may already hold, told by the log before its
    /// end. Names and times of files are asked only where the archive does not reach back to one.
    pub async fn consistent(&self, of: &Candidate<'_>) -> Result<Timestamp, Stop> {
        let (stop, to) = (of.base.stop, of.base.stop / SEGMENT);
        let there = |number: &u64| self.index.segments.contains_key(&on(&of.legs, *number));
        let least = (to.saturating_sub(Self::BACK)..=to).rev().take_while(there).last().unwrap_or(to);
        let mut back = 1;
        loop {
            let from = (to + 1).saturating_sub(back).max(least);
            let mut last = None;
            let mut take = |moment: Moment| {
                if moment.lsn < stop && ends(&moment) {
                    last = last.max(Some(moment.micros));
                }
            };
            self.read(of, from, to, &mut take).await?;
            if let Some(at) = last.and_then(DateTime::from_timestamp_micros) {
                return Ok(at);
            }
            if from == least {
                let told = Position::of(of.base.backup).and_then(|position| position.ended_at);
                return Ok(told.unwrap_or(of.base.backup.taken_at));
            }
            back *= 2;
        }
    }

    /// Where the chain ends.
    pub async fn end(&mut self, of: &Candidate<'_>) -> Result<End, Stop> {
        let at = of.end();
        if let Some((_, end)) = self.ends.iter().find(|(known, _)| *known == at) {
            return Ok(end.clone());
        }
        let least = of.base.needs();
        let mut back = 2;
        loop {
            let from = (of.last + 1).saturating_sub(back).max(least);
            let mut last = None;
            let mut take = |moment: Moment| {
                if ends(&moment) {
                    last = last.max(Some(moment.micros));
                }
            };
            let (lsn, head) = self.read(of, from, of.last, &mut take).await?;
            if let (Some(micros), Some(lsn), Some(head)) = (last, lsn, head) {
                let end = End {
                    at: DateTime::from_timestamp_micros(micros).unwrap_or_default(),
                    lsn: Lsn(lsn),
                    cluster: head.system_identifier,
                    version: head.version(),
                };
                self.ends.push((at, end.clone()));
                return Ok(end);
            }
            if from == least || back >= Self::BACK {
                let what = format!(
                    "no transaction ended in the last {} segments of the log behind {}",
                    of.last - from + 1,
                    of.base.backup.id
                );
                return Err(Failure::new(what)
                    .means("there is nothing in it to recover to")
                    .next("restore the base backup as it is, or bring more of the log into the archive")
                    .into());
            }
            back *= 2;
        }
    }

    /// Whether a transaction or a restore point lies in the chain, behind the base's end.
    pub async fn holds(&self, of: &Candidate<'_>, target: &Target) -> Result<bool, Stop> {
        let (stop, from) = (of.base.stop, of.base.stop / SEGMENT);
        if of.last - from >= Self::MOST {
            return Err(Failure::new(format!(
                "{} segments would have to be searched for {target}",
                of.last - from + 1
            ))
            .means(format!("at most {} are; nothing was done", Self::MOST))
            .next("name a base backup that ended shortly before it, or give an instant or a position")
            .into());
        }
        let mut found = false;
        let mut take = |moment: Moment| found |= moment.lsn >= stop && is(&moment, target);
        self.read(of, from, of.last, &mut take).await?;
        Ok(found)
    }
}

/// Whether a transaction ended: only at such moments recovery stops for an instant.
fn ends(moment: &Moment) -> bool {
    matches!(moment.what, What::Commit | What::Abort)
}

/// Whether recovery stops at this very moment because of the target.
pub fn is(moment: &Moment, target: &Target) -> bool {
    match (target, &moment.what) {
        (Target::Xid(xid), What::Commit | What::Abort) => moment.xid == *xid,
        (Target::Name(name), What::Point(point)) => name == point,
        _ => false,
    }
}
