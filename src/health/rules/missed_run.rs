//! What the schedule promised against what arrived.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::estate::{Schedule, Source};
use crate::model::time::{Timestamp, short_duration};
use chrono::Duration;
use std::str::FromStr;

/// Runs looked back on: enough to tell one miss from a dead job.
const LOOK_BACK: usize = 16;
/// A backup may take this part of its interval before it counts as missed.
const GRACE_PARTS: i32 = 10;
/// Clocks of the job's host and this machine may differ by this much.
const CLOCK_SLACK: Duration = Duration::minutes(2);

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let blind = subject.blind_spots();
    subject
        .asset
        .sources
        .iter()
        .filter(|source| blind.iter().all(|scan| scan.id != source.store))
        .filter_map(|source| judge_source(subject, source))
        .collect()
}

fn judge_source(subject: &Subject<'_>, source: &Source) -> Option<Finding> {
    let schedule = source.schedule.as_ref()?;
    // With no backup at all the rule about absence speaks.
    let last = subject.last_arrival(source)?;
    let missed = match schedule {
        Schedule::Every(every) => missed_interval(last, Duration::from_std(*every).ok()?, subject.now),
        Schedule::Cron(text) => missed_cron(last, text, subject.now)?,
    };
    if missed.runs == 0 {
        return None;
    }
    let severity = if missed.runs > 1 { Severity::Critical } else { Severity::Warning };
    let runs =
        if missed.runs as usize >= LOOK_BACK { format!("{} or more", missed.runs) } else { missed.runs.to_string() };
    let noun = if missed.runs == 1 { "run" } else { "runs" };
    Some(
        Finding::new(
            "missed-run",
            severity,
            format!("{runs} scheduled {} {noun} did not arrive in store {}.", source.kind, source.store),
        )
        .evidence("last arrival", format!("{} ({} ago)", last.to_rfc3339(), short_duration(subject.now - last)))
        .evidence("expected by", missed.due.to_rfc3339())
        .evidence("pattern", source.pattern.clone())
        .remedy("Look at the job's own log and at its timer; run it by hand if it is safe to."),
    )
}

struct Missed {
    runs: u32,
    /// When the first missing one should have been there.
    due: Timestamp,
}

fn missed_interval(last: Timestamp, every: Duration, now: Timestamp) -> Missed {
    let due = last + every + every / GRACE_PARTS + CLOCK_SLACK;
    let late = (now - due).num_seconds();
    let runs = if late < 0 { 0 } else { 1 + late / every.num_seconds().max(1) };
    Missed { runs: runs.clamp(0, LOOK_BACK as i64) as u32, due }
}

fn missed_cron(last: Timestamp, text: &str, now: Timestamp) -> Option<Missed> {
    let cron = croner::Cron::from_str(text).ok()?;
    let mut runs = 0;
    let mut due = now;
    let mut at = last;
    for _ in 0..LOOK_BACK {
        let next = cron.find_next_occurrence(&at, false).ok()?;
        let after = cron.find_next_occurrence(&next, false).ok()?;
        let ready = next + (after - next) / GRACE_PARTS + CLOCK_SLACK;
        if ready > now {
            break;
        }
        // A backup stamped just before its scheduled minute is that minute's run.
        if next - last > CLOCK_SLACK {
            if runs == 0 {
                due = ready;
            }
            runs += 1;
        }
        at = next;
    }
    Some(Missed { runs, due })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_is_missed_after_its_grace() {
        let last = at("2026-03-01T02:00:00Z");
        let day = Duration::hours(24);
        assert_eq!(missed_interval(last, day, at("2026-03-02T04:00:00Z")).runs, 0);
        assert_eq!(missed_interval(last, day, at("2026-03-02T05:00:00Z")).runs, 1);
        assert_eq!(missed_interval(last, day, at("2026-03-04T05:00:00Z")).runs, 3);
    }

    #[test]
    fn a_cron_run_is_missed_only_once_it_had_time_to_finish() {
        let last = at("2026-03-01T02:00:07Z");
        assert_eq!(missed_cron(last, "0 2 * * *", at("2026-03-02T02:30:00Z")).unwrap().runs, 0);
        let missed = missed_cron(last, "0 2 * * *", at("2026-03-03T05:00:00Z")).unwrap();
        assert_eq!((missed.runs, missed.due), (2, at("2026-03-02T04:26:00Z")));
    }

    #[test]
    fn a_dead_job_is_counted_up_to_the_look_back() {
        let last = at("2025-03-01T02:00:07Z");
        assert_eq!(missed_cron(last, "0 2 * * *", at("2026-03-03T05:00:00Z")).unwrap().runs, LOOK_BACK as u32);
    }
}
