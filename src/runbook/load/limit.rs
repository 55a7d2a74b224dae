//! `limit = { objects = 1000, bytes = "20GiB" }` of a step: the most that it may touch.

use super::scope::Scope;
use crate::located::{Fields, Item, Problem};
use crate::model::size::ByteCount;
use crate::runbook::definition::LimitTemplate;
use crate::runbook::modules::ModuleRow;
use serde_json::Value;

/// `retry`: how often the step repeats itself. What it touches is counted before every start, which only asking
/// anew does.
pub fn read(fields: &mut Fields<'_>, scope: &Scope<'_>, row: Option<&ModuleRow>, retry: u32) -> Option<LimitTemplate> {
    let place = fields.key_place("limit")?;
    if retry > 0 {
        let message = "a step with a limit is not repeated without asking: what it touches is counted anew";
        fields.report(Problem::at(&place, message).help("leave `retry` out"));
    }
    fields.table("limit", |fields| {
        let (objects, bytes) = (fields.take("objects"), fields.take("bytes"));
        if objects.is_none() && bytes.is_none() {
            let message = "`limit` limits nothing";
            fields.report(Problem::at(&place, message).help("write limit = { objects = 1000, bytes = \"20GiB\" }"));
        }
        let counts = row.map(|row| (row.name.as_str(), row.counts));
        for (item, what, counted) in [
            (&objects, "objects", counts.is_none_or(|(_, counts)| counts.objects)),
            (&bytes, "bytes", counts.is_none_or(|(_, counts)| counts.bytes)),
        ] {
            if let Some(item) = item.as_ref().filter(|_| !counted) {
                let name = counts.map(|(name, _)| name).unwrap_or_default();
                let message = format!("`{name}` does not count {what} before it begins: nothing would keep it to this");
                let help = "`relight modules NAME` says what a module counts";
                item.report(Problem::at(&item.place, message).help(help));
            }
        }
        let objects = objects.and_then(|item| figure(&item, scope, objects_in, "a whole number above 0"));
        let bytes = bytes.and_then(|item| figure(&item, scope, bytes_in, "a size above 0, such as \"20GiB\""));
        Some(LimitTemplate { objects, bytes })
    })
}

/// A figure, or a template that becomes one.
fn figure(item: &Item<'_>, scope: &Scope<'_>, parse: fn(&Value) -> Option<u64>, what: &str) -> Option<Value> {
    let value = scope.value(item)?;
    let templated = matches!(&value, Value::String(text) if text.contains("{{"));
    if templated || parse(&value).is_some() { Some(value) } else { item.refuse(&format!("be {what}, or a template")) }
}

pub fn objects_in(value: &Value) -> Option<u64> {
    let count = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    count.filter(|count| *count > 0)
}

pub fn bytes_in(value: &Value) -> Option<u64> {
    let count = value.as_u64().or_else(|| Some(value.as_str()?.parse::<ByteCount>().ok()?.0));
    count.filter(|count| *count > 0)
}
