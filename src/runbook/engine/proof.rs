//! Proofs that one step hands to another: what a later step may not start without.

use super::advance::At;
use super::{ask, prepare};
use crate::event::EventKind;
use crate::model::id::StepId;
use crate::model::task::{TaskOutcome, TaskSpec, Values};
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{StepRecord, StepState};
use serde_json::Value;

/// The proof of this name in a task's output: a table with something in it.
fn found<'a>(output: &'a Values, name: &str) -> Option<&'a Value> {
    let proof = output.get("proofs")?.as_object()?.get(name)?;
    proof.as_object().filter(|fields| !fields.is_empty()).map(|_| proof)
}

impl<'a> At<'a> {
    pub(super) fn before(&self) -> impl DoubleEndedIterator<Item = At<'a>> {
        let (state, now) = (self.state, self.now);
        let count = state.plan.steps.iter().position(|step| step.id == self.planned.id).unwrap_or(0);
        let steps = state.plan.steps[..count].iter().zip(&state.steps[..count]);
        steps.map(move |(planned, record)| At { state, planned, record, now })
    }

    /// The proof, and the step that gave it last.
    pub fn proof(&self, name: &str) -> Option<(At<'a>, &'a Value)> {
        self.before().rev().find_map(|at| {
            if at.planned.proof_out.as_deref() != Some(name) || at.record.state != StepState::Done {
                return None;
            }
            match &at.record.outcome {
                Some(TaskOutcome::Done { output }) => found(output, name).map(|proof| (at, proof)),
                _ => None,
            }
        })
    }

    /// Proofs that it needs and that nothing gave, nor was their absence declared.
    pub fn missing_proofs(&self) -> Vec<String> {
        let unproven = |name: &&String| !self.record.declared.contains(*name) && self.proof(name).is_none();
        self.planned.proof_in.iter().filter(unproven).cloned().collect()
    }

    /// The task with the proofs in its input, where its module takes them.
    pub fn with_proofs(&self, mut task: TaskSpec) -> TaskSpec {
        if self.planned.takes_proofs {
            let proofs: Values = self
                .planned
                .proof_in
                .iter()
                .filter_map(|name| self.proof(name).map(|(_, proof)| (name.clone(), proof.clone())))
                .collect();
            task.input.insert("proofs".to_owned(), Value::Object(proofs));
        }
        task
    }

    /// The end of a task that took effect: done, if it gave the proof that it owes.
    pub fn done(&self, output: &Values) -> EventKind {
        match &self.planned.proof_out {
            Some(name) if found(output, name).is_none() => {
                self.failed(format!("it took effect, and gave no proof `{name}`: what rests on it cannot start"))
            }
            _ => self.worked(),
        }
    }
}

/// `Some` while a proof is missing: the block with its reason, then the question about it.
pub fn missing(at: At<'_>) -> Option<EventKind> {
    let missing = at.missing_proofs();
    if missing.is_empty() {
        return None;
    }
    let owed = |name: &String| {
        let mut steps = at.before().filter(|step| step.planned.proof_out.as_ref() == Some(name));
        let told = steps.next_back().map(|step| format!(" (“{}” is {})", step.planned.title, step.record.state));
        format!("{name}{}", told.unwrap_or_default())
    };
    let why = format!(
        "it starts only with proof, and there is none: {}",
        missing.iter().map(owed).collect::<Vec<_>>().join(", ")
    );
    Some(prepare::blocked_then(at, why, || ask::proof(at, &missing, source(at, &missing))))
}

/// The step that can be run (again) to get a missing proof.
fn source<'a>(at: At<'a>, missing: &[String]) -> Option<At<'a>> {
    at.before().rev().find(|step| {
        matches!(step.planned.action, PlannedAction::Task(_))
            && step.planned.proof_out.as_ref().is_some_and(|name| missing.contains(name))
            && matches!(step.record.state, StepState::Skipped | StepState::DoneByHand)
    })
}

/// What the proofs of a step rest on, one sentence for its question.
pub fn rests_on(at: At<'_>) -> String {
    let given = |name: &String| match at.proof(name) {
        Some((step, _)) => {
            let when = step.record.ended_at.map(|at| format!(" at {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
            format!("{name}, given by “{}”{when}", step.planned.title)
        }
        None => format!("a declaration in place of {name}"),
    };
    match at.planned.proof_in.as_slice() {
        [] => String::new(),
        names => format!(" It rests on {}.", names.iter().map(given).collect::<Vec<_>>().join("; ")),
    }
}

impl StepRecord {
    /// It is to run (again) for the proof that another step wants. What was begun before, by a task or by
    /// hand, may be there: that is looked at first, and may be the proof already.
    pub(super) fn reopen(&mut self, changes: bool) {
        let begun = changes && (self.attempt > 0 || self.state == StepState::DoneByHand || self.may_be_there());
        if self.state == StepState::DoneByHand {
            let evidence = self.why.clone().unwrap_or_default();
            self.reality = Some(crate::model::task::Reality::Partial(format!("done by hand before: {evidence}")));
        }
        self.to(if begun { StepState::Unknown } else { StepState::Ready }, Some("it is to give its proof"));
        self.outcome = None;
        self.ended_at = None;
        self.notes = crate::runbook::state::StepNotes { interrupted: begun, ..Default::default() };
    }

    /// It waits until another step has run for it.
    pub(super) fn stand_back(&mut self, for_step: &StepId) {
        self.to(StepState::Pending, Some(&format!("waits for the proof of {for_step}")));
        self.notes = crate::runbook::state::StepNotes::default();
    }
}
