//! Free text that goes into the journal: reasons, evidence, notes, answers.

use super::frame::{self, button, danger};
use super::typing;
use crate::checklist::Outcome;
use crate::model::id::RunId;
use crate::runbook::{Answer, AnswerKind, Intent};
use crate::session::{LockWish, Request};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::keys::Key;
use crate::tui::screen::{Ask, Cx, Reaction, Reply, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, TextBox};
use crossterm::event::KeyCode;
use ratatui::layout::Rect;

/// What the text is for. Numbers are those of the question that it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReasonKind {
    Pause,
    Note,
    Abort,
    Skip(u64),
    ByHand(u64),
    AcceptDrift(u64),
    /// A person did or saw something.
    Attest {
        question: u64,
        prompt: String,
    },
    /// An item of a checklist that a person answers.
    Check {
        checklist: String,
        item: String,
        outcome: Outcome,
        asks: String,
    },
    /// An approver's name and signature.
    Approve {
        question: u64,
        prompt: String,
    },
    Answer {
        question: u64,
        prompt: String,
        kind: AnswerKind,
    },
    /// The run's operator is gone.
    Relieve {
        operator: String,
    },
    /// A run that another machine holds; `told` says who, and for how long.
    Lock {
        run: RunId,
        wish: LockWish,
        expired: bool,
        told: String,
    },
}

#[derive(Debug)]
pub struct ReasonDialog {
    kind: ReasonKind,
    text: TextBox,
    /// 0 the text, 1 Cancel, 2 Send, 3 the switch, where there is one. Starts on Cancel; letters go to the text.
    focus: usize,
    on: bool,
    problem: Option<String>,
    sent: bool,
    /// What is asked, where it is longer than the screen; up and down scroll it until something is typed.
    pane: DocPane,
}

impl ReasonDialog {
    pub fn new(kind: ReasonKind) -> Self {
        let on = kind == ReasonKind::Abort;
        Self { kind, text: TextBox::default(), focus: 1, on, problem: None, sent: false, pane: DocPane::default() }
    }

    fn heading(&self) -> &'static str {
        match &self.kind {
            ReasonKind::Pause => "Pause the run",
            ReasonKind::Note => "Note for the journal",
            ReasonKind::Abort => "Abort the run",
            ReasonKind::Skip(_) => "Skip this step",
            ReasonKind::ByHand(_) => "Done by hand",
            ReasonKind::AcceptDrift(_) => "Accept the changed target",
            ReasonKind::Attest { .. } => "Say what you saw",
            ReasonKind::Check { outcome: Outcome::Passed, .. } => "It holds",
            ReasonKind::Check { outcome: Outcome::Failed, .. } => "It does not hold",
            ReasonKind::Answer { .. } => "Answer",
            ReasonKind::Approve { .. } => "Approval by another person",
            ReasonKind::Relieve { .. } => "Relieve the operator",
            ReasonKind::Lock { wish: LockWish::TakeOver, .. } => "Take the run over",
            ReasonKind::Lock { wish: LockWish::Free, .. } => "Free the lock of a lost run",
        }
    }

    fn prompt(&self) -> String {
        match &self.kind {
            ReasonKind::Pause => "No further step starts. What runs now runs to its end. Why?".to_owned(),
            ReasonKind::Note => "What should be remembered?".to_owned(),
            ReasonKind::Abort => "What runs now is stopped. Why?".to_owned(),
            ReasonKind::Skip(_) => "The run goes on without this step and ends with an exception. Why?".to_owned(),
            ReasonKind::ByHand(_) => {
                "You did it outside of Relight. What did you do, and what shows that it holds?".to_owned()
            }
            ReasonKind::AcceptDrift(_) => {
                "The target is not what the plan saw. Going on ends the run with an exception. Why is it right?"
                    .to_owned()
            }
            ReasonKind::Check { asks, .. } => asks.clone(),
            ReasonKind::Relieve { operator } => format!(
                "{operator} operates this run and has not offered it. It becomes yours, read-only until you arm it, and \
                 both names go into the journal. Why?"
            ),
            ReasonKind::Lock { wish: LockWish::TakeOver, told, .. } => format!(
                "{told} It is fenced off and the run comes here, under your name and with this reason. What it may \
                 have begun is looked at before anything else happens. Why?"
            ),
            ReasonKind::Lock { wish: LockWish::Free, told, .. } => format!(
                "{told} Its mirror tells no run, so it cannot be brought here. Its lock goes to whoever asks next, and \
                 nobody looks at what it may have begun: look yourself first. Why?"
            ),
            ReasonKind::Attest { prompt, .. }
            | ReasonKind::Approve { prompt, .. }
            | ReasonKind::Answer { prompt, .. } => prompt.clone(),
        }
    }

    fn is_dangerous(&self) -> bool {
        matches!(
            self.kind,
            ReasonKind::Abort
                | ReasonKind::Skip(_)
                | ReasonKind::ByHand(_)
                | ReasonKind::AcceptDrift(_)
                | ReasonKind::Relieve { .. }
                | ReasonKind::Lock { .. }
        )
    }

    /// What is sent: an intent to the run, an answer to a checklist to the session.
    fn reaction(&self, text: String) -> Result<Reaction, String> {
        let told = |intent: Intent| Ok(Reaction::Ask(Ask::Intent(intent)));
        let answer = |question: u64, answer: Answer| told(Intent::Answer { question, answer });
        match &self.kind {
            ReasonKind::Pause => told(Intent::Pause { reason: text }),
            ReasonKind::Note => told(Intent::Note { text }),
            ReasonKind::Abort => told(Intent::Abort { reason: text, undo: self.on }),
            ReasonKind::Check { checklist, item, outcome, .. } => {
                let (checklist, item, outcome) = (checklist.clone(), item.clone(), *outcome);
                Ok(Reaction::Pop.and(Reaction::Send(Request::AnswerItem { checklist, item, outcome, text })))
            }
            ReasonKind::Lock { run, wish, .. } => {
                Ok(Reaction::Ask(Ask::Lock { run: run.clone(), wish: *wish, reason: text, alive: self.on }))
            }
            ReasonKind::Relieve { .. } => told(Intent::Relieve { reason: text }),
            ReasonKind::Skip(number) => answer(*number, Answer::Skip { reason: text }),
            ReasonKind::ByHand(number) => answer(*number, Answer::DoneByHand { evidence: text }),
            ReasonKind::AcceptDrift(number) => answer(*number, Answer::AcceptDrift { reason: text }),
            ReasonKind::Approve { question, .. } => {
                let mut words = text.split_whitespace().filter(|word| *word != "approve");
                let approver = words.next().unwrap_or_default().to_owned();
                answer(*question, Answer::Approve { approver, signature: words.collect() })
            }
            ReasonKind::Attest { question, .. } => answer(*question, Answer::Value { value: text.into() }),
            ReasonKind::Answer { question, kind, .. } => {
                let value = match kind {
                    AnswerKind::Integer => {
                        let number: i64 = text.parse().map_err(|_| format!("`{text}` is not a whole number."))?;
                        number.into()
                    }
                    AnswerKind::Text | AnswerKind::YesNo => text.into(),
                };
                answer(*question, Answer::Value { value })
            }
        }
    }

    fn send(&mut self) -> Reaction {
        if self.sent {
            return Reaction::Handled;
        }
        let text = self.text.text();
        if text.is_empty() {
            self.problem = Some("Something must be written: it is kept.".to_owned());
            return Reaction::Handled;
        }
        match self.reaction(text) {
            Ok(reaction) => {
                self.sent = true;
                reaction
            }
            Err(problem) => {
                self.problem = Some(problem);
                Reaction::Handled
            }
        }
    }

    /// What can be switched on or off beside the text.
    fn switch(&self) -> Option<&'static str> {
        match self.kind {
            ReasonKind::Abort => Some("take back what has an undo"),
            ReasonKind::Lock { expired: false, .. } => Some("its lease holds, but I know that its runner is dead"),
            _ => None,
        }
    }

    fn places(&self) -> usize {
        3 + usize::from(self.switch().is_some())
    }

    fn toggle(&mut self) {
        self.on = !self.on;
    }
}

impl Screen for ReasonDialog {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        self.heading().to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let mut doc = Doc::new();
        doc.text(self.prompt(), Role::Base);
        if let Some(problem) = &self.problem {
            doc.text(problem.clone(), Role::Warning);
        }
        let width = 76.min(area.width);
        let mut lines = doc.lines(width.saturating_sub(4), canvas.glyphs);
        let mut head = lines.len() as u16;
        let switch = u16::from(self.switch().is_some());
        let inner = frame::open(canvas, area, self.heading(), self.is_dangerous(), width, head + switch + 9);
        let send = cx.keymap.hint(Act::Confirm);
        let row = [
            button("Cancel", cx.keymap.hint(Act::Cancel)),
            if self.is_dangerous() { danger("Send", send) } else { button("Send", send) },
        ];
        let focus = match self.focus {
            1 => Some(0),
            2 => Some(1),
            _ => None,
        };
        let used = frame::buttons(canvas, inner, &row, focus);
        // What is typed keeps its line, whatever is asked.
        let most = inner.height.saturating_sub(used + switch + 1);
        if head > most {
            lines = doc.lines(inner.width.saturating_sub(2), canvas.glyphs);
            head = most;
            let place = Rect { height: most, ..inner };
            self.pane.draw_lines(canvas, place, lines.len(), |at| lines[at].clone());
        } else {
            for (at, line) in lines.iter().enumerate() {
                canvas.line(inner.x, inner.y + at as u16, inner.width, line);
            }
        }
        let free = inner.height.saturating_sub(head + used);
        let gap = u16::from(free > 3 + switch);
        let place = Rect {
            y: inner.y + head + gap,
            height: free.saturating_sub(switch + 2 * gap).max(1).min(inner.height.saturating_sub(used)),
            ..inner
        };
        self.text.draw(canvas, place, "type here", true);
        canvas.hit(place, Hit::Button(8));
        if let Some(label) = self.switch() {
            let y = place.bottom();
            let mark = if self.on { "[x]" } else { "[ ]" };
            let role = if self.focus == 3 { Role::Strong } else { Role::Base };
            let text = format!("{mark} {label}  (tab to it, space switches)");
            canvas.text(inner.x, y, inner.width, &text, role);
            canvas.hit(Rect { y, height: 1, ..inner }, Hit::Button(9));
        }
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::NextButton => self.focus = frame::step(self.focus, self.places(), true),
            Act::PreviousButton => self.focus = frame::step(self.focus, self.places(), false),
            Act::Press if self.focus == 1 && self.text.is_empty() => return Reaction::Pop,
            Act::Press if self.focus == 3 => self.toggle(),
            Act::Press => self.problem = Some("Enter sends nothing: press ctrl-y, or esc to cancel.".to_owned()),
            Act::Confirm => return self.send(),
            act if self.pane.act(act) => {}
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        if self.focus == 3 && key.code == KeyCode::Char(' ') {
            self.toggle();
            return Reaction::Handled;
        }
        let newline = key.code == KeyCode::Enter && self.focus == 0;
        let cursor = self.focus == 0 && matches!(key.code, KeyCode::Up | KeyCode::Down);
        if !newline && !cursor && typing::is_command(key, cx) {
            return Reaction::Ignored;
        }
        if self.text.key(key) {
            self.focus = 0;
            self.problem = None;
            return Reaction::Handled;
        }
        Reaction::Ignored
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        self.text.paste(text);
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        match hit {
            Hit::Button(0) => return Reaction::Pop,
            Hit::Button(1) => return self.send(),
            Hit::Button(8) => self.focus = 0,
            Hit::Button(9) => self.toggle(),
            _ => {}
        }
        Reaction::Handled
    }

    fn reply(&mut self, reply: Reply, _cx: &Cx) -> Reaction {
        self.sent = false;
        typing::refused(reply, &mut self.problem)
    }
}
