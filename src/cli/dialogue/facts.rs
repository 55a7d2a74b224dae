//! Nested values as short facts, one per line.

use crate::model::task::Values;
use crate::model::text::escaped;
use serde_json::Value;

/// Most facts of one set; deeper ones and more are in the JSON document.
const MOST: usize = 60;
/// Longest value that is shown, in characters.
const LONGEST: usize = 200;
const DEEPEST: usize = 3;

/// `(name, value)`, names of nested values joined by dots; escaped and bounded. Empty values are left out.
pub fn facts(values: &Values) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, value) in values {
        flatten(name, value, 1, &mut found);
    }
    if found.len() > MOST {
        let more = found.len() - MOST;
        found.truncate(MOST);
        found.push(("…".to_owned(), format!("{more} more; --json shows all")));
    }
    found
}

fn flatten(name: &str, value: &Value, depth: usize, found: &mut Vec<(String, String)>) {
    let text = match value {
        Value::Null => return,
        Value::Object(fields) if depth < DEEPEST => {
            for (key, value) in fields {
                flatten(&format!("{name}.{key}"), value, depth + 1, found);
            }
            return;
        }
        Value::Object(fields) => format!("{} values", fields.len()),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) => format!("{} entries", items.len()),
        scalar => plain(scalar),
    };
    if !text.is_empty() {
        found.push((escaped(name).into_owned(), shortened(&text)));
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shortened(text: &str) -> String {
    let text = escaped(text);
    if text.chars().count() <= LONGEST {
        return text.into_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_values_become_bounded_safe_lines() {
        let value = json!({ "source": { "path": "a\u{1b}[2J", "sizes": [1, 2], "none": null }, "flag": true });
        let found = facts(value.as_object().unwrap());
        let pairs: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("source.path", "a\\x1b[2J"), ("source.sizes", "1, 2"), ("flag", "true")]);
        let many: Values = (0..500).map(|n| (n.to_string(), json!("x".repeat(1000)))).collect();
        let found = facts(&many);
        assert_eq!((found.len(), found[0].1.chars().count()), (MOST + 1, LONGEST));
    }
}
