//! What a step proves, and what must be proven before it starts.

use super::scope::Scope;
use super::{filled, well_named};
use crate::located::{Fields, Item, Located, Problem, nearest};
use crate::runbook::definition::Declare;
use crate::runbook::modules::ModuleRow;

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
        Some(Declare { loss: loss?, phrase: phrase? })
    });
    if let Some(place) = place.filter(|_| named.is_empty()) {
        let message = "`declare` goes on without a proof, and this step asks for none";
        fields.report(Problem::at(&place, message).help("add proof_in, or leave `declare` out"));
    }
    Needed { proof_in: named.into_iter().map(|name| name.value).collect(), declare }
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
