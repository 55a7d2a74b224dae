//! What the console is started with.

use super::theme::Depth;
use crate::model::id::RunId;
use crate::model::time::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct TuiOptions {
    /// One of [`super::theme::NAMES`].
    pub theme: String,
    pub depth: Depth,
    /// Nothing but ASCII on the screen.
    pub ascii: bool,
    pub mouse: bool,
    /// Changes to the keys: action name → keys.
    pub keys: BTreeMap<String, Vec<String>>,
    pub clock: Arc<dyn Clock>,
    /// The console runs inside tmux: the clipboard sequence must be wrapped.
    pub tmux: bool,
    /// Follow this run from the start.
    pub open_run: Option<RunId>,
    /// Leaving ends the open runs too.
    pub runs_end: bool,
}

impl TuiOptions {
    /// Defaults for this environment. `no_color` comes from the command line and outranks it.
    pub fn from_environment(clock: Arc<dyn Clock>, no_color: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let depth = if no_color { Depth::None } else { Depth::from_environment(&variable) };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| variable(name).filter(|v| !v.is_empty()));
        let utf8 = locale.is_none_or(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("utf-8") || name.contains("utf8")
        });
        Self {
            theme: "dark".to_owned(),
            depth,
            ascii: !utf8 || variable("TERM").as_deref() == Some("dumb"),
            mouse: true,
            keys: BTreeMap::new(),
            clock,
            tmux: variable("TMUX").is_some_and(|value| !value.is_empty()),
            open_run: None,
            runs_end: false,
        }
    }
}

/// How the console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The operator left.
    Quit,
    /// A signal asked for it.
    Signal(i32),
    /// The terminal vanished. Runs live on in their runners.
    TerminalGone,
    /// The session ended first.
    SessionGone,
}

#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    #[error("standard input and output are not a terminal; use the subcommands, or `--plain` for a run")]
    NoTerminal,
    #[error("the terminal could not be {what}: {source}")]
    Terminal { what: &'static str, source: std::io::Error },
    #[error(transparent)]
    Theme(#[from] super::theme::ThemeError),
    #[error("keys: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Keys(Vec<super::keymap::KeymapError>),
}
