//! `[ui]`: how the console looks and which keys it listens to.

use super::names::Line;
use crate::located::{Fields, Problem};

/// Settings that the console reads; checked there, where themes and actions are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiSettings {
    /// Name of a theme.
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
    let theme = fields.optional::<Line>("theme").map(|line| line.0);
    let ascii = fields.optional::<bool>("ascii");
    let mouse = fields.optional::<bool>("mouse").unwrap_or(true);
    let mut keys = Vec::new();
    for (action, item) in fields.entries("keys") {
        let bound = if item.is_string() { item.read::<String>().map(|key| vec![key]) } else { item.read() };
        if bound.as_ref().is_some_and(|keys| keys.iter().any(String::is_empty)) {
            fields.report(Problem::at(&item.place, "a key cannot be empty").help("write [] to take all keys away"));
        }
        keys.extend(bound.map(|bound| (action.value, bound)));
    }
    Some(UiSettings { theme, keys, ascii, mouse })
}
