//! Three lines to fill in, Cancel, and one deed: what arming and handing over look like.

use super::frame::{self, button, danger};
use super::typing;
use crate::tui::action::Act;
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, Field};
use ratatui::layout::Rect;

const LINES: usize = 3;
/// Places of the focus after the lines.
const CANCEL: usize = LINES;
const PLACES: usize = LINES + 2;

#[derive(Debug)]
pub struct Form {
    /// Of each line: what it is called, and what belongs there.
    lines: [(&'static str, &'static str); LINES],
    fields: [Field; LINES],
    focus: usize,
    touched: bool,
    problem: Option<String>,
    sent: bool,
}

/// How the box around the lines looks.
pub struct Look<'a> {
    pub title: &'a str,
    /// What it is about, where there is room for it.
    pub about: &'a str,
    pub deed: &'a str,
    pub danger: bool,
    pub width: u16,
}

impl Form {
    pub fn new(lines: [(&'static str, &'static str); LINES], filled_in: [&str; LINES]) -> Self {
        let fields = filled_in.map(Field::with);
        Self { lines, fields, focus: CANCEL, touched: false, problem: None, sent: false }
    }

    /// What the lines hold.
    pub fn texts(&self) -> [String; LINES] {
        std::array::from_fn(|at| self.fields[at].text().trim().to_owned())
    }

    /// Says what is wrong with a line, and goes there.
    pub fn refuse(&mut self, line: usize, problem: String) -> Reaction {
        self.problem = Some(problem);
        self.focus = line;
        Reaction::Handled
    }

    /// Asks once; the form stays until the answer is there.
    pub fn ask(&mut self, ask: Ask) -> Reaction {
        if self.sent {
            return Reaction::Handled;
        }
        self.sent = true;
        Reaction::Ask(ask)
    }

    /// The line that typed text goes to: with the focus on a button it is the first.
    fn line(&self) -> usize {
        if self.focus < LINES { self.focus } else { 0 }
    }

    pub fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx, look: &Look<'_>) {
        let mut doc = Doc::new();
        if let Some(problem) = &self.problem {
            doc.text(problem.clone(), Role::Warning);
        } else if area.height >= 14 {
            doc.text(look.about, Role::Base);
        }
        let width = look.width.min(area.width);
        let lines = doc.lines(width.saturating_sub(4), canvas.glyphs);
        let head = lines.len() as u16 + u16::from(!lines.is_empty());
        let inner = frame::open(canvas, area, look.title, look.danger, width, head + LINES as u16 + 4);
        for (at, line) in lines.iter().enumerate() {
            canvas.line(inner.x, inner.y + at as u16, inner.width, line);
        }
        for (at, (label, placeholder)) in self.lines.iter().enumerate() {
            let y = inner.y + head + at as u16;
            if y >= inner.bottom().saturating_sub(1) {
                break;
            }
            let role = if self.line() == at { Role::Strong } else { Role::Dim };
            canvas.text(inner.x, y, 9, label, role);
            let place = Rect { x: inner.x + 10, y, width: inner.width.saturating_sub(10), height: 1 };
            self.fields[at].draw(canvas, place, placeholder, self.line() == at);
            canvas.hit(place, Hit::Button(at as u8 + 2));
        }
        let confirm = cx.keymap.hint(Act::Confirm);
        let deed = if look.danger { danger(look.deed, confirm) } else { button(look.deed, confirm) };
        let row = [button("Cancel", cx.keymap.hint(Act::Cancel)), deed];
        frame::buttons(canvas, inner, &row, self.focus.checked_sub(CANCEL));
    }

    pub fn act(&mut self, act: Act) -> Reaction {
        match act {
            Act::NextButton => self.focus = frame::step(self.focus, PLACES, true),
            Act::PreviousButton => self.focus = frame::step(self.focus, PLACES, false),
            Act::DialogUp => self.focus = frame::step(self.line(), LINES, false),
            Act::DialogDown => self.focus = frame::step(self.line(), LINES, true),
            Act::Press if self.focus < LINES => self.focus += 1,
            Act::Press if self.focus == CANCEL && !self.touched => return Reaction::Pop,
            Act::Press => self.problem = Some("Enter confirms nothing: press ctrl-y, or esc to cancel.".to_owned()),
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    pub fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        let line = self.line();
        if typing::is_command(key, cx) || !self.fields[line].key(key) {
            return Reaction::Ignored;
        }
        self.typed_in(line)
    }

    pub fn paste(&mut self, text: &str) -> Reaction {
        let line = self.line();
        self.fields[line].paste(text);
        self.typed_in(line)
    }

    fn typed_in(&mut self, line: usize) -> Reaction {
        self.focus = line;
        self.touched = true;
        self.problem = None;
        Reaction::Handled
    }

    /// A click beside the deed, which is the caller's.
    pub fn click(&mut self, hit: Hit) -> Reaction {
        match hit {
            Hit::Button(0) => return Reaction::Pop,
            Hit::Button(line) => self.focus = usize::from(line).saturating_sub(2),
            _ => {}
        }
        Reaction::Handled
    }

    pub fn reply(&mut self, reply: Reply) -> Reaction {
        self.sent = false;
        typing::refused(reply, &mut self.problem)
    }
}
