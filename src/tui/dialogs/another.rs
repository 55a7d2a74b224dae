//! Another point in place of a commit: the other values and why, then what that would do, chosen by the beginning of
//! the new plan's digest.

use super::frame::{self, button, danger};
use super::typing;
use crate::model::task::Values;
use crate::runbook::commit::{TYPED, successor, told};
use crate::runbook::{Intent, Plan, RunState};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, Field};
use ratatui::layout::Rect;

const WIDTH: u16 = 84;

#[derive(Debug)]
pub struct AnotherDialog {
    /// Title and name of each parameter that may change.
    params: Vec<String>,
    /// One field for each of them, then the reason.
    fields: Vec<Field>,
    focus: usize,
    /// The plan that was made, as it was shown.
    next: Option<(Box<Plan>, Vec<String>)>,
    typed: Field,
    problem: Option<String>,
    sent: bool,
    pane: DocPane,
}

impl AnotherDialog {
    /// `None` where the runbook declares no other point.
    pub fn open(state: &RunState) -> Option<Self> {
        let another = state.plan.steps.iter().find_map(|step| step.commit.as_ref()?.another.as_ref())?;
        let value = |name: &String| match state.plan.params.get(name) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let mut fields: Vec<Field> = another.params.iter().map(|name| Field::with(&value(name))).collect();
        fields.push(Field::default());
        Some(Self {
            params: another.params.clone(),
            fields,
            focus: 0,
            next: None,
            typed: Field::default(),
            problem: None,
            sent: false,
            pane: DocPane::default(),
        })
    }

    fn reason(&self) -> String {
        self.fields.last().map(|field| field.text().trim().to_owned()).unwrap_or_default()
    }

    fn refuse(&mut self, why: impl Into<String>) -> Reaction {
        self.problem = Some(why.into());
        Reaction::Handled
    }

    /// Asks for the plan; once that is shown, chooses it.
    fn confirm(&mut self) -> Reaction {
        if self.sent {
            return Reaction::Handled;
        }
        if self.reason().is_empty() {
            self.focus = self.params.len();
            return self.refuse("Say why this point is not the right one: it is kept in the journal.");
        }
        let Some((plan, _)) = &self.next else {
            self.sent = true;
            let values: Values = self.params.iter().cloned().zip(self.fields.iter().map(|f| f.text().into())).collect();
            return Reaction::Ask(Ask::AnotherPlan(values));
        };
        if self.typed.text().trim() != wanted(plan) {
            return self.refuse("Type the beginning of the digest exactly as it is shown.");
        }
        self.sent = true;
        Reaction::Ask(Ask::Intent(Intent::AnotherPoint { plan: plan.clone(), reason: self.reason() }))
    }

    fn field(&mut self) -> &mut Field {
        if self.next.is_some() {
            return &mut self.typed;
        }
        let at = self.focus.min(self.params.len());
        &mut self.fields[at]
    }

    fn doc(&self) -> Doc {
        let mut doc = Doc::new();
        match &self.next {
            None => {
                doc.text(
                    "What was recovered is taken back, step by step, and done anew with these values. A plan is made \
                     and shown first; nothing happens before you choose it.",
                    Role::Base,
                );
            }
            Some((_, lines)) => {
                for line in lines {
                    doc.text(line.clone(), Role::Base);
                }
            }
        }
        if let Some(problem) = &self.problem {
            doc.blank();
            doc.text(problem.clone(), Role::Warning);
        }
        doc
    }

    fn draw_fields(&self, canvas: &mut Canvas, area: Rect) {
        let labels = self.params.iter().map(String::as_str).chain(["why"]);
        for (at, (label, field)) in labels.zip(&self.fields).enumerate().take(usize::from(area.height)) {
            let y = area.y + at as u16;
            let on = self.focus == at;
            canvas.text(area.x, y, 18, label, if on { Role::Strong } else { Role::Dim });
            let place = Rect { x: area.x + 19, y, width: area.width.saturating_sub(19), height: 1 };
            field.draw(canvas, place, "", on);
            canvas.hit(place, Hit::Button(at as u8 + 2));
        }
    }
}

fn wanted(plan: &Plan) -> String {
    plan.digest.chars().take(TYPED).collect()
}

impl Screen for AnotherDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Another point".to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let doc = self.doc();
        let width = WIDTH.min(area.width);
        let text = doc.height(width.saturating_sub(6), canvas.glyphs);
        let rows = if self.next.is_some() { 1 } else { self.fields.len() as u16 };
        let inner = frame::open(canvas, area, "Another point", true, width, text + rows + 6);
        let send = cx.keymap.hint(Act::Confirm);
        let deed = match (&self.next, self.sent) {
            (_, true) => button("Wait…", String::new()),
            (None, false) => button("Show the plan", send),
            (Some(_), false) => danger("Go back by it", send),
        };
        let used = frame::buttons(canvas, inner, &[button("Cancel", cx.keymap.hint(Act::Cancel)), deed], Some(0));
        let y = inner.bottom().saturating_sub(used + rows + 1).max(inner.y);
        let place = Rect { y, height: rows.min(inner.bottom().saturating_sub(y + used)), ..inner };
        match &self.next {
            None => self.draw_fields(canvas, place),
            Some((plan, _)) => {
                let label = format!("type {}", wanted(plan));
                canvas.text(place.x, place.y, 18, &label, Role::Strong);
                let field = Rect { x: place.x + 19, width: place.width.saturating_sub(19), height: 1, ..place };
                self.typed.draw(canvas, field, "", true);
            }
        }
        self.pane.draw(canvas, Rect { height: y.saturating_sub(inner.y + u16::from(inner.height > 8)), ..inner }, &doc);
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        let places = self.fields.len();
        match act {
            Act::Confirm => return self.confirm(),
            Act::DialogUp | Act::DialogDown if self.next.is_some() => {
                self.pane.act(act);
            }
            Act::PreviousButton | Act::DialogUp => self.focus = frame::step(self.focus, places, false),
            Act::NextButton | Act::DialogDown => self.focus = frame::step(self.focus, places, true),
            Act::Press => return self.refuse("Enter confirms nothing: press ctrl-y, or esc to cancel."),
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        if !typing::is_command(key, cx) && !self.sent && self.field().key(key) {
            self.problem = None;
            return Reaction::Handled;
        }
        Reaction::Ignored
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        if self.next.is_some() {
            return self.refuse("Pasting is refused here: type it.");
        }
        self.field().paste(text);
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        match hit {
            Hit::Button(0) => return Reaction::Pop,
            Hit::Button(1) => return self.confirm(),
            Hit::Button(line) => self.focus = usize::from(line).saturating_sub(2).min(self.params.len()),
            _ => {}
        }
        Reaction::Handled
    }

    fn reply(&mut self, reply: Reply, cx: &Cx) -> Reaction {
        self.sent = false;
        let Reply::Plan(planned) = reply else { return typing::refused(reply, &mut self.problem) };
        let Some(run) = &cx.view.open_run else { return Reaction::Pop };
        let state = &run.state;
        let judged = planned.and_then(|plan| {
            let changes = successor(&state.plan, &plan).map_err(|why| vec![why])?;
            let mut lines: Vec<String> = changes.iter().map(crate::runbook::commit::Change::words).collect();
            lines.extend(told(&state.plan, &plan, |at| state.steps[at].attempt > 0));
            Ok((plan, lines))
        });
        match judged {
            Ok(next) => self.next = Some(next),
            Err(problems) => self.problem = Some(problems.join("; ")),
        }
        Reaction::Handled
    }
}
