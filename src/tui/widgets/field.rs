//! One line of input with a cursor. Longer texts use the text area.

use crate::tui::canvas::Canvas;
use crate::tui::fit;
use crate::tui::keys::Key;
use crate::tui::theme::Role;
use crossterm::event::KeyCode;
use ratatui::layout::{Position, Rect};

/// Longest text that a field takes, in characters.
const LIMIT: usize = 1_024;

#[derive(Clone, Debug, Default)]
pub struct Field {
    text: Vec<char>,
    cursor: usize,
}

impl Field {
    pub fn with(text: &str) -> Self {
        let text: Vec<char> = text.chars().take(LIMIT).collect();
        Self { cursor: text.len(), text }
    }

    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the key changed the text or the cursor.
    pub fn key(&mut self, key: Key) -> bool {
        match (key.code, key.ctrl) {
            (KeyCode::Char('u'), true) => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            (KeyCode::Char('w'), true) => {
                let mut start = self.cursor;
                while start > 0 && self.text[start - 1] == ' ' {
                    start -= 1;
                }
                while start > 0 && self.text[start - 1] != ' ' {
                    start -= 1;
                }
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            (KeyCode::Char('a'), true) | (KeyCode::Home, _) => self.cursor = 0,
            (KeyCode::Char('e'), true) | (KeyCode::End, _) => self.cursor = self.text.len(),
            (KeyCode::Char(c), false) if !key.alt => self.insert(c),
            (KeyCode::Backspace, _) if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            (KeyCode::Delete, _) if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            (KeyCode::Left, _) => self.cursor = self.cursor.saturating_sub(1),
            (KeyCode::Right, _) => self.cursor = (self.cursor + 1).min(self.text.len()),
            _ => return false,
        }
        true
    }

    fn insert(&mut self, c: char) {
        if self.text.len() < LIMIT && !c.is_control() {
            self.text.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    pub fn paste(&mut self, text: &str) {
        text.chars().for_each(|c| self.insert(c));
    }

    /// Draws the text so that the cursor is in sight; with `focused` the terminal's cursor goes there.
    pub fn draw(&self, canvas: &mut Canvas, area: Rect, placeholder: &str, focused: bool) {
        canvas.tint(area, Role::Input);
        if self.text.is_empty() {
            canvas.text(area.x, area.y, area.width, placeholder, Role::Placeholder);
        }
        let room = usize::from(area.width.saturating_sub(1));
        let mut start = 0;
        let before = |start: usize| -> usize {
            let text: String = self.text[start..self.cursor].iter().collect();
            fit::width(&text, canvas.glyphs)
        };
        while start < self.cursor && before(start) > room {
            start += 1;
        }
        let column = before(start);
        let shown: String = self.text[start..].iter().collect();
        if !self.text.is_empty() {
            canvas.text(area.x, area.y, area.width, &shown, Role::Input);
        }
        if focused && area.width > 0 {
            canvas.cursor = Some(Position::new(area.x + (column as u16).min(area.width - 1), area.y));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editing_moves_and_cuts() {
        let mut field = Field::with("one two");
        for key in ["ctrl-w", "x", "home", "y", "delete"] {
            field.key(key.parse().unwrap());
        }
        assert_eq!(field.text(), "yne x");
        field.paste("a\nb");
        assert_eq!(field.text(), "yabne x");
    }
}
