//! `[ui]`: how the console looks and which keys it listens to.

use crate::located::{Fields, Item, Located, Problem, Read, nearest};
use crate::tui::action::ACTIONS;
use crate::tui::keymap::{Keymap, KeymapError};
use crate::tui::keys::Key;
use crate::tui::theme;
use std::collections::BTreeMap;

/// Settings that the console reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiSettings {
    /// Name of a theme that there is.
    pub theme: Option<String>,
    /// Action → keys, in the order of the file; they replace the built-in keys of the action.
    pub keys: Vec<(String, Vec<String>)>,
    /// Draw with ASCII alone; absent means by locale.
    pub ascii: Option<bool>,
    pub mouse: bool,
}

impl Default for UiSettings {
    fn default() -> Self {
        Self { theme: None, keys: Vec::new(), ascii: None, mouse: true }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "readers of tables have one shape")]
pub(super) fn ui(fields: &mut Fields<'_>) -> Option<UiSettings> {
    let theme = fields.optional::<ThemeName>("theme").map(|name| name.0);
    let ascii = fields.optional::<bool>("ascii");
    let mouse = fields.optional::<bool>("mouse").unwrap_or(true);
    let mut keys = Vec::new();
    let mut places = Vec::new();
    for (action, item) in fields.entries("keys") {
        if !is_action(&action, fields) {
            continue;
        }
        if let Some(bound) = bound(&item) {
            keys.push((action.value.clone(), bound));
            places.push(action);
        }
    }
    twice(&keys, &places, fields);
    Some(UiSettings { theme, keys, ascii, mouse })
}

struct ThemeName(String);

impl Read for ThemeName {
    fn read(item: &Item<'_>) -> Option<Self> {
        let text = String::read(item)?;
        if theme::NAMES.contains(&text.as_str()) {
            return Some(Self(text));
        }
        let problem = Problem::at(&item.place, format!("there is no theme `{text}`"));
        let all = theme::NAMES.map(|name| format!("`{name}`")).join(", ");
        item.report(problem.suggest(nearest(&text, theme::NAMES), format!("the themes are {all}")));
        None
    }
}

fn is_action(action: &Located<String>, fields: &Fields<'_>) -> bool {
    let names = || ACTIONS.iter().map(|row| row.name);
    if names().any(|name| name == action.value) {
        return true;
    }
    let problem = Problem::at(&action.place, format!("there is no action `{}`", action.value));
    fields.report(problem.suggest(nearest(&action.value, names()), "`relight man` lists the actions"));
    false
}

/// One key, or a list of keys.
fn bound(item: &Item<'_>) -> Option<Vec<String>> {
    if item.is_string() {
        return Some(vec![key(item)?]);
    }
    Some(item.list()?.iter().filter_map(key).collect())
}

fn key(item: &Item<'_>) -> Option<String> {
    let text = String::read(item)?;
    let problem = match text.parse::<Key>() {
        Ok(_) => return Some(text),
        Err(_) if text.is_empty() => {
            Problem::at(&item.place, "a key cannot be empty").help("write [] to take all keys away")
        }
        Err(_) => Problem::at(&item.place, format!("`{text}` is not a key"))
            .suggest(nearest(&text, Key::names()), "write for example ctrl-p, f5, enter, space, / or G"),
    };
    item.report(problem);
    None
}

/// Reports keys that would mean two things at once, where the file binds one of them.
fn twice(keys: &[(String, Vec<String>)], places: &[Located<String>], fields: &Fields<'_>) {
    let changes: BTreeMap<String, Vec<String>> = keys.iter().cloned().collect();
    let Err(problems) = Keymap::new(&changes) else { return };
    for problem in &problems {
        let KeymapError::Twice { one, other, .. } = problem else { continue };
        let place = |name: &str| places.iter().find(|action| action.value == name).map(|action| &action.place);
        let help = "give one of them another key, or [] for none";
        match (place(one), place(other)) {
            (Some(first), Some(second)) => {
                fields.report(Problem::at(second, problem.to_string()).help(help).also(first, "the other"));
            }
            (Some(place), None) | (None, Some(place)) => {
                fields.report(Problem::at(place, problem.to_string()).help(help));
            }
            (None, None) => {}
        }
    }
}
