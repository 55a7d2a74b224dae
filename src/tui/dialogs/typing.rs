//! What dialogs with typed text share.

use crate::tui::action::Scope;
use crate::tui::keys::Key;
use crate::tui::screen::{Cx, Reaction, Reply};
use crossterm::event::KeyCode;

/// Whether the key is one of the dialog's own: those with a letter are text here.
pub fn is_command(key: Key, cx: &Cx) -> bool {
    let letter = matches!(key.code, KeyCode::Char(_)) && !key.ctrl;
    !letter && cx.keymap.action(key, &[Scope::Dialog]).is_some()
}

/// A refusal stays in the dialog with what was typed; anything else ends it.
pub fn refused(reply: Reply, problem: &mut Option<String>) -> Reaction {
    match reply {
        Reply::Intent(Err(why)) => {
            *problem = Some(why);
            Reaction::Handled
        }
        _ => Reaction::Pop,
    }
}
