//! What a run took, told from its journal: step by step, machine and people apart, against the objectives.

use super::engine::ReplayError;
use super::plan::{Plan, PlannedAction, PlannedStep};
use super::state::{RunState, StepState};
use crate::event::{Event, EventKind};
use crate::model::id::StepId;
use crate::model::task::TaskOutcome;
use crate::model::time::Timestamp;
use chrono::Duration;

/// One step's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    pub step: StepId,
    pub title: String,
    pub state: StepState,
    /// Time in which a task worked for it.
    pub machine: Duration,
    /// Time in which it waited for a person.
    pub people: Duration,
    /// It clears what a drill made; recovery does not wait for it.
    pub clears: bool,
    /// It makes what a drill works on, and the disaster that it stands for.
    pub prepares: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    pub phases: Vec<Phase>,
    /// From the start, or from the disaster that a drill stands for, until everything but the clearing was done; absent before that.
    pub recovery: Option<Duration>,
    /// Parts of the time until recovery, or until now: tasks, people, and nobody while the runner was gone.
    pub machine: Duration,
    pub people: Duration,
    pub unattended: Duration,
    pub rto_met: Option<bool>,
    /// The instant to which data came back.
    pub recovery_point: Option<Timestamp>,
    /// What was written between that and the run is what the restore loses.
    pub loss: Option<Duration>,
    pub rpo_met: Option<bool>,
}

/// Whether the step was added to a drill to clear what another one makes.
pub fn is_clearing(plan: &Plan, step: &PlannedStep) -> bool {
    let PlannedAction::Task(task) = &step.action else { return false };
    step.clears.is_some() || plan.steps.iter().filter_map(|s| s.makes.as_ref()).any(|made| &made.remove == task)
}

/// When the backup was taken that the plan resolved.
pub fn recovery_point(plan: &Plan) -> Option<Timestamp> {
    plan.resolved.values().find_map(|look| look.get("taken_at")?.as_str()?.parse().ok())
}

/// What a step of the run measured: the most that is lost, in time.
pub fn told_loss(state: &RunState) -> Option<Duration> {
    state.steps.iter().rev().find_map(|step| match &step.outcome {
        Some(TaskOutcome::Done { output }) => output.get("seconds_at_most")?.as_i64().and_then(Duration::try_seconds),
        _ => None,
    })
}

enum Share {
    Machine(Vec<StepId>),
    People(Option<StepId>),
    Unattended,
}

fn share(state: &RunState, event: &Event) -> Option<Share> {
    if state.started_at.is_none() || state.status.is_over() {
        return None;
    }
    if matches!(event.kind, EventKind::RunnerStarted { resumed: true, .. }) {
        return Some(Share::Unattended);
    }
    if !state.is_idle() {
        return Some(Share::Machine(state.working.iter().map(|working| working.step.clone()).collect()));
    }
    state.awaits_person().then(|| Share::People(state.question.as_ref().map(|question| question.step.clone())))
}

/// A journal read to its end.
struct Walk {
    state: RunState,
    clearing: Vec<bool>,
    /// Machine and people, by step.
    times: Vec<(Duration, Duration)>,
    /// Time in which any task worked for recovery: steps that work beside one another share it.
    machine: Duration,
    unattended: Duration,
    paused: Duration,
    recovered_at: Option<Timestamp>,
}

fn walk(events: &[Event]) -> Result<Walk, ReplayError> {
    let mut state = RunState::create(events.first().ok_or(ReplayError::Empty)?)?;
    let plan = std::sync::Arc::clone(&state.plan);
    let clearing: Vec<bool> = plan.steps.iter().map(|step| is_clearing(&plan, step)).collect();
    let mut times = vec![(Duration::zero(), Duration::zero()); plan.steps.len()];
    let (mut machine, mut unattended, mut paused) = (Duration::zero(), Duration::zero(), Duration::zero());
    let mut recovered_at = None;
    for event in &events[1..] {
        let span = event.at.signed_duration_since(state.last_at).max(Duration::zero());
        let place = |step: &StepId| plan.steps.iter().position(|planned| &planned.id == step);
        match share(&state, event) {
            Some(Share::Machine(steps)) => {
                let places: Vec<usize> = steps.iter().filter_map(place).collect();
                for at in &places {
                    times[*at].0 += span;
                }
                let counts = |at: &usize| !clearing[*at] && !plan.prepares(&plan.steps[*at].id);
                if places.iter().any(counts) {
                    machine += span;
                }
            }
            Some(Share::People(step)) => match step.as_ref().and_then(place) {
                Some(at) => times[at].1 += span,
                None if state.clock_began().is_some() => paused += span,
                None => {}
            },
            Some(Share::Unattended) if recovered_at.is_none() && state.clock_began().is_some() => unattended += span,
            Some(Share::Unattended) | None => {}
        }
        state.apply(event);
        let settled = |(record, clears): (&super::state::StepRecord, &bool)| *clears || record.state.is_settled();
        if state.started_at.is_some() && state.abort.is_none() && state.steps.iter().zip(&clearing).all(settled) {
            recovered_at.get_or_insert(event.at);
        }
    }
    Ok(Walk { state, clearing, times, machine, unattended, paused, recovered_at })
}

/// Reads a journal from its beginning.
pub fn measure(events: &[Event]) -> Result<Measured, ReplayError> {
    let Walk { state, clearing, times, machine, unattended, paused, recovered_at } = walk(events)?;
    let plan = &state.plan;
    let phases: Vec<Phase> = plan
        .steps
        .iter()
        .zip(&state.steps)
        .zip(&clearing)
        .zip(times)
        .map(|(((planned, record), clears), (worked, waited))| Phase {
            step: planned.id.clone(),
            title: planned.title.clone(),
            state: record.state,
            machine: worked,
            people: waited,
            clears: *clears,
            prepares: plan.prepares(&planned.id),
        })
        .collect();
    let counted = phases.iter().filter(|phase| !phase.clears && !phase.prepares);
    let people = counted.fold(paused, |sum, phase| sum + phase.people);
    let recovery = recovered_at.zip(state.clock_began()).map(|(end, began)| end - began);
    let within =
        |span: Option<Duration>, limit: Option<std::time::Duration>| Some(span?.to_std().unwrap_or_default() <= limit?);
    let point = recovery_point(plan);
    let loss = point.map(|point| state.created_at - point).or_else(|| told_loss(&state));
    Ok(Measured {
        machine,
        people,
        unattended,
        rto_met: within(recovery, plan.rto),
        rpo_met: within(loss, plan.rpo),
        recovery,
        recovery_point: point,
        loss,
        phases,
    })
}
