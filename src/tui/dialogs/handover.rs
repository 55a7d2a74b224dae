//! A run given to another operator: what the one says, and what the other types back.

use super::form::{Form, Look};
use super::frame::{self, button, danger};
use super::typing;
use crate::runbook::{Handover, Intent};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::format;
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, Field};
use ratatui::layout::Rect;

const LINES: [(&str, &str); 3] = [
    ("To", "who takes the run"),
    ("Believed", "what is going on, as far as you know"),
    ("Next", "the one thing to be done next; they type it back"),
];
const OFFER: Look<'_> = Look {
    title: "Hand the run over",
    about: "The open steps go with it. Until someone takes it, you operate the run; then you only watch.",
    deed: "Offer",
    danger: false,
    width: 76,
};

/// Offers the open run to someone.
#[derive(Debug)]
pub struct OfferDialog(Form);

impl Default for OfferDialog {
    fn default() -> Self {
        Self(Form::new(LINES, [""; 3]))
    }
}

impl OfferDialog {
    fn offer(&mut self) -> Reaction {
        let [to, believed, next] = self.0.texts();
        if let Some(at) = [&to, &believed, &next].iter().position(|text| text.is_empty()) {
            return self.0.refuse(at, format!("{} must be written: it is read before the run is taken.", LINES[at].0));
        }
        self.0.ask(Ask::Intent(Intent::OfferHandover { to, believed, next }))
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
        self.0.draw(canvas, area, cx, &OFFER);
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        if act == Act::Confirm { self.offer() } else { self.0.act(act) }
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        self.0.key(key, cx)
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        self.0.paste(text)
    }

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        if hit == Hit::Button(1) { self.offer() } else { self.0.click(hit) }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.0.reply(reply)
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
        if !typing::is_command(key, cx) && self.typed.key(key) {
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
        typing::refused(reply, &mut self.problem)
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
