//! `commit_point` of a step: the last moment at which everything can be taken back.

use super::scope::Scope;
use crate::located::{Fields, Located, Place, Problem, nearest};
use crate::model::id::StepId;
use crate::model::task::Effect;
use crate::runbook::commit::{AnotherPoint, CommitPoint};
use crate::runbook::definition::{Action, Confirm, Param, ParamKind, SkipRule, Step};
use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(30 * 24);
const BESIDE: [&str; 2] = ["decide_within", "another_point"];

/// `commit_point`, `decide_within` and `another_point` of a step; `seen` are the steps up to this one.
pub fn read(fields: &mut Fields<'_>, scope: &Scope<'_>, seen: &[Located<String>]) -> Option<CommitPoint> {
    if fields.optional::<bool>("commit_point") != Some(true) {
        fields.forbid(&BESIDE, "the step is no commit point");
        return None;
    }
    let decide_within = fields.take("decide_within").and_then(|item| match item.read::<Duration>()? {
        span if (SHORTEST..=LONGEST).contains(&span) && span.subsec_nanos() == 0 => Some(span),
        _ => item.refuse("lie between 1s and 30d, in whole seconds"),
    });
    let another = fields.table("another_point", |fields| another(fields, scope, seen));
    Some(CommitPoint { decide_within, another })
}

fn another(fields: &mut Fields<'_>, scope: &Scope<'_>, seen: &[Located<String>]) -> Option<AnotherPoint> {
    let back_to = fields.required::<Located<String>>("back_to");
    let params = fields.required::<Vec<Located<String>>>("params");
    let place = fields.place;
    // The last one seen is the step itself.
    let earlier = seen.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    if let Some(step) = back_to.as_ref().filter(|back| earlier.iter().all(|step| step.value != back.value)) {
        let near = nearest(&step.value, earlier.iter().map(|step| step.value.as_str()));
        let message = format!("there is no earlier step `{}` to go back to", step.value);
        fields.report(Problem::at(&step.place, message).suggest(near, "name the first step that is done anew"));
    }
    for name in params.iter().flatten().filter(|name| !scope.params.contains(&name.value)) {
        let near = nearest(&name.value, scope.params.iter().map(String::as_str));
        let message = format!("there is no parameter `{}`", name.value);
        fields.report(Problem::at(&name.place, message).suggest(near, "name what may have another value"));
    }
    let params: Vec<String> = params?.into_iter().map(|name| name.value).collect();
    if params.is_empty() {
        fields.report(Problem::at(&place, "another point needs at least one parameter that may change"));
    }
    Some(AnotherPoint { back_to: StepId::from(back_to?.value), params })
}

/// What only the whole runbook tells: one commit point, and a way back to where it leads.
pub fn check(steps: &[Step], seen: &[Located<String>], params: &[Param], mut report: impl FnMut(Problem)) {
    let place =
        |step: &Step| seen.iter().find(|seen| seen.value == step.id.as_str()).map_or(Place::WHOLE, |seen| seen.place);
    let mut commits = steps.iter().enumerate().filter(|(_, step)| step.commit.is_some());
    let Some((at, step)) = commits.next() else { return };
    if let Some((_, second)) = commits.next() {
        let message = "a runbook has one commit point: before it all can be taken back, after it nothing";
        report(Problem::at(&place(second), message).also(&place(step), "the first is here"));
    }
    let acts = matches!(step.action, Action::Task(_)) && step.effect != Effect::Observe;
    if !acts || step.confirm == Confirm::None {
        let message =
            format!("`{}` cannot be a commit point: it must change something, and ask before it does", step.id);
        report(Problem::at(&place(step), message).help("let the step that makes the recovery final be it"));
    }
    if step.skip == SkipRule::WithReason {
        let message =
            format!("`{}` is a commit point: a run that goes on without it is neither committed nor not", step.id);
        report(Problem::at(&place(step), message).help("leave `skip` out"));
    }
    let Some(another) = step.commit.as_ref().and_then(|commit| commit.another.as_ref()) else { return };
    let from = steps.iter().position(|step| step.id == another.back_to).unwrap_or(at);
    for done in steps.get(from..at).unwrap_or_default() {
        if done.effect != Effect::Observe && done.undo.is_none() {
            let message = format!("`{}` changes something and has no undo: nobody could go back before it", done.id);
            report(Problem::at(&place(done), message).also(&place(step), "another point is chosen here"));
        }
    }
    for param in params.iter().filter(|param| another.params.contains(&param.name)) {
        if matches!(param.kind, ParamKind::Asset { .. }) {
            let message = format!("`{}` cannot change at the commit point: another asset is another run", param.name);
            report(Problem::at(&place(step), message));
        }
    }
}
