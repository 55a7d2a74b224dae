//! Where screens draw: cells by role, clipped, escaped, and remembering what can be clicked.

use super::fit;
use super::glyphs::Glyphs;
use super::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

/// What lies under a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A row of the list in this pane.
    Row { pane: u8, row: usize },
    /// A screen of the tab bar.
    Tab(u8),
    /// A button or choice of a dialog or form.
    Button(u8),
    /// An action of the footer, by its place in the registry.
    Action(usize),
    /// Inside the topmost dialog, on nothing.
    Inside,
}

/// A run of text with one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub text: Cow<'static, str>,
    pub role: Role,
}

pub fn span(text: impl Into<Cow<'static, str>>, role: Role) -> Span {
    Span { text: text.into(), role }
}

pub type Line = Vec<Span>;

/// Columns of a line once shown.
pub fn line_width(line: &[Span], glyphs: &Glyphs) -> usize {
    line.iter().map(|span| fit::width(&span.text, glyphs)).sum()
}

#[derive(Debug)]
pub struct Canvas<'a> {
    pub buffer: &'a mut Buffer,
    pub theme: &'a Theme,
    pub glyphs: &'a Glyphs,
    /// Later ones lie above earlier ones.
    pub hits: Vec<(Rect, Hit)>,
    /// Where the terminal's cursor belongs, if anywhere.
    pub cursor: Option<Position>,
}

impl<'a> Canvas<'a> {
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme, glyphs: &'a Glyphs) -> Self {
        Self { buffer, theme, glyphs, hits: Vec::new(), cursor: None }
    }

    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Blanks an area and lays a ground.
    pub fn fill(&mut self, area: Rect, role: Role) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                let cell = &mut self.buffer[(x, y)];
                cell.reset();
                cell.set_style(self.theme.style(Role::Base));
                cell.set_style(self.theme.style(role));
            }
        }
    }

    /// Adds a role's style to an area that is already drawn.
    pub fn tint(&mut self, area: Rect, role: Role) {
        self.buffer.set_style(area.intersection(self.buffer.area), self.theme.style(role));
    }

    /// How text of a role is written: plain text keeps the ground it stands on.
    fn ink(&self, role: Role) -> Style {
        let mut style = self.theme.style(role);
        if role == Role::Base {
            style.bg = None;
        }
        style
    }

    /// Writes text into at most `columns` and returns the columns used.
    pub fn text(&mut self, x: u16, y: u16, columns: u16, text: &str, role: Role) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return 0;
        }
        let room = columns.min(area.right() - x);
        let cut = fit::fit(text, usize::from(room), self.glyphs);
        self.buffer.set_stringn(x, y, &cut, usize::from(room), self.ink(role));
        let used = cut.width() as u16;
        // A line under a word ends with the word.
        let blanks = (cut.len() - cut.trim_end_matches(' ').len()) as u16;
        for back in 1..=blanks.min(used) {
            self.buffer[(x + used - back, y)].modifier.remove(Modifier::UNDERLINED);
        }
        used
    }

    /// The same, ending at the right edge of the `columns`.
    pub fn text_right(&mut self, x: u16, y: u16, columns: u16, text: &str, role: Role) {
        let used = fit::width(text, self.glyphs).min(usize::from(columns)) as u16;
        self.text(x + (columns - used), y, used, text, role);
    }

    /// Writes a line of spans; the span that does not fit whole is cut with an ellipsis, later ones go.
    pub fn line(&mut self, x: u16, y: u16, columns: u16, line: &[Span]) -> u16 {
        let mut used = 0;
        for (at, piece) in line.iter().enumerate() {
            let room = columns.saturating_sub(used);
            if room == 0 {
                break;
            }
            let more: usize = line[at + 1..].iter().map(|span| fit::width(&span.text, self.glyphs)).sum();
            let own = fit::width(&piece.text, self.glyphs);
            // A span that only just fills the room hides that something follows: leave its mark.
            if more > 0 && own == usize::from(room) && line[at + 1..].iter().any(|span| !span.text.trim().is_empty()) {
                let marked = format!("{} ", piece.text);
                used += self.text(x + used, y, room, &marked, piece.role);
                break;
            }
            used += self.text(x + used, y, room, &piece.text, piece.role);
            if own > usize::from(room) {
                break;
            }
        }
        used
    }

    /// A line that ends at the right edge.
    pub fn line_right(&mut self, x: u16, y: u16, columns: u16, line: &[Span]) {
        let used = line_width(line, self.glyphs).min(usize::from(columns)) as u16;
        self.line(x + (columns - used), y, used, line);
    }

    pub fn hit(&mut self, area: Rect, hit: Hit) {
        let area = area.intersection(self.buffer.area);
        if !area.is_empty() {
            self.hits.push((area, hit));
        }
    }

    /// A frame with a title left and a remark right; returns the inside.
    pub fn panel(&mut self, area: Rect, title: &[Span], remark: &[Span], border: Role) -> Rect {
        let area = area.intersection(self.buffer.area);
        if area.width < 4 || area.height < 3 {
            return area;
        }
        let set = self.glyphs.border;
        let (left, right) = (area.left(), area.right() - 1);
        let (top, bottom) = (area.top(), area.bottom() - 1);
        for x in left + 1..right {
            self.text(x, top, 1, set.horizontal_top, border);
            self.text(x, bottom, 1, set.horizontal_bottom, border);
        }
        for y in top + 1..bottom {
            self.text(left, y, 1, set.vertical_left, border);
            self.text(right, y, 1, set.vertical_right, border);
        }
        for (x, y, corner) in [
            (left, top, set.top_left),
            (right, top, set.top_right),
            (left, bottom, set.bottom_left),
            (right, bottom, set.bottom_right),
        ] {
            self.text(x, y, 1, corner, border);
        }
        let room = area.width.saturating_sub(4);
        let title_columns = (line_width(title, self.glyphs) as u16).min(room.saturating_sub(2));
        let remark_columns = line_width(remark, self.glyphs) as u16;
        if title_columns > 0 {
            self.text(left + 1, top, 1, " ", border);
            let used = self.line(left + 2, top, title_columns, title);
            self.text(left + 2 + used, top, 1, " ", border);
        }
        if remark_columns > 0 && title_columns + remark_columns + 4 <= room {
            let x = right - 2 - remark_columns;
            self.text(x - 1, top, 1, " ", border);
            self.line(x, top, remark_columns, remark);
            self.text(x + remark_columns, top, 1, " ", border);
        }
        Rect::new(left + 2, top + 1, area.width - 4, area.height - 2)
    }

    /// A horizontal rule with a title, for screens too small for frames.
    pub fn rule(&mut self, area: Rect, y: u16, title: &[Span]) {
        for x in area.left()..area.right() {
            self.text(x, y, 1, self.glyphs.rule, Role::Border);
        }
        if !title.is_empty() && area.width > 4 {
            let columns = (line_width(title, self.glyphs) as u16).min(area.width - 3);
            self.text(area.left(), y, 1, " ", Role::Border);
            let used = self.line(area.left() + 1, y, columns, title);
            self.text(area.left() + 1 + used, y, 1, " ", Role::Border);
        }
    }
}
