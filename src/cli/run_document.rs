//! `relight.run/1`: one run as a document, from its journal alone.

use super::measured;
use super::output::Output;
use crate::event::Event;
use crate::journal::{self, HEAD};
use crate::model::id::{RunId, StepId};
use crate::model::task::TaskOutcome;
use crate::model::time::Timestamp;
use crate::runbook::commit::{Amendment, Provisional};
use crate::runbook::engine::replay;
use crate::runbook::measure::measure;
use crate::runbook::{Abort, Debt, Exception, Plan, Question, RunState, StepState};
use crate::runner::lessons::{self, Lesson};
use crate::runner::{RunFolder, RunnerError, runs};
use color_eyre::eyre;
use serde::Serialize;
use std::io::Read as _;

/// A run with everything that its journal says.
pub struct Told {
    pub state: RunState,
    pub events: Vec<Event>,
    /// Word of its status, with `runner lost` where nobody drives it.
    pub word: String,
    /// Number and hash of the last acknowledged entry.
    pub head: Option<(u64, String)>,
}

pub fn read(folder: &RunFolder) -> eyre::Result<Told> {
    let head = head(folder);
    let events = journal::read(&folder.path).map_err(RunnerError::from)?;
    let state = replay(&events).map_err(RunnerError::from)?;
    let word = runs::read(folder).word().to_owned();
    Ok(Told { state, events, word, head })
}

fn head(folder: &RunFolder) -> Option<(u64, String)> {
    let mut text = String::new();
    std::fs::File::open(folder.path.join(HEAD)).ok()?.take(256).read_to_string(&mut text).ok()?;
    let (number, hash) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, hash.to_owned()))
}

#[derive(Serialize)]
struct Body<'a> {
    id: &'a RunId,
    status: &'a str,
    over: bool,
    plan: &'a Plan,
    operator: String,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    elapsed_seconds: Option<i64>,
    human_wait_seconds: u64,
    rto_met: Option<bool>,
    steps: Vec<StepRow<'a>>,
    question: Option<&'a Question>,
    abort: Option<AbortRow>,
    exceptions: &'a [Exception],
    leftovers: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    amendments: &'a [Amendment],
    #[serde(skip_serializing_if = "Option::is_none")]
    provisional: Option<&'a Provisional>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_at: Option<Timestamp>,
    measured: measured::Row<'a>,
    debts: &'a [Debt],
    lessons: Vec<Lesson>,
    chain_head: Option<Head<'a>>,
    events: usize,
}

#[derive(Serialize)]
struct StepRow<'a> {
    id: &'a StepId,
    state: StepState,
    attempts: u32,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    outcome: Option<&'a TaskOutcome>,
    /// How what must hold after it was seen.
    probes: Option<&'a TaskOutcome>,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct AbortRow {
    by: String,
    reason: String,
    undo: bool,
}

#[derive(Serialize)]
struct Head<'a> {
    entry: u64,
    hash: &'a str,
}

pub fn print(folder: &RunFolder, now: Timestamp, out: &mut Output) -> eyre::Result<()> {
    let told = read(folder)?;
    let state = &told.state;
    let measured = measure(&told.events).map_err(RunnerError::from)?;
    let elapsed = state.started_at.map(|began| state.ended_at.unwrap_or(now) - began);
    let steps = state.steps.iter().map(|step| StepRow {
        id: &step.id,
        state: step.state,
        attempts: step.attempt,
        started_at: step.started_at,
        ended_at: step.ended_at,
        outcome: step.outcome.as_ref(),
        probes: step.notes.probed.as_ref(),
        why: step.why.as_deref(),
    });
    let abort =
        |abort: &'_ Abort| AbortRow { by: abort.by.to_string(), reason: abort.reason.clone(), undo: abort.undo };
    let body = Body {
        id: &state.id,
        status: &told.word,
        over: state.status.is_over(),
        plan: &state.plan,
        operator: state.operator.to_string(),
        created_at: state.created_at,
        started_at: state.started_at,
        ended_at: state.ended_at,
        elapsed_seconds: elapsed.map(|span| span.num_seconds()),
        human_wait_seconds: state.human_wait_ms / 1000,
        rto_met: rto_met(state, elapsed),
        steps: steps.collect(),
        question: state.question.as_ref(),
        abort: state.abort.as_ref().map(abort),
        exceptions: &state.exceptions,
        leftovers: &state.leftovers,
        amendments: &state.amendments,
        provisional: state.provisional.as_ref(),
        committed_at: state.committed_at(),
        measured: measured::Row::new(&measured),
        debts: &state.debts,
        lessons: lessons::read(folder)?.lessons,
        chain_head: told.head.as_ref().map(|(entry, hash)| Head { entry: *entry, hash }),
        events: told.events.len(),
    };
    Ok(out.document("run", 1, now, &body)?)
}

/// Absent while it cannot be said: no objective, or the run is not over and not late yet.
fn rto_met(state: &RunState, elapsed: Option<chrono::Duration>) -> Option<bool> {
    use crate::runbook::RunStatus::{Completed, CompletedWithExceptions};
    let in_time = elapsed?.to_std().ok()? <= state.plan.rto?;
    match state.status {
        Completed | CompletedWithExceptions => Some(in_time),
        _ if state.status.is_over() || !in_time => Some(false),
        _ => None,
    }
}
