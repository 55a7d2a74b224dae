//! Parameters as the operator gave them, checked against what the runbook asks: every problem at once.

use super::definition::{Param, ParamKind, Runbook};
use crate::model::estate::Estate;
use crate::model::id::{AssetId, StoreId};
use crate::model::task::Values;
use crate::model::text::escaped;
use serde_json::Value;
use std::path::Path;

/// Longest text that a parameter may hold, in bytes.
const MAX_TEXT: usize = 4096;

/// Typed values for every parameter of the runbook, in its order; absent optional ones are null (flags:
/// false). Texts are parsed by the parameter's type, so that a command line and a form can hand in what was
/// typed.
pub fn parse(runbook: &Runbook, given: &Values, estate: &Estate) -> Result<Values, Vec<String>> {
    let mut problems: Vec<String> = given
        .keys()
        .filter(|name| !runbook.params.iter().any(|param| &param.name == *name))
        .map(|name| {
            let known: Vec<&str> = runbook.params.iter().map(|p| p.name.as_str()).collect();
            let list = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            format!("`{}` has no parameter `{}`; {list}", runbook.id, escaped(name))
        })
        .collect();
    let mut values = Values::new();
    for param in &runbook.params {
        let raw = given.get(&param.name).filter(|value| !is_empty(value)).cloned();
        let raw = raw.or_else(|| param.default.clone().map(Value::String));
        let value = match raw {
            Some(raw) => typed(param, &raw, estate).unwrap_or_else(|problem| {
                problems.push(format!("parameter `{}`: {problem}", param.name));
                Value::Null
            }),
            None if param.required => {
                problems.push(format!("parameter `{}` ({}) is needed", param.name, param.title));
                Value::Null
            }
            None if param.kind == ParamKind::Flag => Value::Bool(false),
            None => Value::Null,
        };
        values.insert(param.name.clone(), value);
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn typed(param: &Param, raw: &Value, estate: &Estate) -> Result<Value, String> {
    let text = match raw {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => return Err(format!("a single value is wanted, not {other}")),
    };
    if text.len() > MAX_TEXT {
        return Err(format!("the text is longer than {MAX_TEXT} bytes"));
    }
    if escaped(&text) != text.as_str() {
        return Err(format!("`{}` holds control or invisible characters", escaped(&text)));
    }
    match &param.kind {
        ParamKind::Text | ParamKind::Backup { .. } => Ok(Value::String(text)),
        ParamKind::Integer { min, max } => integer(&text, *min, *max),
        ParamKind::Flag => match text.as_str() {
            "true" | "yes" | "on" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Ok(Value::Bool(false)),
            _ => Err(format!("`{text}` is neither yes nor no")),
        },
        ParamKind::Choice { of } if of.contains(&text) => Ok(Value::String(text)),
        ParamKind::Choice { of } => Err(format!("`{text}` is none of {}", of.join(", "))),
        ParamKind::Asset { kinds } => asset(&text, kinds, estate),
        ParamKind::Copy { .. } if estate.store(&StoreId::from(text.as_str())).is_some() => Ok(Value::String(text)),
        ParamKind::Copy { .. } => {
            let known: Vec<&str> = estate.stores.iter().map(|store| store.id.as_str()).collect();
            Err(format!("there is no store `{text}`; the estate has {}", known.join(", ")))
        }
        ParamKind::Path if Path::new(&text).is_absolute() => Ok(Value::String(text)),
        ParamKind::Path => Err(format!("`{text}` is not an absolute path")),
        ParamKind::Duration => match humantime::parse_duration(&text) {
            Ok(_) => Ok(Value::String(text)),
            Err(_) => Err(format!("`{text}` is not a duration such as `30s` or `15m`")),
        },
    }
}

fn integer(text: &str, min: i64, max: i64) -> Result<Value, String> {
    match text.parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(Value::from(number)),
        Ok(number) => Err(format!("{number} is not between {min} and {max}")),
        Err(_) => Err(format!("`{text}` is not a whole number")),
    }
}

fn asset(text: &str, kinds: &[crate::model::estate::AssetKind], estate: &Estate) -> Result<Value, String> {
    let fits = |kind| kinds.is_empty() || kinds.contains(&kind);
    match estate.asset(&AssetId::from(text)) {
        Some(asset) if fits(asset.kind) => Ok(Value::String(text.to_owned())),
        Some(asset) => {
            let wanted: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            Err(format!("asset `{text}` is of kind {}, and {} is wanted", asset.kind, wanted.join(" or ")))
        }
        None => {
            let known: Vec<&str> = estate.assets.iter().filter(|a| fits(a.kind)).map(|a| a.id.as_str()).collect();
            Err(format!("there is no asset `{text}`; fitting ones are {}", known.join(", ")))
        }
    }
}
