//! Which key means which action: the registry's defaults, changed by the configuration.

use super::action::{ACTIONS, Act, ActionRow, Scope};
use super::keys::Key;
use std::collections::BTreeMap;

/// A problem in the `[keys]` table of the configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeymapError {
    #[error("`{name}` is not an action{}", .near.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownAction { name: String, near: Option<String> },
    #[error("action `{action}`: {error}")]
    BadKey { action: String, error: super::keys::NotAKey },
    #[error("key `{key}` would mean both `{one}` and `{other}`")]
    Twice { key: String, one: &'static str, other: &'static str },
}

#[derive(Clone, Debug)]
pub struct Keymap {
    /// Keys of each row of the registry, in its order.
    keys: Vec<Vec<Key>>,
}

/// Scopes whose keys are live together.
fn live_together(one: Scope, other: Scope) -> bool {
    let base = |scope: Scope| matches!(scope, Scope::Global | Scope::Move);
    let dialog = |scope: Scope| matches!(scope, Scope::Dialog | Scope::Outcome);
    match (dialog(one), dialog(other)) {
        (true, true) => true,
        (false, false) => one == other || base(one) || base(other),
        _ => false,
    }
}

impl Keymap {
    /// The defaults with these changes: action name → its keys (an empty list takes the keys away).
    pub fn new(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<KeymapError>> {
        let mut problems = Vec::new();
        for name in changes.keys().filter(|name| ACTIONS.iter().all(|row| row.name != name.as_str())) {
            let near = ACTIONS
                .iter()
                .map(|row| (strsim::damerau_levenshtein(row.name, name), row.name))
                .min()
                .filter(|(distance, _)| *distance <= 3)
                .map(|(_, near)| near.to_owned());
            problems.push(KeymapError::UnknownAction { name: name.clone(), near });
        }
        let mut keys = Vec::with_capacity(ACTIONS.len());
        for row in ACTIONS {
            let texts: Vec<&str> = match changes.get(row.name) {
                Some(changed) => changed.iter().map(String::as_str).collect(),
                None => row.keys.to_vec(),
            };
            let mut parsed = Vec::new();
            for text in texts {
                match text.parse::<Key>() {
                    Ok(key) => parsed.push(key),
                    Err(error) => problems.push(KeymapError::BadKey { action: row.name.to_owned(), error }),
                }
            }
            keys.push(parsed);
        }
        let map = Self { keys };
        problems.extend(map.duplicates());
        if problems.is_empty() { Ok(map) } else { Err(problems) }
    }

    fn duplicates(&self) -> Vec<KeymapError> {
        let mut found = Vec::new();
        for (at, one) in ACTIONS.iter().enumerate() {
            for (distance, other) in ACTIONS[at + 1..].iter().enumerate() {
                if !live_together(one.scope, other.scope) {
                    continue;
                }
                let theirs = &self.keys[at + 1 + distance];
                if let Some(key) = self.keys[at].iter().find(|key| theirs.contains(key)) {
                    found.push(KeymapError::Twice { key: key.to_string(), one: one.name, other: other.name });
                }
            }
        }
        found
    }

    /// The action that a key means where these scopes are live.
    pub fn action(&self, key: Key, scopes: &[Scope]) -> Option<Act> {
        ACTIONS
            .iter()
            .zip(&self.keys)
            .find(|(row, keys)| scopes.contains(&row.scope) && keys.contains(&key))
            .map(|(row, _)| row.act)
    }

    pub fn keys_of(&self, row: &ActionRow) -> &[Key] {
        ACTIONS.iter().position(|known| known.act == row.act).map_or(&[], |at| &self.keys[at])
    }

    /// The first key of an action as text, for hints; empty where it has none.
    pub fn hint(&self, act: Act) -> String {
        let at = ACTIONS.iter().position(|row| row.act == act);
        at.and_then(|at| self.keys[at].first()).map(Key::to_string).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(pairs: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        pairs.iter().map(|(name, keys)| ((*name).to_owned(), owned(keys))).collect()
    }

    #[test]
    fn no_key_means_two_things_at_once() {
        Keymap::new(&BTreeMap::new()).unwrap();
    }

    #[test]
    fn changes_are_checked() {
        let map = Keymap::new(&changes(&[("help", &["f2"])])).unwrap();
        assert_eq!(map.action("f2".parse().unwrap(), &[Scope::Global]), Some(Act::Help));
        assert_eq!(map.action("?".parse().unwrap(), &[Scope::Global]), None);
        let problems =
            Keymap::new(&changes(&[("halp", &["f2"]), ("quit", &["nonsense"]), ("theme", &["r"])])).unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(text[0].contains("did you mean `help`"), "{text:?}");
        assert!(text[1].contains("`nonsense` is not a key"), "{text:?}");
        assert!(text[2].contains("`rescan` and `theme`"), "{text:?}");
    }
}
