//! The open question of a run: the live target, what yes, no and nothing mean, and the ways to answer.

use super::frame::{self, Button, button, danger};
use super::{AmendDialog, ApprovalDialog, ArmDialog, ReasonDialog, ReasonKind, approval, typing};
use crate::runbook::{Answer, AnswerKind, Intent, Question, QuestionKind};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::fit;
use crate::tui::format;
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, Field};
use ratatui::layout::Rect;

#[derive(Debug)]
pub struct QuestionDialog {
    number: u64,
    scope: Scope,
    phrase: Option<String>,
    typed: Field,
    /// Place among the buttons; 0 is Cancel.
    focus: usize,
    hint: Option<String>,
    sent: bool,
    pane: DocPane,
}

impl QuestionDialog {
    /// The dialog that fits the question.
    pub fn open(question: &Question) -> Box<dyn Screen> {
        let number = question.number;
        match &question.kind {
            QuestionKind::Arm => Box::new(ArmDialog::for_run()),
            QuestionKind::Attest { prompt } => {
                Box::new(ReasonDialog::new(ReasonKind::Attest { question: number, prompt: prompt.clone() }))
            }
            QuestionKind::Answer { prompt, answer: kind @ (AnswerKind::Text | AnswerKind::Integer) } => {
                let kind = *kind;
                Box::new(ReasonDialog::new(ReasonKind::Answer { question: number, prompt: prompt.clone(), kind }))
            }
            QuestionKind::Approval { .. } => Box::new(ApprovalDialog::new(number)),
            kind => Box::new(Self {
                number,
                scope: match kind {
                    QuestionKind::Failed { .. }
                    | QuestionKind::Unknown
                    | QuestionKind::Drift
                    | QuestionKind::Limit { .. }
                    | QuestionKind::Proof { phrase: None, .. } => Scope::Outcome,
                    _ => Scope::Dialog,
                },
                phrase: match kind {
                    QuestionKind::Phrase { phrase } | QuestionKind::Proof { phrase: Some(phrase), .. } => {
                        Some(phrase.clone())
                    }
                    _ => None,
                },
                typed: Field::default(),
                focus: 0,
                hint: None,
                sent: false,
                pane: DocPane::default(),
            }),
        }
    }

    /// The question, as long as it is still the one that was opened.
    fn question<'a>(&self, cx: &Cx<'a>) -> Option<&'a Question> {
        let question = cx.view.open_run.as_ref()?.state.question.as_ref()?;
        (question.number == self.number).then_some(question)
    }

    fn choices(question: Option<&Question>) -> Vec<(Act, &'static str, bool)> {
        let mut out = vec![(Act::Cancel, "Leave open", false)];
        match question.map(|question| &question.kind) {
            Some(QuestionKind::Key) => {
                out.push((Act::Yes, "Yes, do it", true));
                out.push((Act::No, "No", false));
            }
            Some(QuestionKind::Answer { .. }) => {
                out.push((Act::Yes, "Yes", false));
                out.push((Act::No, "No", false));
            }
            Some(QuestionKind::Phrase { .. }) => {
                out.push((Act::Confirm, "Do it", true));
                out.push((Act::No, "No", false));
            }
            Some(QuestionKind::Failed { may_retry, may_skip, may_undo, may_look }) => {
                let offers = [
                    (*may_retry, (Act::Retry, "Retry", false)),
                    (*may_look, (Act::LookAgain, "Look again", false)),
                    (*may_undo, (Act::TakeBack, "Take back", false)),
                    (*may_skip, (Act::Skip, "Skip", true)),
                ];
                out.extend(offers.into_iter().filter(|(may, _)| *may).map(|(_, choice)| choice));
                out.push((Act::ByHand, "Done by hand", true));
                out.push((Act::OutcomeAbort, "Abort run", true));
            }
            Some(QuestionKind::Unknown) => {
                out.push((Act::LookAgain, "Look again", false));
                out.push((Act::ByHand, "Done by hand", true));
                out.push((Act::OutcomeAbort, "Abort run", true));
            }
            Some(QuestionKind::Proof { phrase, from, .. }) => {
                if from.is_some() {
                    out.push((Act::Retry, "Get the proof", false));
                }
                if phrase.is_some() {
                    out.push((Act::Confirm, "Declare the loss", true));
                    out.push((Act::No, "No", false));
                } else {
                    out.push((Act::OutcomeAbort, "Abort run", true));
                }
            }
            Some(QuestionKind::Limit { may_skip, .. }) => {
                out.push((Act::LookAgain, "Count again", false));
                out.push((Act::RaiseLimit, "Raise the limit", true));
                out.extend(may_skip.then_some((Act::Skip, "Skip", true)));
                out.push((Act::OutcomeAbort, "Abort run", true));
            }
            Some(QuestionKind::Drift) => {
                out.push((Act::LookAgain, "Look again", false));
                out.push((Act::AcceptDrift, "Accept change", true));
                out.push((Act::OutcomeAbort, "Abort run", true));
            }
            _ => {}
        }
        out
    }

    fn buttons(&self, choices: &[(Act, &'static str, bool)], cx: &Cx) -> Vec<Button> {
        let make = |(act, label, is_danger): &(Act, &'static str, bool)| {
            // While a phrase is typed, `n` and `r` are letters.
            let letter = self.phrase.is_some() && matches!(act, Act::No | Act::Retry);
            let key = if letter { String::new() } else { cx.keymap.hint(*act) };
            if *is_danger { danger(*label, key) } else { button(*label, key) }
        };
        choices.iter().map(make).collect()
    }

    fn answer(&mut self, answer: Answer) -> Reaction {
        if self.sent {
            return Reaction::Handled;
        }
        self.sent = true;
        Reaction::Ask(Ask::Intent(Intent::Answer { question: self.number, answer }))
    }

    /// A choice by its key or a click.
    fn choose(&mut self, act: Act, cx: &Cx) -> Reaction {
        let Some(question) = self.question(cx) else { return Reaction::Pop };
        if !Self::choices(Some(question)).iter().any(|(known, ..)| *known == act) {
            return Reaction::Handled;
        }
        let reason = |kind| Reaction::Replace(Box::new(ReasonDialog::new(kind)));
        match act {
            Act::Cancel => Reaction::Pop,
            Act::Yes => self.answer(Answer::Yes),
            Act::No => self.answer(Answer::No),
            Act::Confirm => self.confirm(),
            Act::Retry => self.answer(Answer::Retry),
            Act::LookAgain => self.answer(Answer::LookAgain),
            Act::TakeBack => self.answer(Answer::Undo),
            Act::Skip => reason(ReasonKind::Skip(self.number)),
            Act::ByHand => reason(ReasonKind::ByHand(self.number)),
            Act::RaiseLimit => Reaction::Replace(Box::new(AmendDialog::for_limit(question))),
            Act::AcceptDrift => reason(ReasonKind::AcceptDrift(self.number)),
            Act::OutcomeAbort => reason(ReasonKind::Abort),
            _ => Reaction::Handled,
        }
    }

    fn confirm(&mut self) -> Reaction {
        let Some(phrase) = &self.phrase else { return Reaction::Handled };
        let typed = self.typed.text();
        if &typed == phrase {
            return self.answer(Answer::Phrase { text: typed });
        }
        self.hint = Some("The phrase is not complete: type it exactly as shown.".to_owned());
        Reaction::Handled
    }

    /// Enter: it may cancel, say no, or send for a proof (which asks by itself), never more.
    fn press(&mut self, cx: &Cx) -> Reaction {
        let choices = Self::choices(self.question(cx));
        match choices.get(self.focus).map(|(act, ..)| *act) {
            Some(Act::Cancel) if self.typed.is_empty() => Reaction::Pop,
            Some(Act::No) => self.choose(Act::No, cx),
            Some(Act::Retry) if self.phrase.is_some() => self.choose(Act::Retry, cx),
            Some(Act::Cancel) | None => {
                self.hint = Some("Enter confirms nothing: ctrl-y does it, esc leaves the question open.".to_owned());
                Reaction::Handled
            }
            Some(act) => {
                self.hint = Some(format!("Enter confirms nothing: press {}.", cx.keymap.hint(act)));
                Reaction::Handled
            }
        }
    }
}

impl Screen for QuestionDialog {
    fn scope(&self) -> Scope {
        self.scope
    }

    fn title(&self, _cx: &Cx) -> String {
        "Question".to_owned()
    }

    fn wants_text(&self) -> bool {
        self.phrase.is_some()
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let question = self.question(cx);
        let mut doc = Doc::new();
        match question {
            Some(question) => doc = question_doc(question, cx, false),
            None => {
                doc.text("This question no longer stands. Press esc.", Role::Warning);
            }
        }
        let width = 90.min(area.width);
        let choices = Self::choices(question);
        let buttons = self.buttons(&choices, cx);
        let feet = frame::height(canvas, width.saturating_sub(4), &buttons);
        let wanted = self.wanted(width.saturating_sub(4), canvas);
        let phrase = if wanted.is_empty() { 0 } else { wanted.len() as u16 + 2 };
        let hint = u16::from(self.hint.is_some());
        let text = doc.height(width.saturating_sub(6), canvas.glyphs);
        let danger = matches!(
            question.map(|question| &question.kind),
            Some(
                QuestionKind::Phrase { .. }
                    | QuestionKind::Failed { .. }
                    | QuestionKind::Unknown
                    | QuestionKind::Drift
                    | QuestionKind::Limit { .. }
                    | QuestionKind::Proof { .. }
            )
        );
        let title = question.map_or_else(|| "Question".to_owned(), |question| question.title.clone());
        let inner = frame::open(canvas, area, &title, danger, width, text + phrase + hint + feet + 3);
        let used = frame::buttons(canvas, inner, &buttons, Some(self.focus));
        let mut bottom = inner.bottom().saturating_sub(used);
        if let Some(hint) = &self.hint {
            bottom = bottom.saturating_sub(1);
            canvas.text(inner.x, bottom, inner.width, hint, Role::Warning);
        }
        if phrase > 0 {
            bottom = bottom.saturating_sub(phrase - 1).max(inner.y);
            self.draw_phrase(canvas, Rect { y: bottom, height: phrase - 1, ..inner }, &wanted);
            bottom = bottom.saturating_sub(u16::from(inner.height > 12));
        }
        let gap = u16::from(inner.height > 10 && phrase == 0);
        let height = bottom.saturating_sub(inner.y + gap);
        self.pane.draw(canvas, Rect { height, ..inner }, &doc);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::NextButton | Act::PreviousButton => {
                let count = Self::choices(self.question(cx)).len();
                self.focus = frame::step(self.focus, count, act == Act::NextButton);
                Reaction::Handled
            }
            Act::Press => self.press(cx),
            Act::DialogUp | Act::DialogDown => {
                self.pane.act(act);
                Reaction::Handled
            }
            Act::DialogLeave => Reaction::Ignored,
            act => self.choose(act, cx),
        }
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        if !typing::is_command(key, cx) && self.typed.key(key) {
            self.hint = None;
            return Reaction::Handled;
        }
        Reaction::Ignored
    }

    fn paste(&mut self, _text: &str, _cx: &Cx) -> Reaction {
        if self.phrase.is_some() {
            self.hint = Some("Pasting is refused here: type the phrase.".to_owned());
        }
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let Hit::Button(at) = hit else { return Reaction::Handled };
        match Self::choices(self.question(cx)).get(usize::from(at)).map(|(act, ..)| *act) {
            Some(act) => self.choose(act, cx),
            None => Reaction::Handled,
        }
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.sent = false;
        typing::refused(reply, &mut self.hint)
    }
}

impl QuestionDialog {
    /// The phrase as it is shown: all of it, on as many lines as it takes.
    fn wanted(&self, width: u16, canvas: &Canvas) -> Vec<Line> {
        let Some(phrase) = &self.phrase else { return Vec::new() };
        let mut doc = Doc::new();
        doc.marked(vec![span("type  ", Role::Dim)], phrase.clone(), Role::Strong);
        doc.lines(width, canvas.glyphs)
    }

    fn draw_phrase(&self, canvas: &mut Canvas, area: Rect, wanted: &[Line]) {
        let (typed, phrase) = (self.typed.text(), self.phrase.as_deref().unwrap_or_default());
        let (word, role) = match () {
            () if typed == phrase => ("complete: ctrl-y does it", Role::Ok),
            () if phrase.starts_with(&typed) => ("", Role::Dim),
            () => ("differs", Role::Critical),
        };
        for (at, line) in wanted.iter().enumerate() {
            canvas.line(area.x, area.y + at as u16, area.width, line);
        }
        let (y, room) = (area.y + wanted.len() as u16, area.width.saturating_sub(6));
        let told = fit::width(word, canvas.glyphs) as u16;
        let told = if told > 0 && told + 12 < room { told + 2 } else { 0 };
        self.typed.draw(canvas, Rect { x: area.x + 6, y, width: room - told, height: 1 }, "", true);
        if told > 0 {
            canvas.text_right(area.x + 6, y, room, word, role);
        }
    }
}

/// The figures that stand against a step, or the proof that it lacks.
fn at_stake(doc: &mut Doc, kind: &QuestionKind) {
    if let QuestionKind::Limit { counted, limit, .. } = kind {
        doc.fact("would touch", counted.to_string(), Role::Critical);
        doc.fact("at most", limit.to_string(), Role::Warning);
    }
    if let QuestionKind::Proof { missing, loss, .. } = kind {
        doc.fact("missing", missing.join(", "), Role::Critical);
        if let Some(loss) = loss {
            doc.fact("declares", loss.clone(), Role::Warning);
        }
    }
}

/// The question as text: for the run's screen and for its dialog. With `whole` the kind's own words too.
pub fn question_doc(question: &Question, cx: &Cx, whole: bool) -> Doc {
    let mut doc = Doc::new();
    if whole {
        doc.text(question.title.clone(), Role::Strong);
    }
    let step = cx.view.open_run.as_ref().and_then(|run| run.state.plan.steps.iter().find(|s| s.id == question.step));
    if let QuestionKind::Answer { prompt, .. } | QuestionKind::Attest { prompt } = &question.kind {
        doc.text(prompt.clone(), Role::Base);
    }
    doc.blank();
    approval::facts(&mut doc, question, cx);
    at_stake(&mut doc, &question.kind);
    if let Some(loss) = &question.loss {
        doc.blank();
        doc.fact("would be lost", loss.text.clone(), Role::Warning);
        let ago = format::ago(loss.at, cx.now);
        doc.fact("known by", format!("{}, looked at {ago}", loss.known_by), Role::Dim);
    }
    if let Some(target) = &question.target {
        doc.blank();
        doc.facts("target", vec![span(target.title.clone(), Role::Strong)]);
        for (name, value) in &target.facts {
            doc.fact(name.clone(), value.clone(), Role::Base);
        }
        doc.fact("read", format::ago(target.read_at, cx.now), Role::Dim);
    }
    if !question.drift.is_empty() {
        doc.blank();
        doc.text("Not what the plan saw:", Role::Critical);
        for (fact, planned, now) in &question.drift {
            doc.fact(fact.clone(), format!("{planned} {} {now}", cx.glyphs.arrow), Role::Critical);
        }
    }
    outcome(&mut doc, question, cx);
    doc.blank();
    if !question.if_yes.is_empty() {
        doc.fact("yes", question.if_yes.clone(), Role::Base);
    }
    if !question.if_no.is_empty() {
        doc.fact("no", question.if_no.clone(), Role::Base);
    }
    if !question.if_nothing.is_empty() {
        doc.fact("nothing", question.if_nothing.clone(), Role::Dim);
    }
    if let Some(step) = step.filter(|step| whole && !step.help.is_empty()) {
        doc.blank();
        doc.text(step.help.clone(), Role::Dim);
    }
    if whole && let QuestionKind::Phrase { phrase } | QuestionKind::Proof { phrase: Some(phrase), .. } = &question.kind
    {
        doc.blank();
        doc.fact("phrase", phrase.clone(), Role::Strong);
    }
    doc
}

/// What went wrong with the step that is asked about.
fn outcome(doc: &mut Doc, question: &Question, cx: &Cx) {
    use crate::model::task::TaskOutcome;
    let Some(run) = &cx.view.open_run else { return };
    if !matches!(question.kind, QuestionKind::Failed { .. } | QuestionKind::Unknown) {
        return;
    }
    let Some(record) = run.state.steps.iter().find(|record| record.id == question.step) else { return };
    if let Some(TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure }) = &record.outcome {
        doc.blank();
        doc.text(failure.what.clone(), Role::Critical);
        if !failure.meaning.is_empty() {
            doc.text(failure.meaning.clone(), Role::Base);
        }
        if !failure.next.is_empty() {
            let arrow = vec![span(format!("{} ", cx.glyphs.arrow), Role::Accent)];
            doc.marked(arrow, failure.next.clone(), Role::Base);
        }
        for line in failure.evidence.iter().rev().take(6).rev() {
            doc.marked(vec![span("  ", Role::Base)], line.clone(), Role::Code);
        }
    } else if let Some(why) = &record.why {
        doc.blank();
        doc.text(why.clone(), Role::Unknown);
    }
}
