//! Templates of runbooks: strict, and typed where a template is one expression alone.

use crate::model::task::{TargetIdentity, Values};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A template that could not be rendered, with the template as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{template}`: {problem}")]
pub struct TemplateError {
    pub template: String,
    pub problem: String,
}

fn failed(template: &str, error: &minijinja::Error) -> TemplateError {
    let problem = match (error.kind(), error.detail()) {
        (minijinja::ErrorKind::UndefinedError, detail) => {
            format!("a value that it names is not there{}", detail.map(|d| format!(" ({d})")).unwrap_or_default())
        }
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    TemplateError { template: template.to_owned(), problem }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

/// The expression, if `text` is exactly one `{{ expression }}`.
fn lone_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then(|| inner.trim_matches('-').trim())
}

/// Renders one text; a lone expression keeps its type, everything else becomes text.
pub fn render(text: &str, context: &Value) -> Result<Value, TemplateError> {
    if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
        return Ok(Value::String(text.to_owned()));
    }
    let environment = environment();
    let Some(expression) = lone_expression(text) else {
        return render_text(text, context).map(Value::String);
    };
    let value = environment
        .compile_expression(expression)
        .and_then(|expression| expression.eval(Serde(context)))
        .map_err(|error| failed(text, &error))?;
    let problem = |problem: String| TemplateError { template: text.to_owned(), problem };
    if value.is_undefined() {
        return Err(problem("a value that it names is not there".to_owned()));
    }
    Value::deserialize(value).map_err(|error| problem(format!("its value cannot be kept: {error}")))
}

/// Renders one text as text.
pub fn render_text(text: &str, context: &Value) -> Result<String, TemplateError> {
    environment().render_str(text, Serde(context)).map_err(|error| failed(text, &error))
}

/// Renders every text inside `value`, at any depth. Keys are not templates.
pub fn render_deep(value: &Value, context: &Value) -> Result<Value, TemplateError> {
    Ok(match value {
        Value::String(text) => render(text, context)?,
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| render_deep(item, context)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => Value::Object(render_fields(fields, context)?),
        plain => plain.clone(),
    })
}

pub fn render_fields(fields: &Values, context: &Value) -> Result<Values, TemplateError> {
    fields.iter().map(|(name, value)| Ok((name.clone(), render_deep(value, context)?))).collect()
}

/// Dotted names that the texts inside `value` refer to: `param.asset`, `resolve.server.database`.
pub fn references(value: &Value, found: &mut Vec<String>) -> Result<(), TemplateError> {
    match value {
        Value::String(text) => {
            let environment = environment();
            let template = environment.template_from_str(text).map_err(|error| failed(text, &error))?;
            let mut names: Vec<String> = template.undeclared_variables(true).into_iter().collect();
            names.sort();
            found.extend(names);
        }
        Value::Array(items) => items.iter().try_for_each(|item| references(item, found))?,
        Value::Object(fields) => fields.values().try_for_each(|item| references(item, found))?,
        _ => {}
    }
    Ok(())
}

/// First four hexadecimal digits of the SHA-256 over the identity's facts: changes with any of them.
pub fn identity_code(identity: &TargetIdentity) -> String {
    let mut hash = Sha256::new();
    for (name, value) in &identity.facts {
        hash.update(format!("{}:{name}={}:{value};", name.len(), value.len()));
    }
    hex::encode(hash.finalize())[..4].to_owned()
}

/// Whether a person can type this text as it stands.
pub fn can_be_typed(text: &str) -> bool {
    !text.trim().is_empty() && matches!(crate::model::text::escaped(text), std::borrow::Cow::Borrowed(_))
}

/// The confirmation phrase for a live target: only `target.title`, `target.<fact>` and `target.code` are
/// in reach, and `loss`: what an earlier step says that is lost, or nothing. Facts come from a server: a phrase with characters that cannot be typed is refused.
pub fn render_phrase(phrase: &str, identity: &TargetIdentity, loss: &str) -> Result<String, TemplateError> {
    let mut target: Map<String, Value> =
        identity.facts.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    target.insert("title".to_owned(), Value::String(identity.title.clone()));
    target.insert("code".to_owned(), Value::String(identity_code(identity)));
    let text = render_text(phrase, &json!({ "target": target, "loss": loss }))?.trim().to_owned();
    if !can_be_typed(&text) {
        let problem = "the phrase is empty or holds characters that cannot be typed".to_owned();
        return Err(TemplateError { template: phrase.to_owned(), problem });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn identity(database: &str) -> TargetIdentity {
        TargetIdentity {
            title: format!("database {database}"),
            facts: vec![("database".to_owned(), database.to_owned()), ("oid".to_owned(), "5".to_owned())],
            read_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_lone_expression_keeps_its_type() {
        let context = json!({ "param": { "jobs": 4, "list": ["a", "b"], "none": null } });
        assert_eq!(render("{{ param.jobs }}", &context), Ok(json!(4)));
        assert_eq!(render("{{ param.list }}", &context), Ok(json!(["a", "b"])));
        assert_eq!(render("{{ param.none }}", &context), Ok(Value::Null));
        assert_eq!(render("-j{{ param.jobs }}", &context), Ok(json!("-j4")));
        assert_eq!(render("{{ param.jobs }}{{ param.jobs }}", &context), Ok(json!("44")));
    }

    #[test]
    fn what_is_not_there_is_an_error_and_values_are_not_templates() {
        assert!(render("{{ param.gone }}", &json!({ "param": {} })).is_err());
        assert!(render("x {{ param.gone }}", &json!({ "param": {} })).is_err());
        assert!(render("{{ nothing }}", &json!({})).is_err());
        assert_eq!(render("{{ a }}", &json!({ "a": "{{ b }}" })), Ok(json!("{{ b }}")));
    }

    #[test]
    fn the_phrase_changes_with_the_target() {
        let phrase = |name| render_phrase("swap {{ target.database }} {{ target.code }}", &identity(name), "").unwrap();
        assert!(phrase("orders").starts_with("swap orders "));
        assert_ne!(identity_code(&identity("orders")), identity_code(&identity("orders2")));
        let losing =
            |loss| render_phrase("promote{{ ' ' ~ loss if loss else '' }}", &identity("orders"), loss).unwrap();
        assert_eq!((losing("").as_str(), losing("lose 3 commits").as_str()), ("promote", "promote lose 3 commits"));
        assert!(render_phrase("{{ param.x }}", &identity("orders"), "").is_err());
        assert!(render_phrase("swap {{ target.database }}", &identity("a\u{1b}[2J"), "").is_err());
    }
}
