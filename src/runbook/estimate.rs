//! What earlier runs teach about the time that a step takes, and what that makes of the time of recovery.

use super::measure::is_clearing;
use super::plan::{Plan, PlannedAction, PlannedStep};
use super::state::{RunState, StepRecord};
use crate::model::id::StepId;
use crate::model::time::Timestamp;
use chrono::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    let ahead = plan.steps.iter().map(|step| counts(plan, step).then_some((step.estimate, 0))).collect();
    sum(plan, Duration::zero(), &ahead)
}

fn counts(plan: &Plan, step: &PlannedStep) -> bool {
    matches!(step.action, PlannedAction::Task(_))
        && step.omitted.is_none()
        && !is_clearing(plan, step)
        && !plan.prepares(&step.id)
}

/// For each step what it is expected to take, and how much of that went by, in milliseconds; `None` for those that
/// take no time any more, or whose time does not count.
type Ahead = Vec<Option<(Option<Estimate>, u64)>>;

fn ahead(state: &RunState, now: Timestamp) -> Ahead {
    let plan = &state.plan;
    let left = |(planned, record): (&PlannedStep, &StepRecord)| {
        let spent =
            state.working_on(&planned.id).map_or(0, |working| millis((now - working.since).max(Duration::zero())));
        (!record.state.is_settled() && counts(plan, planned)).then_some((planned.estimate, spent))
    };
    plan.steps.iter().zip(&state.steps).map(left).collect()
}

/// What is behind plus what is ahead, people's time ahead not counted. `None` before anything was learned, and
/// once nothing is ahead.
pub fn forecast(state: &RunState, now: Timestamp) -> Option<Forecast> {
    if state.status.is_over() || state.abort.is_some() {
        return None;
    }
    let behind = state.clock_began().map_or(Duration::zero(), |began| (now - began).max(Duration::zero()));
    sum(&state.plan, behind, &ahead(state, now))
}

/// What is left of the steps that make the time, the longest first: those of the longest way through what waits for
/// what. Place, and what is left of it at p50 and p90.
pub fn longest(state: &RunState, now: Timestamp) -> Vec<(usize, Duration, Duration)> {
    let ahead = ahead(state, now);
    let (p50, p90) = (left(&ahead, |estimate| estimate.p50_ms), left(&ahead, |estimate| estimate.p90_ms));
    let span = |ms: u64| Duration::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX));
    let mut makes: Vec<_> = longest_way(&state.plan, &p90)
        .into_iter()
        .filter(|at| matches!(ahead[*at], Some((Some(_), _))))
        .map(|at| (at, span(p50[at]), span(p90[at])))
        .collect();
    makes.sort_by_key(|(at, _, p90)| (std::cmp::Reverse(*p90), *at));
    makes
}

fn left(ahead: &Ahead, of: fn(&Estimate) -> u64) -> Vec<u64> {
    let left = |step: &Option<(Option<Estimate>, u64)>| {
        step.as_ref().and_then(|(estimate, spent)| Some(of(estimate.as_ref()?).saturating_sub(*spent))).unwrap_or(0)
    };
    ahead.iter().map(left).collect()
}

/// When each step will have ended if each takes what is left of it, counted from now, and the step that it waits for
/// longest. A step works once all that it waits for has ended, and its group has room for it.
fn ends(plan: &Plan, left: &[u64]) -> Vec<(u64, Option<usize>)> {
    let mut ends: Vec<(u64, Option<usize>)> = Vec::new();
    let mut rooms: BTreeMap<&str, Vec<Option<usize>>> = BTreeMap::new();
    for (place, step) in plan.steps.iter().enumerate() {
        let mut last = plan.waits_for(place).into_iter().max_by_key(|earlier| ends[*earlier].0);
        let group = plan.group_of(step);
        let room = group.and_then(|group| {
            let rooms = rooms.entry(group.id.as_str()).or_insert_with(|| vec![None; group.parallel.max(1) as usize]);
            rooms.iter_mut().min_by_key(|taken| taken.map_or(0, |by| ends[by].0))
        });
        if let Some(room) = room {
            last = [last, *room].into_iter().flatten().max_by_key(|earlier| ends[*earlier].0);
            *room = Some(place);
        }
        let begins = last.map_or(0, |earlier| ends[earlier].0);
        ends.push((begins.saturating_add(left[place]), last));
    }
    ends
}

/// Steps of the longest way, the last first.
fn longest_way(plan: &Plan, left: &[u64]) -> Vec<usize> {
    let ends = ends(plan, left);
    let last = (0..ends.len()).max_by_key(|place| ends[*place].0);
    std::iter::successors(last, |place| ends[*place].1).collect()
}

fn sum(plan: &Plan, behind: Duration, ahead: &Ahead) -> Option<Forecast> {
    let known = ahead.iter().flatten().filter(|(estimate, _)| estimate.is_some()).count();
    let unknown = ahead.iter().flatten().count() - known;
    if known == 0 {
        return None;
    }
    let with = |of: fn(&Estimate) -> u64| {
        let end = ends(plan, &left(ahead, of)).into_iter().map(|(end, _)| end).max().unwrap_or(0);
        behind + Duration::milliseconds(i64::try_from(end).unwrap_or(i64::MAX / 4))
    };
    let (p50, p90) = (with(|estimate| estimate.p50_ms), with(|estimate| estimate.p90_ms));
    let rto = plan.rto.and_then(|rto| Duration::from_std(rto).ok());
    Some(Forecast { p50, p90, margin: rto.map(|rto| rto - p90), unknown })
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
