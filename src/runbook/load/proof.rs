//! What a step proves, and what must be proven before it starts.

use super::scope::Scope;
use super::{filled, well_named};
use crate::located::{Fields, Item, Located, Problem, nearest};
use crate::runbook::definition::{Approve, Declare};
use crate::runbook::modules::ModuleRow;
use serde_json::Value;
use std::time::Duration;

/// Most people that one step may ask for.
const MAX_QUORUM: u32 = 8;
const DEFAULT_TTL: Duration = Duration::from_mins(30);
const MIN_TTL: Duration = Duration::from_mins(1);
const MAX_TTL: Duration = Duration::from_hours(24);
/// Most proofs that one step may ask for.
const MAX_PROOFS: usize = 16;

#[derive(Default)]
pub struct Needed {
    pub proof_in: Vec<String>,
    pub declare: Option<Declare>,
}

/// `proof_in` and `declare`: every name must be given by an earlier step.
pub fn needed(fields: &mut Fields<'_>, scope: &Scope<'_>) -> Needed {
    let item = fields.take("proof_in");
    let named = item.as_ref().and_then(Item::read::<Vec<Located<String>>>).unwrap_or_default();
    for name in &named {
        if !scope.proofs.contains(&name.value) {
            let near = nearest(&name.value, scope.proofs.iter().map(String::as_str));
            let message = format!("no earlier step gives the proof `{}`", crate::model::text::escaped(&name.value));
            let help = if scope.proofs.is_empty() {
                "write proof_out on the step that gives it".to_owned()
            } else {
                format!("earlier steps give {}", scope.proofs.join(", "))
            };
            fields.report(Problem::at(&name.place, message).suggest(near, help));
        }
    }
    if let Some(item) = item.filter(|_| named.len() > MAX_PROOFS) {
        item.report(Problem::at(&item.place, format!("at most {MAX_PROOFS} proofs")));
    }
    let place = fields.key_place("declare");
    let declare = fields.table("declare", |fields| {
        let mut text = |key| fields.need(key).and_then(|item| filled(&item).and_then(|_| scope.text(&item)));
        let (loss, phrase) = (text("loss"), text("phrase"));
        let approve = approve(fields, scope, false);
        Some(Declare { loss: loss?, phrase: phrase?, approve })
    });
    if let Some(place) = place.filter(|_| named.is_empty()) {
        let message = "`declare` goes on without a proof, and this step asks for none";
        fields.report(Problem::at(&place, message).help("add proof_in, or leave `declare` out"));
    }
    Needed { proof_in: named.into_iter().map(|name| name.value).collect(), declare }
}

/// `approve = { quorum = 1, ttl = "30m", loss = "…" }`; a declaration brings its own loss.
pub fn approve(fields: &mut Fields<'_>, scope: &Scope<'_>, with_loss: bool) -> Option<Approve> {
    fields.table("approve", |fields| {
        let quorum = fields.take("quorum").map_or(Some(Some(1)), |item| match item.read::<Value>()? {
            Value::String(word) if word == "estate" => Some(None),
            Value::Number(number) if number.as_u64().is_some_and(|n| (1..=MAX_QUORUM.into()).contains(&n)) => {
                Some(number.as_u64().and_then(|number| u32::try_from(number).ok()))
            }
            _ => item.refuse(&format!("be \"estate\", or lie between 1 and {MAX_QUORUM}")),
        });
        let ttl = fields.take("ttl").map_or(Some(DEFAULT_TTL), |item| match item.read::<Duration>()? {
            ttl if (MIN_TTL..=MAX_TTL).contains(&ttl) => Some(ttl),
            _ => item.refuse("lie between 1m and 24h"),
        });
        let loss = if with_loss {
            fields.take("loss").and_then(|item| scope.text(&item))
        } else {
            fields.forbid(&["loss"], "the declaration names its loss");
            None
        };
        let loss = loss.unwrap_or_else(|| "none is stated by the runbook".to_owned());
        Some(Approve { quorum: quorum?, ttl: ttl?, loss })
    })
}

/// `proof_out`: from here on later steps may ask for it.
pub fn given(fields: &mut Fields<'_>, row: Option<&ModuleRow>, scope: &mut Scope<'_>) -> Option<String> {
    let name = fields.optional::<Located<String>>("proof_out")?;
    well_named(&name, |problem| fields.report(problem));
    if let Some(row) = row.filter(|row| !row.outputs.iter().any(|output| output == "proofs")) {
        let message = format!("`{}` gives no proofs: it has no output `proofs`", row.name);
        fields.report(Problem::at(&name.place, message));
    }
    scope.proofs.push(name.value.clone());
    Some(name.value)
}
