//! `[[steps.post]]`: what must hold after a step before it is done; `[[steps.stop_if]]`: what stops it.

use super::scope::Scope;
use super::{filled, step};
use crate::located::{Fields, Item, Located, Problem, nearest};
use crate::model::task::Effect;
use crate::runbook::definition::{PostTemplate, ProbeTemplate, WatchTemplate};
use crate::runbook::modules::ModuleRow;
use crate::runbook::probe::{Compare, Condition};
use serde_json::Value;
use std::time::Duration;

const COMPARES: [(&str, Compare); 6] = [
    ("is", Compare::Is),
    ("is_not", Compare::IsNot),
    ("at_least", Compare::AtLeast),
    ("at_most", Compare::AtMost),
    ("above", Compare::Above),
    ("below", Compare::Below),
];

/// Between two looks at what stops a step.
const WATCH_EVERY: Duration = Duration::from_secs(5);
const WATCH_SHORTEST: Duration = Duration::from_secs(1);
const WATCH_LONGEST: Duration = Duration::from_mins(10);
/// Most probes of one step.
const MAX_PROBES: usize = 8;

/// `[[steps.post]]`, `stable_for` and `holds_within` of a step.
pub fn post(fields: &mut Fields<'_>, scope: &Scope<'_>) -> Option<PostTemplate> {
    let place = fields.key_place("post");
    let mut written = 0;
    let probes = fields.tables("post", |fields| {
        written += 1;
        probe(fields, scope, "expect")
    });
    let Some(place) = place else {
        fields.forbid(&["stable_for", "holds_within"], "the step has no [[steps.post]] that must hold");
        return None;
    };
    if written == 0 {
        let message = "`post` names nothing that must hold: of nothing it cannot be said that it holds";
        fields.report(Problem::at(&place, message).help("write a [[steps.post]] table, or leave `post` out"));
    }
    if probes.len() > MAX_PROBES {
        fields.report(Problem::at(&place, format!("at most {MAX_PROBES} probes")));
    }
    let stable_for = span(fields, scope, "stable_for");
    let within = span(fields, scope, "holds_within");
    Some(PostTemplate { probes, stable_for, within })
}

/// `[[steps.stop_if]]` and `watch_every` of a step.
pub fn stop_if(fields: &mut Fields<'_>, scope: &Scope<'_>) -> Option<WatchTemplate> {
    let place = fields.key_place("stop_if");
    let mut written = 0;
    let probes = fields.tables("stop_if", |fields| {
        written += 1;
        let read = probe(fields, scope, "when");
        if fields.key_place("when").is_none() {
            let message = "a condition on which the step stops needs `when`: what must be seen for that";
            fields.report(Problem::at(&fields.place, message).help("when = { free_bytes = { below = \"2GB\" } }"));
        }
        read
    });
    let Some(place) = place else {
        fields.forbid(&["watch_every"], "the step has no [[steps.stop_if]] that is watched");
        return None;
    };
    if written == 0 {
        let message = "`stop_if` names no condition: nothing would stop the step";
        fields.report(Problem::at(&place, message).help("write a [[steps.stop_if]] table, or leave `stop_if` out"));
    }
    if probes.len() > MAX_PROBES {
        fields.report(Problem::at(&place, format!("at most {MAX_PROBES} conditions")));
    }
    let every = fields.take("watch_every").map_or(Some(WATCH_EVERY), |item| match item.read::<Duration>()? {
        every if (WATCH_SHORTEST..=WATCH_LONGEST).contains(&every) && every.subsec_nanos() == 0 => Some(every),
        _ => item.refuse("lie between 1s and 10m, in whole seconds"),
    });
    Some(WatchTemplate { probes, every: every? })
}

/// A duration, or a template that becomes one.
fn span(fields: &mut Fields<'_>, scope: &Scope<'_>, key: &'static str) -> Option<String> {
    let item = fields.take(key)?;
    let text = scope.text(&item)?;
    if !text.contains("{{") {
        item.read::<Duration>()?;
    }
    Some(text)
}

pub fn probe(fields: &mut Fields<'_>, scope: &Scope<'_>, conditions: &'static str) -> Option<ProbeTemplate> {
    let title = fields.need("title").and_then(|item| filled(&item).and_then(|_| scope.text(&item)));
    let conditions = fields.take(conditions);
    let (task, row) = step::look(fields, scope)?;
    if let Some(row) = row.filter(|row| row.effect > Effect::Observe) {
        let message = format!("`{}` changes something ({}): a probe only reads", row.name, row.effect);
        fields.report(Problem::at(&fields.place, message));
    }
    let entries = conditions.as_ref().and_then(Item::entries).unwrap_or_default();
    let conditions = entries.iter().filter_map(|(output, item)| condition(output, item, row, scope)).collect();
    Some(ProbeTemplate { title: title?, task, conditions })
}

fn condition(
    output: &Located<String>,
    item: &Item<'_>,
    row: Option<&ModuleRow>,
    scope: &Scope<'_>,
) -> Option<Condition> {
    if let Some(row) = row.filter(|row| !row.outputs.contains(&output.value)) {
        let near = nearest(&output.value, row.outputs.iter().map(String::as_str));
        let message = format!("`{}` has no output `{}`", row.name, crate::model::text::escaped(&output.value));
        let known = format!("it gives {}", row.outputs.join(", "));
        item.report(Problem::at(&output.place, message).suggest(near, known));
    }
    let (compare, value) = if item.is_table() { compared(item)? } else { (Compare::Is, item.clone()) };
    let condition = Condition { output: output.value.clone(), compare, value: scope.value(&value)? };
    let templated = matches!(&condition.value, Value::String(text) if text.contains("{{"));
    if !templated && let Err(why) = condition.clone().settled() {
        value.report(Problem::at(&value.place, why));
    }
    Some(condition)
}

/// `{ at_least = 3 }`: exactly one comparison.
fn compared<'d>(item: &Item<'d>) -> Option<(Compare, Item<'d>)> {
    let mut entries = item.entries()?.into_iter();
    let (Some((name, value)), None) = (entries.next(), entries.next()) else {
        return item.refuse("hold exactly one comparison, such as { at_least = 3 }");
    };
    let found = COMPARES.iter().find(|(word, _)| *word == name.value);
    if found.is_none() {
        let near = nearest(&name.value, COMPARES.iter().map(|(word, _)| *word));
        let known = COMPARES.map(|(word, _)| word).join(", ");
        let message = format!("there is no comparison `{}`", crate::model::text::escaped(&name.value));
        item.report(Problem::at(&name.place, message).suggest(near, format!("there are {known}")));
    }
    found.map(|(_, compare)| (*compare, value))
}
