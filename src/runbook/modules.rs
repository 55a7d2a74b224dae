//! What runbooks need to know of the task modules: names, effects, inputs. Handed in as data, because
//! the modules themselves live in a later layer.

use crate::model::amount::Counts;
use crate::model::task::{Effect, Values};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRow {
    pub name: String,
    pub effect: Effect,
    pub idempotent: bool,
    pub inputs: Vec<InputRow>,
    pub outputs: Vec<String>,
    pub makes: Option<MakesRow>,
    pub counts: Counts,
}

/// What a module makes, and how a drill gets rid of it again. `remove` and `probe` take the inputs that they
/// share with the module by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakesRow {
    /// `database`, `folder`…
    pub what: String,
    /// The input that names it.
    pub named_by: String,
    pub remove: String,
    pub probe: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRow {
    pub name: String,
    pub kind: InputType,
    pub required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputType {
    Text,
    Integer,
    Flag,
    List,
    Table,
}

impl InputType {
    const fn word(self) -> &'static str {
        match self {
            InputType::Text => "a text",
            InputType::Integer => "a whole number",
            InputType::Flag => "true or false",
            InputType::List => "a list",
            InputType::Table => "a table",
        }
    }
}

/// All modules by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modules(BTreeMap<String, ModuleRow>);

impl FromIterator<ModuleRow> for Modules {
    fn from_iter<I: IntoIterator<Item = ModuleRow>>(rows: I) -> Self {
        Self(rows.into_iter().map(|row| (row.name.clone(), row)).collect())
    }
}

impl Modules {
    pub fn get(&self, name: &str) -> Option<&ModuleRow> {
        self.0.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// `input` as the module wants it: empty optional values left out, numbers written as text where text
    /// is asked for. Every misfit is named.
    pub fn fit(&self, module: &str, input: Values) -> Result<Values, Vec<String>> {
        let Some(row) = self.get(module) else {
            return Err(vec![format!("there is no module `{module}`")]);
        };
        let mut problems = Vec::new();
        let mut fitted = Values::new();
        for (name, value) in input {
            match row.inputs.iter().find(|spec| spec.name == name) {
                None => problems.push(format!("`{module}` has no input `{name}`")),
                Some(_) if value.is_null() => {}
                Some(spec) => match spec.kind.fit(value) {
                    Ok(value) => {
                        fitted.insert(name, value);
                    }
                    Err(value) => problems
                        .push(format!("input `{name}` of `{module}` must be {}, and is {value}", spec.kind.word())),
                },
            }
        }
        for spec in row.inputs.iter().filter(|spec| spec.required) {
            if !fitted.contains_key(&spec.name) {
                problems.push(format!("`{module}` needs its input `{}`, which is missing or empty", spec.name));
            }
        }
        if problems.is_empty() { Ok(fitted) } else { Err(problems) }
    }
}

impl InputType {
    fn fit(self, value: Value) -> Result<Value, Value> {
        match (self, value) {
            (InputType::Text, Value::Number(number)) => Ok(Value::String(number.to_string())),
            (InputType::Text, value @ Value::String(_))
            | (InputType::Flag, value @ Value::Bool(_))
            | (InputType::List, value @ Value::Array(_))
            | (InputType::Table, value @ Value::Object(_)) => Ok(value),
            (InputType::Integer, value) if value.is_i64() || value.is_u64() => Ok(value),
            (InputType::Integer, Value::String(text)) => match text.parse::<i64>() {
                Ok(number) => Ok(Value::from(number)),
                Err(_) => Err(Value::String(text)),
            },
            (_, value) => Err(value),
        }
    }
}
