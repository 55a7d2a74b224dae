//! The live identity of a target: read from a task's output, compared with the plan, made into a phrase.

use super::advance::At;
use crate::model::task::{TargetIdentity, Values};
use crate::model::time::Timestamp;
use crate::runbook::template;
use serde_json::Value;

/// Most facts that an identity may hold, and longest text of one in bytes.
const MAX_FACTS: usize = 64;
const MAX_TEXT: usize = 1024;

/// Reads `{ "title": …, "facts": [[name, value], …] }`.
pub fn parse(output: &Values, read_at: Timestamp) -> Result<TargetIdentity, String> {
    let text = |value: &Value| match value {
        Value::String(text) if text.len() <= MAX_TEXT => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let title = output.get("title").and_then(text).ok_or("the identity has no title")?;
    let rows = output.get("facts").and_then(Value::as_array).ok_or("the identity has no list of facts")?;
    if rows.is_empty() || rows.len() > MAX_FACTS {
        return Err(format!("an identity has 1 to {MAX_FACTS} facts, this one has {}", rows.len()));
    }
    let facts = rows
        .iter()
        .map(|row| match row.as_array().map(Vec::as_slice) {
            Some([name, value]) => text(name).zip(text(value)),
            _ => None,
        })
        .collect::<Option<Vec<_>>>()
        .ok_or("a fact of the identity is not a pair of texts")?;
    Ok(TargetIdentity { title, facts, read_at })
}

/// What differs between the plan (or what an operator accepted in its place) and now.
pub fn drift(at: At<'_>) -> Vec<(String, String, String)> {
    let Some(live) = &at.record.identity else { return Vec::new() };
    match at.record.accepted.as_ref().or(at.planned.identity.as_ref()) {
        Some(expected) => {
            let mut rows = expected.differences(live);
            if expected.title != live.title {
                rows.insert(0, ("title".to_owned(), expected.title.clone(), live.title.clone()));
            }
            rows
        }
        None => vec![("identity".to_owned(), "not in the plan".to_owned(), live.title.clone())],
    }
}

/// The phrase that confirms the step on the target as it is now.
pub fn phrase(at: At<'_>) -> Result<String, String> {
    let template = at.planned.phrase.as_deref().ok_or("the plan has no phrase for this step")?;
    let live = at.record.identity.as_ref().ok_or("the target was not identified")?;
    let loss = at.loss_to_type();
    template::render_phrase(template, live, &loss)
        .map_err(|error| format!("no phrase can be made for this target: {error}"))
}
