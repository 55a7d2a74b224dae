//! A step's limit with its figures.

use super::Binding;
use crate::model::amount::Amount;
use crate::model::text::escaped;
use crate::runbook::definition::Step;
use crate::runbook::load::{bytes_in, objects_in};
use crate::runbook::template;
use serde_json::Value;

impl Binding<'_> {
    pub(super) fn limit(&self, step: &Step, place: &str, problems: &mut Vec<String>) -> Option<Amount> {
        let of = step.limit.as_ref()?;
        let context = self.context();
        let mut figure = |of: Option<&Value>, what: &str, parse: fn(&Value) -> Option<u64>| {
            let value = match template::render_deep(of?, &context) {
                Ok(value) => value,
                Err(error) => {
                    problems.push(format!("{place}, limit: {error}"));
                    return None;
                }
            };
            let count = parse(&value);
            if count.is_none() {
                let shown = value.to_string();
                problems.push(format!("{place}, limit: {} is no number of {what} above 0", escaped(&shown)));
            }
            count
        };
        let objects = figure(of.objects.as_ref(), "objects", objects_in);
        let bytes = figure(of.bytes.as_ref(), "bytes", bytes_in);
        Some(Amount { objects, bytes })
    }
}
