//! The record of the open run, entry by entry.

use crate::event::{Event, EventKind};
use crate::model::task::{Reality, TaskOutcome};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::format;
use crate::tui::screen::{Cx, Place, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, DocPane, ListState, Row, Table};
use ratatui::layout::Rect;

const COLUMNS: [Column; 4] = [
    Column::new("SEQ", 4, 6, 2).right(),
    Column::new("TIME", 8, 8, 0),
    Column::new("BY", 8, 20, 3).cut(),
    Column::new("WHAT", 16, 140, 0).cut(),
];

#[derive(Debug)]
pub struct Journal {
    list: ListState,
    pane: DocPane,
    /// The cursor stays on the newest entry.
    follow: bool,
}

impl Default for Journal {
    fn default() -> Self {
        Self { list: ListState::default(), pane: DocPane::default(), follow: true }
    }
}

fn events<'a>(cx: &Cx<'a>) -> &'a [Event] {
    cx.view.open_run.as_ref().map_or(&[], |run| &run.events)
}

impl Journal {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a Event> {
        let events = events(cx);
        events.get(self.list.selected(events.len())?)
    }
}

impl Screen for Journal {
    fn scope(&self) -> Scope {
        Scope::Journal
    }

    fn title(&self, _cx: &Cx) -> String {
        "Journal".to_owned()
    }

    fn sync(&mut self, cx: &Cx) {
        if self.follow {
            self.list.act(Act::Bottom, events(cx).len());
        }
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let events = events(cx);
        let rows = events.len();
        let table = Table { columns: &COLUMNS, rows, list: &self.list, pane: 0, focused: true, heading: true };
        let mut doc = Doc::new();
        if let Some(event) = self.current(cx) {
            event_doc(&mut doc, event, cx);
        }
        let remark = match &cx.view.open_run {
            Some(run) => vec![span(format!("{} · {}", run.state.id, cx.zone()), Role::Dim)],
            None => Vec::new(),
        };
        super::list_page::halves(
            canvas,
            area,
            &super::list_page::Halves {
                title: "Journal",
                remark,
                rows,
                lower: self.current(cx).map_or_else(String::new, |event| format!("entry {}", event.seq)),
                empty: "No run is open. Press 5 and choose one.",
            },
            |canvas, area| {
                table.draw(canvas, area, |at| cells(&events[at], cx));
            },
            |canvas, area| self.pane.draw(canvas, area, &doc),
        );
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        let rows = events(cx).len();
        match act {
            Act::Open if rows == 0 => Reaction::Show(Place::Run, Selected::Nothing),
            Act::Open => Reaction::Handled,
            Act::PageUp | Act::PageDown if rows <= 1 => Reaction::Ignored,
            act if self.list.act(act, rows) => {
                self.pane = DocPane::default();
                self.follow = self.list.selected(rows) == rows.checked_sub(1);
                Reaction::Handled
            }
            _ => Reaction::Ignored,
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let Hit::Row { row, .. } = hit else { return Reaction::Ignored };
        self.list.select(row);
        self.follow = row + 1 == events(cx).len();
        self.pane = DocPane::default();
        Reaction::Handled
    }

    fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |event| {
            Selected::Text(format!("{} {} {}", event.seq, event.at.to_rfc3339(), sentence(&event.kind).0))
        })
    }

    fn whole_text(&self, cx: &Cx) -> Option<String> {
        let line = |event: &Event| {
            format!("{:>5}  {}  {}  {}", event.seq, event.at.to_rfc3339(), event.actor, sentence(&event.kind).0)
        };
        Some(events(cx).iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

fn cells(event: &Event, cx: &Cx) -> Row {
    let (text, role) = sentence(&event.kind);
    Row::Cells(vec![
        vec![span(event.seq.to_string(), Role::Dim)],
        vec![span(format::clock(event.at, cx.zone()), Role::Base)],
        vec![span(event.actor.name.clone(), Role::Dim)],
        vec![span(text, role)],
    ])
}

fn event_doc(doc: &mut Doc, event: &Event, cx: &Cx) {
    let (text, role) = sentence(&event.kind);
    doc.text(text, role);
    doc.fact("at", format!("{} ({})", format::instant(event.at, cx.zone()), format::ago(event.at, cx.now)), Role::Dim);
    doc.fact("by", format!("{}, process {}", event.actor, event.actor.pid), Role::Dim);
    match &event.kind {
        EventKind::TaskEnded {
            outcome: TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure }, ..
        } => {
            doc.blank();
            doc.text(failure.meaning.clone(), Role::Base);
            for line in &failure.evidence {
                doc.text(line.clone(), Role::Code);
            }
        }
        EventKind::TaskEnded { outcome: TaskOutcome::Done { output }, .. } => {
            doc.blank();
            for (name, value) in output {
                doc.fact(name.clone(), format::value(value), Role::Base);
            }
        }
        EventKind::TaskIntended { task, .. } => {
            doc.blank();
            doc.fact("module", task.module.clone(), Role::Code);
            for (name, value) in &task.input {
                doc.fact(name.clone(), format::value(value), Role::Base);
            }
        }
        EventKind::HandoverOffered { believed, open, .. } => {
            doc.blank();
            doc.fact("believed", believed.clone(), Role::Base);
            for step in open {
                doc.fact("open", step.clone(), Role::Dim);
            }
        }
        EventKind::IdentityRead { identity, drift, .. } => {
            doc.blank();
            doc.fact("target", identity.title.clone(), Role::Strong);
            for (name, value) in &identity.facts {
                doc.fact(name.clone(), value.clone(), Role::Base);
            }
            for (name, planned, now) in drift {
                doc.fact(name.clone(), format!("changed from {planned} to {now}"), Role::Critical);
            }
        }
        _ => {}
    }
}

/// An entry as one sentence.
pub fn sentence(kind: &EventKind) -> (String, Role) {
    use EventKind as K;
    match kind {
        K::RunCreated { plan_digest, .. } => (format!("run created, plan {}", format::digest(plan_digest)), Role::Base),
        K::RunnerStarted { pid, resumed: true, .. } => {
            (format!("a new runner took the run up (process {pid})"), Role::Warning)
        }
        K::RunnerStarted { pid, .. } => (format!("runner started (process {pid})"), Role::Dim),
        K::RunnerStopped { why } => (format!("runner stopped: {why}"), Role::Dim),
        K::RunStarted => ("run started".to_owned(), Role::Strong),
        K::Armed { reason, incident, .. } => (
            format!("armed: {reason}{}", incident.as_ref().map(|i| format!(" ({i})")).unwrap_or_default()),
            Role::Warning,
        ),
        K::Disarmed { why } => (format!("disarmed: {why}"), Role::Dim),
        K::Paused { cause } => (format!("paused: {cause}"), Role::Warning),
        K::Resumed => ("resumed".to_owned(), Role::Base),
        K::AbortRequested { reason, undo } => {
            (format!("abort{}: {reason}", if *undo { " with undo" } else { "" }), Role::Critical)
        }
        K::HandoverOffered { to, next, .. } => (format!("offered to {to}; next: {next}"), Role::Warning),
        K::HandoverWithdrawn => ("the offer is taken back".to_owned(), Role::Base),
        K::HandoverTaken { from, read_back } => {
            (format!("taken over from {from}, read back: {read_back}"), Role::Warning)
        }
        K::OperatorRelieved { from, reason } => (format!("relieved {from}: {reason}"), Role::Warning),
        K::RunProvisional { .. } => ("recovered, not committed".to_owned(), Role::Strong),
        K::DecisionOverdue { .. } => ("the decision is overdue; the run holds".to_owned(), Role::Critical),
        K::DecisionPostponed { reason, .. } => (format!("the decision is put off: {reason}"), Role::Warning),
        K::LimitAmended { step, after, reason, .. } => {
            (format!("{step}: may touch {after} from now on: {reason}"), Role::Warning)
        }
        K::TimeLimitAmended { step, after, reason, .. } => {
            (format!("{step}: time limit {after} s from now on: {reason}"), Role::Warning)
        }
        K::AnotherPointChosen { back_to, reason, .. } => {
            (format!("another point chosen, back to {back_to}: {reason}"), Role::Warning)
        }
        K::WentBack { back_to, .. } => (format!("went back to {back_to}; another plan is in force"), Role::Base),
        K::NoteAdded { text } => (format!("note: {text}"), Role::Accent),
        K::RunEnded { status, leftovers } => {
            let word = status.get("status").and_then(|word| word.as_str()).unwrap_or("ended");
            let left =
                if leftovers.is_empty() { String::new() } else { format!("; left behind: {}", leftovers.join(", ")) };
            (format!("run ended: {word}{left}"), Role::Strong)
        }
        K::QuestionWithdrawn { number, why } => (format!("question {number} withdrawn: {why}"), Role::Dim),
        K::LeaseAcquired { .. } | K::LeaseLapsed { .. } | K::LeaseRenewed | K::LeaseLost { .. } => lease_sentence(kind),
        other => step_sentence(other),
    }
}

fn lease_sentence(kind: &EventKind) -> (String, Role) {
    use EventKind as K;
    match kind {
        K::LeaseAcquired { epoch, scopes, taken_from: None, .. } => {
            (format!("holds {} alone (epoch {epoch})", scopes.join(", ")), Role::Base)
        }
        K::LeaseAcquired { epoch, taken_from: Some(from), .. } => (
            format!("taken over from {} (epoch {} to {epoch}): {}", from.holder, from.epoch, from.reason),
            Role::Warning,
        ),
        K::LeaseLapsed { why } => (format!("lease lapsed: {why}"), Role::Warning),
        K::LeaseLost { why } => (format!("fenced off: {why}"), Role::Critical),
        _ => ("lease renewed".to_owned(), Role::Base),
    }
}

fn reality_sentence(step: &crate::model::id::StepId, reality: &Reality) -> (String, Role) {
    match reality {
        Reality::Done(_) => (format!("{step}: looked: it took effect"), Role::Ok),
        Reality::NotDone(why) => (format!("{step}: looked: it did not take effect: {why}"), Role::Base),
        Reality::Partial(why) => (format!("{step}: looked: something of it is there: {why}"), Role::Warning),
        Reality::Unknown(failure) => (format!("{step}: looked: still unknown: {}", failure.what), Role::Unknown),
    }
}

fn step_sentence(kind: &EventKind) -> (String, Role) {
    use EventKind as K;
    match kind {
        K::StepReady { step } => (format!("{step}: its turn"), Role::Base),
        K::TaskIntended { step, attempt, purpose, task, .. } => {
            let purpose = format!("{purpose:?}").to_lowercase();
            (format!("{step}: {purpose} {}, attempt {attempt}", task.module), Role::Base)
        }
        K::TaskEnded { step, outcome, .. } => match outcome {
            TaskOutcome::Done { .. } => (format!("{step}: task done"), Role::Ok),
            TaskOutcome::Failed { failure } => (format!("{step}: {}", failure.what), Role::Critical),
            TaskOutcome::Unknown { failure } => (format!("{step}: nobody knows: {}", failure.what), Role::Unknown),
            TaskOutcome::Cancelled { reason } => (format!("{step}: cancelled ({reason:?})").to_lowercase(), Role::Dim),
        },
        K::AmountCounted { step, counted } => (format!("{step}: would touch {counted}"), Role::Dim),
        K::IdentityRead { step, identity, drift } if drift.is_empty() => {
            (format!("{step}: target is {}", identity.title), Role::Base)
        }
        K::IdentityRead { step, drift, .. } => {
            let facts: Vec<&str> = drift.iter().map(|(fact, ..)| fact.as_str()).collect();
            (format!("{step}: target changed: {}", facts.join(", ")), Role::Critical)
        }
        K::QuestionAsked { step, number, .. } => (format!("{step}: question {number} asked"), Role::Warning),
        K::Answered { step, number, answer, refused } => {
            let word = answer.get("answer").and_then(|word| word.as_str()).unwrap_or("answer");
            match refused {
                Some(why) => (format!("{step}: answer {word} to question {number} refused: {why}"), Role::Critical),
                None => (format!("{step}: question {number} answered: {word}"), Role::Base),
            }
        }
        K::StepConfirmed { step } => (format!("{step}: confirmed"), Role::Base),
        K::StepBlocked { step, why } => (format!("{step}: blocked: {why}"), Role::Warning),
        K::StepDone { step } => (format!("{step}: done"), Role::Ok),
        K::StepFailed { step, why } => (format!("{step}: failed: {why}"), Role::Critical),
        K::StepTimedOut { step } => (format!("{step}: timed out"), Role::Critical),
        K::StepInterrupted { step, .. } => (format!("{step}: interrupted, the runner died"), Role::Unknown),
        K::StepUnknown { step, why } => (format!("{step}: unknown: {why}"), Role::Unknown),
        K::StepSkipped { step, reason } => (format!("{step}: skipped: {reason}"), Role::Warning),
        K::StepDoneByHand { step, evidence } => (format!("{step}: done by hand: {evidence}"), Role::Warning),
        K::DebtIncurred { step, title } => (format!("{step}: owed until seen gone: {title}"), Role::Warning),
        K::DebtSettled { step } => (format!("{step}: what it made was seen gone"), Role::Ok),
        K::StepUndone { step } => (format!("{step}: undone"), Role::Ok),
        K::StepUndoFailed { step, why } => (format!("{step}: undo failed: {why}"), Role::Critical),
        K::DriftAccepted { step, reason } => (format!("{step}: change accepted: {reason}"), Role::Warning),
        K::StepNotRun { step, why } => (format!("{step}: not run: {why}"), Role::Dim),
        K::StepCancelled { step, why } => (format!("{step}: cancelled: {why}"), Role::Dim),
        K::DeadlinePassed { step, .. } => (format!("{step}: its time is over, it was told to stop"), Role::Warning),
        K::Reconciled { step, reality, .. } => reality_sentence(step, reality),
        other => (format!("{other:?}"), Role::Dim),
    }
}
