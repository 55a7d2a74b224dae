//! Leaving read-only mode: a reason, an incident if there is one, and for how long.

use super::frame::{self, button, danger};
use crate::runbook::Intent;
use crate::session::Request;
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, Field};
use crossterm::event::KeyCode;
use ratatui::layout::Rect;
use std::time::Duration;

/// Longest time that one arming lasts, in minutes.
const LONGEST: u64 = 240;
const FIELDS: [(&str, &str); 3] =
    [("Reason", "why production must change now"), ("Incident", "INC-1234, if there is one"), ("Minutes", "1 to 240")];

#[derive(Debug)]
pub struct ArmDialog {
    /// Arms the open run instead of the session.
    run: bool,
    fields: [Field; 3],
    /// 0 to 2 are fields, 3 is Cancel, 4 is Arm.
    focus: usize,
    problem: Option<String>,
    sent: bool,
}

impl ArmDialog {
    fn new(run: bool) -> Self {
        Self {
            run,
            fields: [Field::default(), Field::default(), Field::with("30")],
            focus: 3,
            problem: None,
            sent: false,
        }
    }

    pub fn for_session() -> Self {
        Self::new(false)
    }

    pub fn for_run() -> Self {
        Self::new(true)
    }

    /// The field that typed text goes to: with the focus on a button it is the first.
    fn field(&self) -> usize {
        if self.focus < FIELDS.len() { self.focus } else { 0 }
    }

    fn confirm(&mut self, cx: &Cx) -> Reaction {
        let reason = self.fields[0].text().trim().to_owned();
        let incident = Some(self.fields[1].text().trim().to_owned()).filter(|text| !text.is_empty());
        let minutes = self.fields[2].text().trim().parse::<u64>().ok().filter(|n| (1..=LONGEST).contains(n));
        if reason.is_empty() {
            self.problem = Some("A reason is needed: it goes into the journal.".to_owned());
            self.focus = 0;
            return Reaction::Handled;
        }
        let Some(minutes) = minutes else {
            self.problem = Some(format!("Minutes are a number from 1 to {LONGEST}."));
            self.focus = 2;
            return Reaction::Handled;
        };
        let span = Duration::from_secs(minutes * 60);
        if self.run {
            self.sent = true;
            let until = cx.now + chrono::Duration::seconds(span.as_secs() as i64);
            return Reaction::Ask(Ask::Intent(Intent::Arm { reason, incident, until }));
        }
        Reaction::Pop.and(Reaction::Send(Request::Arm { reason, incident, span }))
    }

    fn press(&mut self) -> Reaction {
        match self.focus {
            3 if self.fields[0].is_empty() => Reaction::Pop,
            3 => {
                self.problem = Some("esc cancels, ctrl-y arms; Enter does neither once something is typed.".to_owned());
                Reaction::Handled
            }
            4 => {
                self.problem = Some("Enter never arms: press ctrl-y.".to_owned());
                Reaction::Handled
            }
            field => {
                self.focus = field + 1;
                Reaction::Handled
            }
        }
    }
}

impl Screen for ArmDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Arm".to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let what = if self.run { "this run" } else { "this console" };
        let mut doc = Doc::new();
        let tight = area.height < 12;
        let sentence = format!(
            "Until the time is over, {what} may change {} ({}). Each step still asks on its own.",
            cx.view.estate.name, cx.view.estate.environment
        );
        if let Some(problem) = &self.problem {
            doc.text(problem.clone(), Role::Warning);
        } else if !tight {
            doc.text(sentence, Role::Base);
        }
        let width = 72.min(area.width);
        let room = width.saturating_sub(4);
        let lines = doc.lines(room, canvas.glyphs);
        let head = lines.len() as u16 + u16::from(!lines.is_empty());
        let inner = frame::open(canvas, area, &format!("Arm {what}"), true, width, head + 3 + 4);
        for (at, line) in lines.iter().enumerate() {
            canvas.line(inner.x, inner.y + at as u16, inner.width, line);
        }
        for (at, (label, placeholder)) in FIELDS.iter().enumerate() {
            let y = inner.y + head + at as u16;
            if y >= inner.bottom().saturating_sub(1) {
                break;
            }
            let role = if self.field() == at { Role::Strong } else { Role::Dim };
            canvas.text(inner.x, y, 9, label, role);
            let place = Rect { x: inner.x + 10, y, width: inner.width.saturating_sub(10), height: 1 };
            self.fields[at].draw(canvas, place, placeholder, self.field() == at);
            canvas.hit(place, Hit::Button(at as u8 + 2));
        }
        let row = [button("Cancel", cx.keymap.hint(Act::Cancel)), danger("Arm", cx.keymap.hint(Act::Confirm))];
        frame::buttons(canvas, inner, &row, self.focus.checked_sub(3));
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::NextButton => self.focus = frame::step(self.focus, 5, true),
            Act::PreviousButton => self.focus = frame::step(self.focus, 5, false),
            Act::DialogUp => self.focus = frame::step(self.field(), 3, false),
            Act::DialogDown => self.focus = frame::step(self.field(), 3, true),
            Act::Press => return self.press(),
            Act::Confirm if !self.sent => return self.confirm(cx),
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        let plain = matches!(key.code, KeyCode::Char(_)) && !key.ctrl;
        if !plain && cx.keymap.action(key, &[Scope::Dialog]).is_some() {
            return Reaction::Ignored;
        }
        let field = self.field();
        if self.fields[field].key(key) {
            self.focus = field;
            self.problem = None;
            return Reaction::Handled;
        }
        Reaction::Ignored
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        let field = self.field();
        self.fields[field].paste(text);
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match hit {
            Hit::Button(0) => Reaction::Pop,
            Hit::Button(1) => self.confirm(cx),
            Hit::Button(field) => {
                self.focus = usize::from(field) - 2;
                Reaction::Handled
            }
            _ => Reaction::Handled,
        }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.sent = false;
        match reply {
            Reply::Intent(Err(why)) => {
                self.problem = Some(why);
                Reaction::Handled
            }
            _ => Reaction::Pop,
        }
    }
}
