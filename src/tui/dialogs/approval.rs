//! An approval that is missing: what is to be approved, by whom, until when, and the code that takes it to a
//! device without a network.

use super::frame::{self, Button, button, danger};
use super::{ReasonDialog, ReasonKind, typing};
use crate::runbook::approval::ApprovalRequest;
use crate::runbook::{Answer, Intent, Question, QuestionKind};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::format;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane};
use ratatui::layout::Rect;

const CHOICES: [(Act, &str, bool); 5] = [
    (Act::Cancel, "Leave open", false),
    (Act::CopyCode, "Copy code", false),
    (Act::EnterSignature, "Enter signature", false),
    (Act::No, "No", false),
    (Act::OutcomeAbort, "Abort run", true),
];

#[derive(Debug)]
pub struct ApprovalDialog {
    number: u64,
    /// Place among the buttons; 0 leaves the question open.
    focus: usize,
    hint: Option<String>,
    sent: bool,
    pane: DocPane,
}

impl ApprovalDialog {
    pub fn new(number: u64) -> Self {
        Self { number, focus: 0, hint: None, sent: false, pane: DocPane::default() }
    }

    /// The question, as long as it is still the one that was opened.
    fn question<'a>(&self, cx: &Cx<'a>) -> Option<&'a Question> {
        let question = cx.view.open_run.as_ref()?.state.question.as_ref()?;
        (question.number == self.number).then_some(question)
    }

    fn choose(&mut self, act: Act, cx: &Cx) -> Reaction {
        let Some(Question { number, kind: QuestionKind::Approval { short, code, .. }, .. }) = self.question(cx) else {
            return Reaction::Pop;
        };
        match act {
            Act::Cancel => Reaction::Pop,
            Act::CopyCode => Reaction::Copy(code.clone()),
            Act::EnterSignature => {
                let prompt = format!(
                    "Both screens must show {short}. Type or paste what the approver's device printed: NAME SIGNATURE."
                );
                Reaction::Replace(Box::new(ReasonDialog::new(ReasonKind::Approve { question: *number, prompt })))
            }
            Act::No if self.sent => Reaction::Handled,
            Act::No => {
                self.sent = true;
                Reaction::Ask(Ask::Intent(Intent::Answer { question: self.number, answer: Answer::No }))
            }
            Act::OutcomeAbort => Reaction::Replace(Box::new(ReasonDialog::new(ReasonKind::Abort))),
            _ => Reaction::Handled,
        }
    }

    fn doc(&self, cx: &Cx) -> Doc {
        let mut doc = Doc::new();
        let Some(question) = self.question(cx) else {
            doc.text("This question no longer stands. Press esc.", Role::Warning);
            return doc;
        };
        facts(&mut doc, question, cx);
        if let QuestionKind::Approval { code, .. } = &question.kind {
            doc.blank();
            doc.text(format!("The code, {} characters:", code.len()), Role::Dim);
            doc.text(code.clone(), Role::Code);
        }
        doc.blank();
        doc.fact("no", question.if_no.clone(), Role::Base);
        doc.fact("nothing", question.if_nothing.clone(), Role::Dim);
        doc
    }
}

impl Screen for ApprovalDialog {
    fn scope(&self) -> Scope {
        Scope::Outcome
    }

    fn title(&self, _cx: &Cx) -> String {
        "Approval".to_owned()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let doc = self.doc(cx);
        let width = 90.min(area.width);
        let make = |(act, label, is_danger): &(Act, &'static str, bool)| {
            let key = cx.keymap.hint(*act);
            if *is_danger { danger(*label, key) } else { button(*label, key) }
        };
        let buttons: Vec<Button> = CHOICES.iter().map(make).collect();
        let feet = frame::height(canvas, width.saturating_sub(4), &buttons);
        let text = doc.height(width.saturating_sub(6), canvas.glyphs);
        let hint = u16::from(self.hint.is_some());
        let title = self.question(cx).map_or("Approval", |question| &question.title);
        let inner = frame::open(canvas, area, title, false, width, text + hint + feet + 3);
        let used = frame::buttons(canvas, inner, &buttons, Some(self.focus));
        let mut bottom = inner.bottom().saturating_sub(used);
        if let Some(hint) = &self.hint {
            bottom = bottom.saturating_sub(1);
            canvas.text(inner.x, bottom, inner.width, hint, Role::Warning);
        }
        let gap = u16::from(inner.height > 10);
        self.pane.draw(canvas, Rect { height: bottom.saturating_sub(inner.y + gap), ..inner }, &doc);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::NextButton | Act::PreviousButton => {
                self.focus = frame::step(self.focus, CHOICES.len(), act == Act::NextButton);
                Reaction::Handled
            }
            Act::Press => match CHOICES[self.focus].0 {
                act @ (Act::Cancel | Act::CopyCode | Act::EnterSignature) => self.choose(act, cx),
                act => {
                    self.hint = Some(format!("Enter confirms nothing: press {}.", cx.keymap.hint(act)));
                    Reaction::Handled
                }
            },
            Act::DialogUp | Act::DialogDown => {
                self.pane.act(act);
                Reaction::Handled
            }
            Act::DialogLeave => Reaction::Ignored,
            act => self.choose(act, cx),
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let Hit::Button(at) = hit else { return Reaction::Handled };
        CHOICES.get(usize::from(at)).map_or(Reaction::Handled, |(act, ..)| self.choose(*act, cx))
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.sent = false;
        typing::refused(reply, &mut self.hint)
    }
}

/// What is to be approved, who has, who still can, and how.
pub fn facts(doc: &mut Doc, question: &Question, cx: &Cx) {
    let QuestionKind::Approval { request, short, quorum, .. } = &question.kind else { return };
    doc.fact("loss", request.loss.clone(), Role::Warning);
    doc.fact("step", format!("{} of run {}", request.step, request.run), Role::Base);
    doc.fact("plan", format!("{}, {}", format::digest(&request.plan), request.mode), Role::Code);
    people(doc, question, *quorum, cx);
    let left = request.expires - cx.now;
    let (left, role) = if left > chrono::Duration::zero() {
        (format!("{} left", format::stopwatch(left)), Role::Base)
    } else {
        ("run out: it is asked anew".to_owned(), Role::Warning)
    };
    doc.fact("until", format!("{}, {left}", format::clock(request.expires, cx.zone())), role);
    doc.fact("short code", format!("{short}, the same on the approver's screen"), Role::Strong);
    ways(doc, request, cx);
}

fn people(doc: &mut Doc, question: &Question, quorum: u32, cx: &Cx) {
    let Some(state) = cx.view.open_run.as_ref().map(|run| &run.state) else { return };
    let given: Vec<&str> = state
        .step(&question.step)
        .map_or_else(Vec::new, |step| step.approvals.iter().map(|a| a.name.as_str()).collect());
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    let may = |name: &&str| !given.contains(name) && !state.hands.iter().any(|hand| same(hand, name));
    let can: Vec<&str> = state.plan.approvers.iter().map(|approver| approver.name.as_str()).filter(may).collect();
    let missing = usize::try_from(quorum).unwrap_or(usize::MAX).saturating_sub(given.len());
    if !given.is_empty() {
        doc.fact("approved", given.join(", "), Role::Ok);
    }
    let from = if can.is_empty() { "nobody is left who can".to_owned() } else { can.join(" or ") };
    let role = if can.len() < missing { Role::Critical } else { Role::Strong };
    doc.fact("missing", format!("{missing} of {quorum}: {from}"), role);
}

fn ways(doc: &mut Doc, request: &ApprovalRequest, cx: &Cx) {
    doc.fact("here", format!("relight approve {} --key FILE", request.run), Role::Code);
    let copy = cx.keymap.hint(Act::CopyCode);
    doc.fact("elsewhere", format!("relight approve CODE --key FILE; a, then {copy}, copies the code"), Role::Code);
}
