//! How a run ended, or where it stands.

use super::plan::span_text;
use crate::cli::{Output, Tone};
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::report::Exit;
use crate::runbook::{Mode, RunState, RunStatus};
use std::io;

pub const fn exit(status: &RunStatus) -> Exit {
    match status {
        RunStatus::Completed => Exit::Fine,
        RunStatus::CompletedWithExceptions => Exit::Warning,
        RunStatus::AbortedClean | RunStatus::AbortedDirty => Exit::Critical,
        _ => Exit::Unknown,
    }
}

const fn tone(status: &RunStatus) -> Tone {
    match exit(status) {
        Exit::Fine => Tone::Good,
        Exit::Warning => Tone::Warning,
        Exit::Critical => Tone::Critical,
        _ => Tone::Unknown,
    }
}

/// Status, time against the objective, exceptions, leftovers, names. `now` counts while the run is not over.
pub fn verdict(state: &RunState, now: Timestamp, out: &mut Output) -> io::Result<()> {
    out.line("")?;
    let word = out.toned(tone(&state.status), &state.status.word().to_uppercase());
    out.line(&format!("Run {}: {word} ({})", escaped(state.id.as_str()), state.plan.mode))?;
    let left_out = state.steps.iter().filter(|step| step.state == crate::runbook::StepState::NotRun).count();
    if left_out > 0 {
        out.line(&format!("  {left_out} of {} steps were not run; nothing is claimed about them", state.steps.len()))?;
    }
    if let Some(text) = elapsed(state, now) {
        out.line(&format!("  {text}"))?;
    }
    if let Some(abort) = &state.abort {
        out.line(&format!("  aborted by {}: {}", escaped(&abort.by.to_string()), escaped(&abort.reason)))?;
    }
    for amendment in &state.amendments {
        let (by, why) = (amendment.by.to_string(), &amendment.why);
        let what: Vec<String> = amendment.changes.iter().map(crate::runbook::commit::Change::words).collect();
        out.line(&format!("  amended by {}: {} ({})", escaped(&by), escaped(&what.join(", ")), escaped(why)))?;
    }
    for exception in &state.exceptions {
        let by = escaped(&exception.by.to_string()).into_owned();
        let place = escaped(exception.step.as_str()).into_owned();
        out.line(&format!("  exception: {place}: {} (by {by})", escaped(&exception.text)))?;
    }
    for leftover in &state.leftovers {
        out.line(&format!("  left behind: {}", escaped(leftover)))?;
    }
    let names = super::facts(&state.plan.names);
    if state.plan.mode != Mode::DryRun && state.status.is_over() {
        for (name, value) in names {
            out.line(&format!("  name {name}: {value}"))?;
        }
    }
    out.line(&format!("  next: relight report {}", escaped(state.id.as_str())))
}

/// `elapsed 4m 10s (of these 1m 02s waiting for a person), objective RTO 1h 00m: met`.
pub fn elapsed(state: &RunState, now: Timestamp) -> Option<String> {
    let began = state.clock_began()?;
    let span = state.ended_at.unwrap_or(now) - began;
    let human = chrono::Duration::milliseconds(i64::try_from(state.human_wait_ms).unwrap_or(i64::MAX));
    let rto = match state.plan.rto {
        None => "no RTO to keep".to_owned(),
        Some(rto) => {
            let late = span.to_std().is_ok_and(|span| span > rto);
            let word = match (late, state.status == RunStatus::Completed || !state.status.is_over()) {
                (true, _) => "MISSED",
                (false, true) if state.status.is_over() => "met",
                (false, true) => "not passed yet",
                (false, false) if state.status == RunStatus::CompletedWithExceptions => "met, with exceptions",
                (false, false) => "not met: the run did not complete",
            };
            format!("RTO {}: {word}", span_text(rto))
        }
    };
    Some(format!("elapsed {} (of it {} waiting for a person); {rto}", short_duration(span), short_duration(human)))
}
