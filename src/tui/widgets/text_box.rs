//! Free text of several lines: reasons, notes, evidence.

use crate::tui::canvas::Canvas;
use crate::tui::keys::Key;
use crate::tui::theme::Role;
use crossterm::event::{KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use tui_textarea::{TextArea, WrapMode};

/// Longest text, in bytes; journals are read by people.
const LIMIT: usize = 4_096;

#[derive(Clone, Debug, Default)]
pub struct TextBox {
    area: TextArea<'static>,
}

impl TextBox {
    /// The text without blanks around it.
    pub fn text(&self) -> String {
        self.area.lines().join("\n").trim().to_owned()
    }

    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    pub fn key(&mut self, key: Key) -> bool {
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::CONTROL, key.ctrl);
        modifiers.set(KeyModifiers::ALT, key.alt);
        if self.text().len() >= LIMIT && matches!(key.code, crossterm::event::KeyCode::Char(_)) && !key.ctrl {
            return true;
        }
        self.area.input(KeyEvent::new(key.code, modifiers))
    }

    /// Pasted text without control characters, as much of it as there is room for.
    pub fn paste(&mut self, text: &str) {
        let room = LIMIT.saturating_sub(self.text().len());
        let clean = text.replace("\r\n", "\n").replace('\r', "\n");
        let clean: String = clean.chars().filter(|c| *c == '\n' || !c.is_control()).take(room).collect();
        self.area.insert_str(clean);
    }

    pub fn draw(&self, canvas: &mut Canvas, area: Rect, placeholder: &str, focused: bool) {
        let area = area.intersection(canvas.buffer.area);
        if area.is_empty() {
            return;
        }
        canvas.tint(area, Role::Input);
        let mut shown = self.area.clone();
        shown.set_wrap_mode(WrapMode::WordOrGlyph);
        shown.set_style(canvas.theme.style(Role::Input));
        shown.set_cursor_line_style(canvas.theme.style(Role::Input));
        shown.set_cursor_style(canvas.theme.style(if focused { Role::Cursor } else { Role::Input }));
        shown.set_placeholder_text(placeholder);
        shown.set_placeholder_style(canvas.theme.style(Role::Placeholder));
        shown.render(area, canvas.buffer);
    }
}
