//! A run given to another operator: what the one says, and what the other types back.

use super::frame::{self, button, danger};
use crate::runbook::{Handover, Intent};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::format;
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, Field};
use crossterm::event::KeyCode;
use ratatui::layout::Rect;

const FIELDS: [(&str, &str); 3] = [
    ("To", "who takes the run"),
    ("Believed", "what is going on, as far as you know"),
    ("Next", "the one thing to be done next; they type it back"),
];

/// Offers the open run to someone.
#[derive(Debug)]
pub struct OfferDialog {
    fields: [Field; 3],
    /// 0 to 2 are fields, 3 is Cancel, 4 offers.
    focus: usize,
    problem: Option<String>,
    sent: bool,
}

impl Default for OfferDialog {
    fn default() -> Self {
        let fields = std::array::from_fn(|_| Field::default());
        Self { fields, focus: 3, problem: None, sent: false }
    }
}

impl OfferDialog {
    /// The field that letters go to.
    fn field(&self) -> usize {
        if self.focus < FIELDS.len() { self.focus } else { 0 }
    }

    fn offer(&mut self) -> Reaction {
        if self.sent {
            return Reaction::Handled;
        }
        if let Some(at) = self.fields.iter().position(|field| field.text().trim().is_empty()) {
            self.focus = at;
            self.problem = Some(format!("{} must be written: it is read before the run is taken.", FIELDS[at].0));
            return Reaction::Handled;
        }
        self.sent = true;
        let [to, believed, next] = [0, 1, 2].map(|at: usize| self.fields[at].text());
        Reaction::Ask(Ask::Intent(Intent::OfferHandover { to, believed, next }))
    }
}

impl Screen for OfferDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Handover".to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let mut doc = Doc::new();
        match &self.problem {
            Some(problem) => doc.text(problem.clone(), Role::Warning),
            None if area.height < 14 => &mut doc,
            None => doc.text(
                "The open steps go with it. Until someone takes it, you operate the run; then you only watch.",
                Role::Base,
            ),
        };
        let width = 76.min(area.width);
        let lines = doc.lines(width.saturating_sub(4), canvas.glyphs);
        let head = lines.len() as u16 + u16::from(!lines.is_empty());
        let inner = frame::open(canvas, area, "Hand the run over", false, width, head + 3 + 4);
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
        let row = [button("Cancel", cx.keymap.hint(Act::Cancel)), button("Offer", cx.keymap.hint(Act::Confirm))];
        frame::buttons(canvas, inner, &row, self.focus.checked_sub(3));
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::NextButton => self.focus = frame::step(self.focus, 5, true),
            Act::PreviousButton => self.focus = frame::step(self.focus, 5, false),
            Act::DialogUp => self.focus = frame::step(self.field(), 3, false),
            Act::DialogDown => self.focus = frame::step(self.field(), 3, true),
            Act::Press if self.focus == 3 && self.fields.iter().all(Field::is_empty) => return Reaction::Pop,
            Act::Press if self.focus < 2 => self.focus += 1,
            Act::Press => self.problem = Some("Enter offers nothing: press ctrl-y, or esc to cancel.".to_owned()),
            Act::Confirm => return self.offer(),
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

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        match hit {
            Hit::Button(0) => Reaction::Pop,
            Hit::Button(1) => self.offer(),
            Hit::Button(field) => {
                self.focus = usize::from(field).saturating_sub(2);
                Reaction::Handled
            }
            _ => Reaction::Handled,
        }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.sent = false;
        refused(reply, &mut self.problem)
    }
}

fn refused(reply: Reply, problem: &mut Option<String>) -> Reaction {
    match reply {
        Reply::Intent(Err(why)) => {
            *problem = Some(why);
            Reaction::Handled
        }
        _ => Reaction::Pop,
    }
}

/// Takes what is offered, by typing the next action back.
#[derive(Debug, Default)]
pub struct TakeDialog {
    typed: Field,
    problem: Option<String>,
    sent: bool,
    pane: DocPane,
}

impl TakeDialog {
    fn offer<'a>(cx: &Cx<'a>) -> Option<&'a Handover> {
        cx.view.open_run.as_ref()?.state.handover.as_ref()
    }

    fn take(&mut self) -> Reaction {
        if self.sent {
            return Reaction::Handled;
        }
        if self.typed.text().trim().is_empty() {
            self.problem = Some("Type the next action as it is written.".to_owned());
            return Reaction::Handled;
        }
        self.sent = true;
        Reaction::Ask(Ask::Intent(Intent::TakeHandover { read_back: self.typed.text() }))
    }
}

impl Screen for TakeDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Handover".to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let mut doc = Doc::new();
        match Self::offer(cx) {
            Some(offer) => offer_facts(&mut doc, offer, cx),
            None => {
                doc.text("Nothing is offered any more. Press esc.", Role::Warning);
            }
        }
        let width = 84.min(area.width);
        let text = doc.height(width.saturating_sub(6), canvas.glyphs);
        let inner = frame::open(canvas, area, "Take the run", true, width, text + 7);
        let row = [button("Cancel", cx.keymap.hint(Act::Cancel)), danger("Take it", cx.keymap.hint(Act::Confirm))];
        let used = frame::buttons(canvas, inner, &row, Some(0));
        let mut bottom = inner.bottom().saturating_sub(used + 1).max(inner.y);
        let line = Rect { y: bottom.saturating_sub(1).max(inner.y), height: 1, ..inner };
        canvas.text(line.x, line.y, 10, "read back", Role::Dim);
        let field = Rect { x: line.x + 11, width: line.width.saturating_sub(11), ..line };
        self.typed.draw(canvas, field, "type the next action", true);
        bottom = line.y;
        if let Some(problem) = &self.problem {
            bottom = bottom.saturating_sub(1).max(inner.y);
            canvas.text(inner.x, bottom, inner.width, problem, Role::Warning);
        }
        let gap = u16::from(inner.height > 10);
        self.pane.draw(canvas, Rect { height: bottom.saturating_sub(inner.y + gap), ..inner }, &doc);
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::Confirm => return self.take(),
            Act::Press if self.typed.is_empty() => return Reaction::Pop,
            Act::Press => self.problem = Some("Enter takes nothing: press ctrl-y, or esc to cancel.".to_owned()),
            Act::DialogUp | Act::DialogDown => {
                self.pane.act(act);
            }
            Act::NextButton | Act::PreviousButton => {}
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        let plain = matches!(key.code, KeyCode::Char(_)) && !key.ctrl;
        if !plain && cx.keymap.action(key, &[Scope::Dialog]).is_some() {
            return Reaction::Ignored;
        }
        if self.typed.key(key) {
            self.problem = None;
            return Reaction::Handled;
        }
        Reaction::Ignored
    }

    fn paste(&mut self, _text: &str, _cx: &Cx) -> Reaction {
        self.problem = Some("Pasting is refused here: a read-back is typed.".to_owned());
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        match hit {
            Hit::Button(0) => Reaction::Pop,
            Hit::Button(1) => self.take(),
            _ => Reaction::Handled,
        }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.sent = false;
        refused(reply, &mut self.problem)
    }
}

fn offer_facts(doc: &mut Doc, offer: &Handover, cx: &Cx) {
    let ago = format::ago(offer.at, cx.now);
    doc.fact("from", format!("{}, to {}, {ago}", offer.from, offer.to), Role::Base);
    for (at, step) in offer.open.iter().enumerate() {
        doc.fact(if at == 0 { "open" } else { "" }, step.clone(), Role::Dim);
    }
    doc.fact("believed", offer.believed.clone(), Role::Base);
    doc.fact("next", offer.next.clone(), Role::Strong);
}
