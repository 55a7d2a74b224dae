//! What earlier runs teach about the time that a step takes, and what that makes of the time of recovery.

use super::measure::is_clearing;
use super::plan::{Plan, PlannedAction, PlannedStep};
use super::state::RunState;
use crate::model::id::StepId;
use crate::model::time::Timestamp;
use chrono::Duration;
use serde::{Deserialize, Serialize};

/// Working time of a step in earlier runs, in milliseconds, as it would be for the data of this plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Half of them took at most this.
    pub p50_ms: u64,
    /// Nine of ten took at most this.
    pub p90_ms: u64,
    /// How many runs it rests on.
    pub runs: u32,
}

/// One step of an earlier run that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub step: StepId,
    pub machine: Duration,
    /// Size of the backup that was read, in bytes.
    pub bytes: Option<u64>,
}

/// Size of the backup that the plan resolved.
pub fn backup_bytes(plan: &Plan) -> Option<u64> {
    plan.resolved.values().find_map(|look| look.get("taken_at").and(look.get("size_bytes"))?.as_u64())
}

/// Gives each step of the plan what its forerunners took. The digest is made anew.
pub fn learn(plan: &mut Plan, history: &[Taken]) {
    let now = backup_bytes(plan);
    for step in &mut plan.steps {
        let mut spans: Vec<u64> = history
            .iter()
            .filter(|taken| taken.step == step.id)
            .map(|taken| if reads_the_backup(step) { scaled(taken, now) } else { millis(taken.machine) })
            .collect();
        spans.sort_unstable();
        step.estimate = percentile(&spans, 50).zip(percentile(&spans, 90)).map(|(p50_ms, p90_ms)| Estimate {
            p50_ms,
            p90_ms,
            runs: u32::try_from(spans.len()).unwrap_or(u32::MAX),
        });
    }
    plan.digest = plan.compute_digest();
}

/// Steps whose work grows with the backup take it as their input.
fn reads_the_backup(step: &PlannedStep) -> bool {
    matches!(&step.action, PlannedAction::Task(task) if task.input.contains_key("source"))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.num_milliseconds()).unwrap_or(0)
}

fn scaled(taken: &Taken, now: Option<u64>) -> u64 {
    match (taken.bytes.filter(|bytes| *bytes > 0), now) {
        (Some(then), Some(now)) => {
            let span = u128::from(millis(taken.machine)) * u128::from(now) / u128::from(then);
            u64::try_from(span).unwrap_or(u64::MAX)
        }
        _ => millis(taken.machine),
    }
}

/// Nearest rank: the smallest value that `percent` of all do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// When recovery is to be expected, counted from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    pub p50: Duration,
    pub p90: Duration,
    /// Left of the RTO if it goes as nine of ten did; below zero: it will be missed.
    pub margin: Option<Duration>,
    /// Steps ahead of which nothing is known: it will take longer than forecast.
    pub unknown: usize,
}

/// The same for a plan that nobody started yet.
pub fn whole(plan: &Plan) -> Option<Forecast> {
    let ahead = plan.steps.iter().filter(|step| counts(plan, step)).map(|step| (step.estimate, 0));
    sum(plan, Duration::zero(), ahead)
}

fn counts(plan: &Plan, step: &PlannedStep) -> bool {
    matches!(step.action, PlannedAction::Task(_))
        && step.omitted.is_none()
        && !is_clearing(plan, step)
        && !plan.prepares(&step.id)
}

/// What is behind plus what is ahead, people's time ahead not counted. `None` before anything was learned, and
/// once nothing is ahead.
pub fn forecast(state: &RunState, now: Timestamp) -> Option<Forecast> {
    if state.status.is_over() || state.abort.is_some() {
        return None;
    }
    let plan = &state.plan;
    let open = plan.steps.iter().zip(&state.steps).filter(|(_, record)| !record.state.is_settled());
    let ahead = open.filter(|(planned, _)| counts(plan, planned)).map(|(planned, _)| {
        let working = state.working.as_ref().filter(|working| working.step == planned.id);
        (planned.estimate, working.map_or(0, |working| millis((now - working.since).max(Duration::zero()))))
    });
    let behind = state.clock_began().map_or(Duration::zero(), |began| (now - began).max(Duration::zero()));
    sum(plan, behind, ahead)
}

/// What is left of the steps ahead, the longest first: they run one after another, so each makes the time. Place,
/// and what is left of it at p50 and p90.
pub fn longest(state: &RunState, now: Timestamp) -> Vec<(usize, Duration, Duration)> {
    let plan = &state.plan;
    let left =
        |ms: u64, spent: u64| Duration::milliseconds(i64::try_from(ms.saturating_sub(spent)).unwrap_or(i64::MAX));
    let mut ahead: Vec<_> = plan
        .steps
        .iter()
        .zip(&state.steps)
        .enumerate()
        .filter(|(_, (planned, record))| !record.state.is_settled() && counts(plan, planned))
        .filter_map(|(at, (planned, _))| {
            let Estimate { p50_ms, p90_ms, .. } = planned.estimate?;
            let working = state.working.as_ref().filter(|working| working.step == planned.id);
            let spent = working.map_or(0, |working| millis((now - working.since).max(Duration::zero())));
            Some((at, left(p50_ms, spent), left(p90_ms, spent)))
        })
        .collect();
    ahead.sort_by_key(|(at, _, p90)| (std::cmp::Reverse(*p90), *at));
    ahead
}

/// `ahead`: what each step is expected to take, and how much of it went by.
fn sum(plan: &Plan, behind: Duration, ahead: impl Iterator<Item = (Option<Estimate>, u64)>) -> Option<Forecast> {
    let (mut p50, mut p90, mut unknown, mut known) = (0_u64, 0_u64, 0, 0);
    for (estimate, spent) in ahead {
        let Some(estimate) = estimate else {
            unknown += 1;
            continue;
        };
        known += 1;
        p50 = p50.saturating_add(estimate.p50_ms.saturating_sub(spent));
        p90 = p90.saturating_add(estimate.p90_ms.saturating_sub(spent));
    }
    if known == 0 {
        return None;
    }
    let with = |ahead: u64| behind + Duration::milliseconds(i64::try_from(ahead).unwrap_or(i64::MAX / 4));
    let rto = plan.rto.and_then(|rto| Duration::from_std(rto).ok());
    Some(Forecast { p50: with(p50), p90: with(p90), margin: rto.map(|rto| rto - with(p90)), unknown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!((percentile(&[7], 50), percentile(&[7], 90)), (Some(7), Some(7)));
        let ten: Vec<u64> = (1..=10).collect();
        assert_eq!((percentile(&ten, 50), percentile(&ten, 90)), (Some(5), Some(9)));
    }

    #[test]
    fn time_grows_with_the_data() {
        let taken = |bytes| Taken { step: StepId::from("restore"), machine: Duration::seconds(10), bytes };
        assert_eq!(scaled(&taken(Some(100)), Some(250)), 25_000);
        assert_eq!(scaled(&taken(None), Some(250)), 10_000);
        assert_eq!(scaled(&taken(Some(0)), Some(250)), 10_000);
    }
}
