//! The `[[steps]]` tables.

use super::scope::Scope;
use super::{commit, filled, group, limit, probe, proof};
use crate::located::{Fields, Item, Located, Problem, nearest};
use crate::model::id::StepId;
use crate::model::task::Effect;
use crate::runbook::commit::CommitPoint;
use crate::runbook::definition::{
    Action, AnswerKind, Approve, ByMode, Confirm, ModeRule, PostTemplate, SkipRule, Step, TaskTemplate,
};
use crate::runbook::modules::ModuleRow;
use std::time::Duration;

const EFFECTS: [(&str, Effect); 5] = [
    ("observe", Effect::Observe),
    ("reversible", Effect::Reversible),
    ("costly", Effect::Costly),
    ("fence", Effect::Fence),
    ("irreversible", Effect::Irreversible),
];
const CONFIRMS: [(&str, Confirm); 3] = [("none", Confirm::None), ("key", Confirm::Key), ("phrase", Confirm::Phrase)];
const SKIPS: [(&str, SkipRule); 2] = [("forbidden", SkipRule::Forbidden), ("with-reason", SkipRule::WithReason)];
const RULES: [(&str, ModeRule); 2] = [("run", ModeRule::Run), ("omit", ModeRule::Omit)];
const ANSWERS: [(&str, AnswerKind); 3] =
    [("yes-no", AnswerKind::YesNo), ("text", AnswerKind::Text), ("integer", AnswerKind::Integer)];

/// Time limit of a step that names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);
/// Most automatic repeats.
const MAX_RETRY: u32 = 10;

pub fn read(fields: &mut Fields<'_>, scope: &mut Scope<'_>, seen: &mut Vec<Located<String>>) -> Option<Step> {
    let id = fields.required::<Located<String>>("id");
    if let Some(id) = &id {
        super::well_named(id, |problem| fields.report(problem));
        if let Some(first) = seen.iter().find(|other| other.value == id.value) {
            let message = format!("two steps are called `{}`", id.value);
            fields.report(Problem::at(&id.place, message).also(&first.place, "first named here"));
        }
        seen.push(id.clone());
    }
    let title = fields.need("title").and_then(|item| filled(&item).and_then(|_| scope.text(&item)));
    let help = fields.take("help").and_then(|item| scope.text(&item)).unwrap_or_default();
    let skip = fields.take("skip").and_then(|item| item.choice(&SKIPS)).unwrap_or_default();
    let by_mode = fields.table("by_mode", |fields| Some(by_mode(fields))).unwrap_or_default();
    let (loss_from, commit) = (loss_from(fields, seen), commit::read(fields, scope, seen));
    let group = group::named(fields, scope);
    let wanted = fields.take("effect");
    let effect = wanted.as_ref().and_then(|item| item.choice(&EFFECTS));
    let (module, ask, attest) = (fields.optional::<Located<String>>("use"), fields.take("ask"), fields.take("attest"));
    match (module, ask, attest) {
        (Some(module), None, None) => {
            let id = StepId::from(id?.value);
            let parts = Common { id, group, title: title?, help, skip, by_mode, loss_from, commit };
            Some(task_step(fields, scope, parts, &module, wanted.as_ref(), effect))
        }
        (None, ask, attest) if ask.is_some() != attest.is_some() => {
            let action = human(fields, scope, ask.as_ref(), attest.as_ref());
            let proofs = proof::needed(fields, scope);
            let (approve, post) = (proof::approve(fields, scope, true), probe::post(fields, scope));
            let id = StepId::from(id?.value);
            let parts = Common { id, group, title: title?, help, skip, by_mode, loss_from, commit };
            Some(human_step(parts, action?, effect, proofs, (approve, post)))
        }
        _ => {
            fields.forbid(&["with", "confirm", "phrase", "target", "timeout", "retry", "undo", "answer"], "see above");
            fields.forbid(&["proof_out", "proof_in", "declare", "approve"], "see above");
            fields.forbid(&["post", "stable_for", "holds_within", "stop_if", "watch_every", "limit"], "see above");
            let message = "a step has exactly one of `use` (a module), `ask` (a question), `attest` (work by hand)";
            fields.report(Problem::at(&fields.place, message));
            None
        }
    }
}

/// The earlier step that says what this one loses.
fn loss_from(fields: &mut Fields<'_>, seen: &[Located<String>]) -> Option<StepId> {
    let from = fields.optional::<Located<String>>("loss_from")?;
    // The last one seen is the step itself.
    let earlier = seen.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    if earlier.iter().all(|step| step.value != from.value) {
        let near = nearest(&from.value, earlier.iter().map(|step| step.value.as_str()));
        let message = format!("there is no earlier step `{}` to say what is lost", from.value);
        fields.report(Problem::at(&from.place, message).suggest(near, "name the step that estimates it"));
    }
    Some(StepId::from(from.value))
}

struct Common {
    id: StepId,
    group: Option<String>,
    title: String,
    help: String,
    skip: SkipRule,
    by_mode: ByMode,
    loss_from: Option<StepId>,
    commit: Option<CommitPoint>,
}

fn by_mode(fields: &mut Fields<'_>) -> ByMode {
    let mut rule = |key| fields.take(key).and_then(|item: Item<'_>| item.choice(&RULES)).unwrap_or_default();
    ByMode { dry_run: rule("dry_run"), drill: rule("drill"), real: rule("real") }
}

fn human(
    fields: &mut Fields<'_>,
    scope: &Scope<'_>,
    ask: Option<&Item<'_>>,
    attest: Option<&Item<'_>>,
) -> Option<Action> {
    let answer = fields.take("answer");
    fields.forbid(
        &[
            "with",
            "confirm",
            "phrase",
            "target",
            "timeout",
            "retry",
            "undo",
            "proof_out",
            "stop_if",
            "watch_every",
            "limit",
        ],
        "a person does this step; it belongs to steps with `use`",
    );
    if let Some(prompt) = attest {
        if let Some(answer) = answer {
            answer.report(Problem::at(&answer.place, "`attest` takes a note; `answer` belongs to `ask`"));
        }
        return Some(Action::Attest { prompt: filled(prompt).and_then(|_| scope.text(prompt))? });
    }
    let prompt = ask.and_then(|item| filled(item).and_then(|_| scope.text(item)));
    let answer = match answer {
        Some(item) => item.choice(&ANSWERS),
        None => Some(AnswerKind::YesNo),
    };
    Some(Action::Question { prompt: prompt?, answer: answer? })
}

fn human_step(
    parts: Common,
    action: Action,
    effect: Option<Effect>,
    proofs: proof::Needed,
    (approve, post): (Option<Approve>, Option<PostTemplate>),
) -> Step {
    Step {
        id: parts.id,
        group: parts.group,
        title: parts.title,
        help: parts.help,
        action,
        effect: effect.unwrap_or(Effect::Observe),
        confirm: Confirm::None,
        phrase: None,
        target: None,
        timeout: DEFAULT_TIMEOUT,
        retry: 0,
        skip: parts.skip,
        undo: None,
        by_mode: parts.by_mode,
        proof_out: None,
        proof_in: proofs.proof_in,
        declare: proofs.declare,
        approve,
        post,
        loss_from: parts.loss_from,
        stop_if: None,
        limit: None,
        commit: parts.commit,
    }
}

fn task_step(
    fields: &mut Fields<'_>,
    scope: &mut Scope<'_>,
    parts: Common,
    module: &Located<String>,
    wanted: Option<&Item<'_>>,
    effect: Option<Effect>,
) -> Step {
    let row = scope.module(module, |problem| fields.report(problem));
    let with = fields.take("with");
    let with = scope.input(row, with.as_ref(), &fields.place, |problem| fields.report(problem));
    let least = row.map_or(Effect::Observe, |row| row.effect);
    let effect = effect.unwrap_or(least);
    if let Some(item) = wanted.filter(|_| effect < least) {
        let message = format!("`{}` is {least}: the step cannot claim to be {effect}", module.value);
        item.report(Problem::at(&item.place, message).help("leave `effect` out, or write a stronger one"));
    }
    let confirm = confirm(fields, effect);
    let phrase_item = fields.take("phrase");
    let phrase = phrase_item.as_ref().and_then(|item| Scope::phrase(item, parts.loss_from.is_some()));
    let target = template(fields, scope, "target", Some(Effect::Observe));
    let undo = template(fields, scope, "undo", None);
    let timeout = fields.optional::<Duration>("timeout").unwrap_or(DEFAULT_TIMEOUT);
    let retry = retry(fields, row, effect);
    let proofs = proof::needed(fields, scope);
    let proof_out = proof::given(fields, row, scope);
    let approve = proof::approve(fields, scope, true);
    let post = probe::post(fields, scope);
    let stop_if = probe::stop_if(fields, scope);
    let limit = limit::read(fields, scope, row, retry);
    if retry > 0 && approve.is_some() {
        let message = "a step that others approve is not repeated without asking";
        fields.report(Problem::at(&fields.place, message).help("leave `retry` out"));
    }
    fields.forbid(&["answer"], "it belongs to `ask`");
    phrased(fields, &parts.id, confirm, phrase_item, target.is_some());
    Step {
        id: parts.id,
        group: parts.group,
        title: parts.title,
        help: parts.help,
        action: Action::Task(TaskTemplate { module: module.value.clone(), with }),
        effect,
        confirm,
        phrase,
        target,
        timeout,
        retry,
        skip: parts.skip,
        undo,
        by_mode: parts.by_mode,
        proof_out,
        proof_in: proofs.proof_in,
        declare: proofs.declare,
        approve,
        post,
        loss_from: parts.loss_from,
        stop_if,
        limit,
        commit: parts.commit,
    }
}

/// A phrase is there where it is asked for, with the target that it is made from, and nowhere else.
fn phrased(fields: &Fields<'_>, id: &StepId, confirm: Confirm, phrase_item: Option<Item<'_>>, has_target: bool) {
    let place = fields.place;
    if confirm == Confirm::Phrase && phrase_item.is_none() {
        fields.report(
            Problem::at(&place, format!("step `{id}` is confirmed by a phrase and has none"))
                .help("phrase = \"swap {{ target.database }} {{ target.code }}\""),
        );
    }
    if confirm == Confirm::Phrase && !has_target {
        let message = format!("step `{id}` is confirmed by a phrase over its live target, and names no `target`");
        fields.report(Problem::at(&place, message));
    }
    if let Some(item) = phrase_item.filter(|_| confirm != Confirm::Phrase) {
        item.report(Problem::at(&item.place, "the phrase is never asked for: `confirm` is not \"phrase\""));
    }
}

/// Default by effect; what fences or cannot be taken back keeps its phrase, costly work its key.
fn confirm(fields: &mut Fields<'_>, effect: Effect) -> Confirm {
    let (default, least) = match effect {
        Effect::Observe => (Confirm::None, Confirm::None),
        Effect::Reversible => (Confirm::Key, Confirm::None),
        Effect::Costly => (Confirm::Key, Confirm::Key),
        Effect::Fence | Effect::Irreversible => (Confirm::Phrase, Confirm::Phrase),
    };
    let Some(item) = fields.take("confirm") else { return default };
    let Some(wanted) = item.choice(&CONFIRMS) else { return default };
    if wanted < least {
        let word = CONFIRMS.iter().find(|(_, confirm)| *confirm == least).map_or("phrase", |(word, _)| word);
        let message = format!("a step whose effect is {effect} needs at least confirm = \"{word}\"");
        item.report(Problem::at(&item.place, message).help("leave `confirm` out"));
    }
    wanted.max(least)
}

pub(super) fn template(
    fields: &mut Fields<'_>,
    scope: &Scope<'_>,
    key: &'static str,
    at_most: Option<Effect>,
) -> Option<TaskTemplate> {
    fields.table(key, |fields| {
        let (task, row) = look(fields, scope)?;
        if let (Some(row), Some(limit)) = (row, at_most)
            && row.effect > limit
        {
            let message = format!("`{}` changes something ({}): a target is only read", row.name, row.effect);
            fields.report(Problem::at(&fields.place, message));
        }
        Some(task)
    })
}

/// `use` and `with` of a table, and the module's row where there is such a module.
pub(super) fn look<'m>(fields: &mut Fields<'_>, scope: &Scope<'m>) -> Option<(TaskTemplate, Option<&'m ModuleRow>)> {
    let module = fields.required::<Located<String>>("use");
    let with = fields.take("with");
    let row = module.as_ref().and_then(|module| scope.module(module, |problem| fields.report(problem)));
    let with = scope.input(row, with.as_ref(), &fields.place, |problem| fields.report(problem));
    Some((TaskTemplate { module: module?.value, with }, row))
}

fn retry(fields: &mut Fields<'_>, row: Option<&ModuleRow>, effect: Effect) -> u32 {
    let Some(item) = fields.take("retry") else { return 0 };
    let Some(retry) = item.read::<u32>() else { return 0 };
    let repeatable = row.is_none_or(|row| row.idempotent || row.effect == Effect::Observe);
    if retry > MAX_RETRY {
        item.report(Problem::at(&item.place, format!("at most {MAX_RETRY} automatic repeats")));
    } else if retry > 0 && (!repeatable || effect >= Effect::Fence) {
        let message = "this step may not be repeated without asking";
        let help = "automatic repeats need a module that may safely run twice, and an effect below fence";
        item.report(Problem::at(&item.place, message).help(help));
    }
    retry
}
