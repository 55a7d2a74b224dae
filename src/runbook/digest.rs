//! Digests over JSON values: the same for the same content, whatever the order of keys.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// SHA-256 of the canonical form (keys sorted at every depth, no white space), hexadecimal.
pub fn of(value: &Value) -> String {
    hex::encode(Sha256::digest(canonical(value).to_string()))
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            let sorted: Map<String, Value> = keys.into_iter().map(|k| (k.clone(), canonical(&fields[k]))).collect();
            Value::Object(sorted)
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        plain => plain.clone(),
    }
}

/// `value` in the form that it keeps when it is written and read again: the reader may move the last
/// bit of a fraction, and a digest must survive that.
pub fn settled(value: &Value) -> Value {
    let mut now = value.clone();
    for _ in 0..4 {
        let Ok(next) = serde_json::from_str::<Value>(&now.to_string()) else { return now };
        if next == now {
            break;
        }
        now = next;
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_keys_does_not_count_and_content_does() {
        let (a, b) =
            (json!({ "x": { "b": 1, "a": [1, 2] }, "y": 1.5 }), json!({ "y": 1.5, "x": { "a": [1, 2], "b": 1 } }));
        assert_eq!(of(&a), of(&b));
        assert_ne!(of(&a), of(&json!({ "x": { "b": 1, "a": [2, 1] }, "y": 1.5 })));
    }
}
