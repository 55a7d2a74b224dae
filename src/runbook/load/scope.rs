//! What templates and steps of one runbook may refer to.

use super::group;
use crate::located::{Item, Located, Place, Problem, nearest};
use crate::model::task::Values;
use crate::runbook::modules::{ModuleRow, Modules};
use crate::runbook::template;
use serde_json::Value;

pub struct Scope<'m> {
    modules: &'m Modules,
    pub params: Vec<String>,
    /// Looks so far, with the names of their outputs (empty: not known).
    pub looks: Vec<(String, Vec<String>)>,
    pub names: Vec<String>,
    /// Proofs that the steps so far give.
    pub proofs: Vec<String>,
    pub groups: Vec<group::Found>,
}

impl<'m> Scope<'m> {
    pub fn new(modules: &'m Modules) -> Self {
        Self {
            modules,
            params: Vec::new(),
            looks: Vec::new(),
            names: Vec::new(),
            proofs: Vec::new(),
            groups: Vec::new(),
        }
    }

    pub fn module(&self, name: &Located<String>, report: impl FnOnce(Problem)) -> Option<&'m ModuleRow> {
        let row = self.modules.get(&name.value);
        if row.is_none() {
            let near = nearest(&name.value, self.modules.names());
            let help = format!("there are {}", self.modules.names().collect::<Vec<_>>().join(", "));
            report(Problem::at(&name.place, format!("there is no module `{}`", name.value)).suggest(near, help));
        }
        row
    }

    pub fn row(&self, module: &str) -> Option<&'m ModuleRow> {
        self.modules.get(module)
    }

    /// The input template of a module: names that it has, all that it needs, references that exist.
    pub fn input(
        &self,
        row: Option<&ModuleRow>,
        with: Option<&Item<'_>>,
        place: &Place,
        report: impl Fn(Problem),
    ) -> Values {
        let entries = with.and_then(Item::entries).unwrap_or_default();
        let mut values = Values::new();
        for (name, item) in entries {
            if let Some(row) = row
                && !row.inputs.iter().any(|input| input.name == name.value)
            {
                let near = nearest(&name.value, row.inputs.iter().map(|input| input.name.as_str()));
                let known: Vec<&str> = row.inputs.iter().map(|input| input.name.as_str()).collect();
                let message = format!("`{}` has no input `{}`", row.name, name.value);
                report(Problem::at(&name.place, message).suggest(near, format!("it takes {}", known.join(", "))));
            }
            if let Some(value) = item.read::<Value>() {
                self.check(&value, &item.place, &report);
                values.insert(name.value, value);
            }
        }
        for input in row.into_iter().flat_map(|row| &row.inputs).filter(|input| input.required) {
            if !values.contains_key(&input.name) {
                let module = row.map(|row| row.name.as_str()).unwrap_or_default();
                report(Problem::at(place, format!("`{module}` needs its input `{}`", input.name)));
            }
        }
        values
    }

    /// A text whose references exist.
    pub fn text(&self, item: &Item<'_>) -> Option<String> {
        let text = item.read::<String>()?;
        self.check(&Value::String(text.clone()), &item.place, &|problem| item.report(problem));
        Some(text)
    }

    /// A value of any type whose texts refer to what exists.
    pub fn value(&self, item: &Item<'_>) -> Option<Value> {
        let value = item.read::<Value>()?;
        self.check(&value, &item.place, &|problem| item.report(problem));
        Some(value)
    }

    pub fn texts(&self, item: Option<Item<'_>>) -> Vec<String> {
        let items = item.and_then(|item| item.list()).unwrap_or_default();
        items.iter().filter_map(|item| self.text(item)).collect()
    }

    /// A phrase: only the live target is in reach, and the loss where an earlier step says it.
    pub fn phrase(item: &Item<'_>, loses: bool) -> Option<String> {
        let text = item.read::<String>()?;
        for name in found(&Value::String(text.clone()), &item.place, &|problem| item.report(problem)) {
            if name != "target" && !name.starts_with("target.") && !(loses && name == "loss") {
                let message = format!("a phrase cannot use `{name}`");
                let help = "a phrase is made from the live target alone: target.title, target.code, target.<fact>; `loss` needs loss_from";
                item.report(Problem::at(&item.place, message).help(help));
            }
        }
        Some(text)
    }

    fn check(&self, value: &Value, place: &Place, report: &impl Fn(Problem)) {
        for name in found(value, place, report) {
            if let Err((message, near)) = self.known(&name) {
                let help =
                    "templates can use param.<name>, resolve.<look>.<output>, name.<name>, plan.stamp, plan.mode";
                report(Problem::at(place, message).suggest(near.as_deref(), help));
            }
        }
    }

    fn known(&self, name: &str) -> Result<(), (String, Option<String>)> {
        let mut parts = name.split('.');
        let (root, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let among = |what: &str, wanted: &str, known: Vec<&str>| {
            if known.contains(&wanted) {
                return Ok(());
            }
            let near = nearest(wanted, known.iter().copied()).map(str::to_owned);
            Err((format!("there is no {what} `{wanted}`"), near))
        };
        match (root, second) {
            ("param", Some(param)) => among("parameter", param, self.params.iter().map(String::as_str).collect()),
            ("name", Some(name)) => among("name", name, self.names.iter().map(String::as_str).collect()),
            ("plan", Some(field)) => among("value of the plan", field, vec!["stamp", "mode"]),
            ("resolve", Some(look)) => {
                among("earlier look", look, self.looks.iter().map(|(id, _)| id.as_str()).collect())?;
                let outputs = self.looks.iter().find(|(id, _)| id == look).map(|(_, outputs)| outputs);
                match (third, outputs) {
                    (Some(output), Some(outputs)) if !outputs.is_empty() => {
                        let what = format!("output of look `{look}`");
                        among(&what, output, outputs.iter().map(String::as_str).collect())
                    }
                    _ => Ok(()),
                }
            }
            ("param" | "name" | "plan" | "resolve", None) => Ok(()),
            (other, _) => Err((format!("a template cannot use `{other}`"), None)),
        }
    }
}

/// References in a value; a template that cannot be read is reported.
fn found(value: &Value, place: &Place, report: &impl Fn(Problem)) -> Vec<String> {
    let mut names = Vec::new();
    if let Err(error) = template::references(value, &mut names) {
        report(Problem::at(place, format!("the template cannot be read: {}", error.problem)));
    }
    names
}
