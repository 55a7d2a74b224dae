//! The commit point of a runbook: up to there everything is done and can be taken back, from there on nothing is.

use super::plan::Plan;
use crate::model::actor::Actor;
use crate::model::id::StepId;
use crate::model::objective::optional_seconds;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Letters of its digest that are typed to choose another plan.
pub const TYPED: usize = 8;

/// What a runbook says of the step that commits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitPoint {
    /// How long the run may be provisional before that alarms. It is never committed by time.
    #[serde(with = "optional_seconds", default, skip_serializing_if = "Option::is_none")]
    pub decide_within: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub another: Option<AnotherPoint>,
}

/// How another recovery point is chosen in place of committing to this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnotherPoint {
    /// The step from which everything is done anew, after it was taken back.
    pub back_to: StepId,
    /// Parameters that may have another value then.
    pub params: Vec<String>,
}

/// Recovered, not committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provisional {
    /// The step that commits.
    pub step: StepId,
    pub since: Timestamp,
    pub decide_by: Option<Timestamp>,
    /// When the run said that this has passed.
    pub overdue_at: Option<Timestamp>,
}

/// On the way back to another point: what the plan in force did is taken back before the next plan begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub back_to: StepId,
    pub next: Arc<Plan>,
}

/// What was changed in a run on its way, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Amendment {
    pub at: Timestamp,
    pub by: Actor,
    pub why: String,
    pub changes: Vec<Change>,
    /// Number of the last question that had been put by then.
    pub asked: u64,
}

/// One value before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub what: String,
    pub before: Value,
    pub after: Value,
}

impl Change {
    /// `target_time: "10:00" -> "09:58"`.
    pub fn words(&self) -> String {
        let text = |value: &Value| match value {
            Value::Null => "nothing".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{}: {} -> {}", self.what, text(&self.before), text(&self.after))
    }
}

/// Whether `next` may take the place of `plan` at its commit point: it differs in the values that the runbook
/// declares, and in what follows from them at the steps that are done anew. `Err` says what else differs.
pub fn successor(plan: &Plan, next: &Plan) -> Result<Vec<Change>, String> {
    let Some((at, another)) = plan.steps.iter().enumerate().find_map(|(at, step)| {
        let commit = step.commit.as_ref()?;
        Some((at, commit.another.as_ref()?))
    }) else {
        return Err("its runbook declares no way to another point".to_owned());
    };
    next.verify_digest().map_err(|error| error.to_string())?;
    let same = [
        ("runbook", plan.runbook == next.runbook && plan.runbook_digest == next.runbook_digest),
        ("estate", plan.estate == next.estate && plan.environment == next.environment),
        ("mode", plan.mode == next.mode),
        ("instant that names are made from", plan.made_at == next.made_at),
        ("lock", plan.lock_scope == next.lock_scope),
        ("objectives", plan.rpo == next.rpo && plan.rto == next.rto && plan.clock == next.clock),
        ("approvers", plan.approvers == next.approvers),
        ("order of steps", plan.groups == next.groups),
        ("list of steps", plan.steps.iter().map(|step| &step.id).eq(next.steps.iter().map(|step| &step.id))),
    ];
    if let Some((what, _)) = same.iter().find(|(_, same)| !same) {
        return Err(format!("the new plan has another {what}: that is a run of its own"));
    }
    let begin = plan.steps.iter().position(|step| step.id == another.back_to).unwrap_or(at);
    for (place, (old, new)) in plan.steps.iter().zip(&next.steps).enumerate() {
        let unlike = |what: &str| Err(format!("step `{}` would {what}: that is a run of its own", old.id));
        let estimated = super::PlannedStep { estimate: old.estimate, ..new.clone() };
        if place < begin && *old != estimated {
            return unlike("have been done in another way, and it is done already");
        }
        if old.commit != new.commit || old.effect != new.effect || old.omitted != new.omitted {
            return unlike("have another nature");
        }
        if old.makes != new.makes {
            return unlike("make something that the drill does not owe");
        }
        let no_way_back = new.undo.is_none() && new.effect != crate::model::task::Effect::Observe;
        if (begin..at).contains(&place) && no_way_back && new.omitted.is_none() {
            return unlike("have no undo");
        }
    }
    let mut changes = Vec::new();
    for (name, before) in &plan.params {
        let after = next.params.get(name).cloned().unwrap_or_default();
        if *before == after {
            continue;
        }
        if !another.params.contains(name) {
            return Err(format!("the runbook does not let `{name}` change at its commit point"));
        }
        changes.push(Change { what: name.clone(), before: before.clone(), after });
    }
    if changes.is_empty() || next.params.len() != plan.params.len() {
        return Err(format!("another point needs another value of {}", another.params.join(", ")));
    }
    Ok(changes)
}

/// What going over from one plan to the other means, one line each: what is taken back, what is done in another way,
/// what is touched no more, or instead. `begun` tells of a step, by its place, whether anything was done of it.
pub fn told(plan: &Plan, next: &Plan, begun: impl Fn(usize) -> bool) -> Vec<String> {
    let another = plan.steps.iter().find_map(|step| step.commit.as_ref()?.another.as_ref());
    let from = another.and_then(|another| plan.steps.iter().position(|step| step.id == another.back_to));
    let steps = plan.steps.iter().zip(&next.steps).enumerate().skip(from.unwrap_or(0));
    let mut lines: Vec<String> = steps
        .filter(|(_, (before, _))| before.omitted.is_none())
        .map(|(at, (before, after))| {
            let undone = before.undo.is_some() && before.commit.is_none() && begun(at);
            let how = match (undone, before.action == after.action) {
                (true, _) => "is taken back, and done anew",
                (false, true) => "as planned",
                (false, false) => "is done in another way",
            };
            format!("step {}, {}: {how}", at + 1, after.title)
        })
        .collect();
    let only = |these: &[String], those: &[String], word: &str| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).map(|line| format!("{word}: {line}")).collect()
    };
    lines.extend(only(&plan.touches, &next.touches, "no more"));
    lines.extend(only(&next.touches, &plan.touches, "instead"));
    lines
}
