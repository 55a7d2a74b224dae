//! The `[params]` tables.

use super::scope::Scope;
use crate::located::{Fields, Item, Located, Problem};
use crate::model::estate::AssetKind;
use crate::runbook::definition::{Param, ParamKind};

/// What `type` may say; the details stand in keys beside it.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Flag,
    Choice,
    Asset,
    Backup,
    Copy,
    Path,
    Duration,
}

const KINDS: [(&str, Kind); 9] = [
    ("text", Kind::Text),
    ("integer", Kind::Integer),
    ("flag", Kind::Flag),
    ("choice", Kind::Choice),
    ("asset", Kind::Asset),
    ("backup", Kind::Backup),
    ("copy", Kind::Copy),
    ("path", Kind::Path),
    ("duration", Kind::Duration),
];

pub fn read(fields: &mut Fields<'_>, scope: &mut Scope<'_>) -> Vec<Param> {
    let mut params: Vec<Param> = Vec::new();
    for (name, item) in fields.entries("params") {
        let known = params.clone();
        scope.params.push(name.value.clone());
        if let Some(param) = item.table(|fields| param(fields, &name, &known)) {
            params.push(param);
        }
    }
    params
}

fn param(fields: &mut Fields<'_>, name: &Located<String>, known: &[Param]) -> Option<Param> {
    if !name.value.starts_with(|c: char| c.is_ascii_lowercase())
        || !name.value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        let message = format!("`{}` cannot be a parameter's name", name.value);
        fields.report(Problem::at(&name.place, message).help("use a-z, 0-9 and _, beginning with a letter"));
    }
    let title = fields.optional::<String>("title").unwrap_or_else(|| name.value.clone());
    let help = fields.optional::<String>("help").unwrap_or_default();
    let kind = fields.need("type").and_then(|item| item.choice(&KINDS));
    let required = fields.optional::<bool>("required").unwrap_or(false);
    let default = fields.take("default").and_then(|item| default(&item));
    let min = fields.optional::<i64>("min").unwrap_or(i64::MIN);
    let max = fields.optional::<i64>("max").unwrap_or(i64::MAX);
    let of = fields.optional::<Vec<String>>("of");
    let kinds = fields.take("kinds").and_then(|item| kinds_of(&item)).unwrap_or_default();
    let asset = fields.optional::<Located<String>>("asset");
    let backup = fields.optional::<Located<String>>("backup");
    let place = fields.place;
    let kind = match kind? {
        Kind::Text => ParamKind::Text,
        Kind::Integer => ParamKind::Integer { min, max },
        Kind::Flag => ParamKind::Flag,
        Kind::Choice => {
            let Some(of) = of.filter(|of| !of.is_empty()) else {
                fields.report(Problem::at(&place, "a choice needs `of`: the list of what can be chosen"));
                return None;
            };
            ParamKind::Choice { of }
        }
        Kind::Asset => ParamKind::Asset { kinds },
        Kind::Backup => ParamKind::Backup { asset: partner(fields, asset, "asset", known)? },
        Kind::Copy => ParamKind::Copy { backup: partner(fields, backup, "backup", known)? },
        Kind::Path => ParamKind::Path,
        Kind::Duration => ParamKind::Duration,
    };
    Some(Param { name: name.value.clone(), title, help, kind, required, default })
}

/// Defaults are kept as the text that an operator would type.
fn default(item: &Item<'_>) -> Option<String> {
    match item.read::<serde_json::Value>()? {
        serde_json::Value::String(text) => Some(text),
        plain @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Some(plain.to_string()),
        _ => item.refuse("be a text, a number, or true or false"),
    }
}

fn kinds_of(item: &Item<'_>) -> Option<Vec<AssetKind>> {
    item.list()?.iter().map(|entry| entry.choice(&AssetKind::ALL)).collect()
}

/// The earlier parameter of the right type that this one depends on.
fn partner(fields: &Fields<'_>, named: Option<Located<String>>, key: &str, known: &[Param]) -> Option<String> {
    let fits = |param: &&Param| match key {
        "asset" => matches!(param.kind, ParamKind::Asset { .. }),
        _ => matches!(param.kind, ParamKind::Backup { .. }),
    };
    let Some(named) = named else {
        fields.report(Problem::at(&fields.place, format!("it needs `{key}`: the {key} parameter that it belongs to")));
        return None;
    };
    if known.iter().filter(fits).any(|param| param.name == named.value) {
        return Some(named.value);
    }
    let message = format!("no earlier parameter of type {key} is called `{}`", named.value);
    let near = crate::located::nearest(&named.value, known.iter().filter(fits).map(|param| param.name.as_str()));
    fields.report(Problem::at(&named.place, message).suggest(near, ""));
    None
}
