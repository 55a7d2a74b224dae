//! The open run: where it stands, what it asks, what it says.

use super::{list, parts, steps};
use crate::runbook::{RunState, RunStatus};
use crate::session::view::Link;
use crate::session::{Request, RunView};
use crate::tui::action::Act;
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::dialogs::{
    AmendDialog, AnotherDialog, ConfirmDialog, OfferDialog, Purpose, QuestionDialog, ReasonDialog, ReasonKind,
    TakeDialog,
};
use crate::tui::screen::{Ask, Cx, Reaction};
use crate::tui::theme::Role;
use crate::tui::widgets::{DocPane, ListState};
use ratatui::layout::Rect;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    Steps,
    Detail,
    Output,
}

#[derive(Debug)]
pub struct LiveRun {
    steps: ListState,
    /// The cursor keeps to the step whose turn it is.
    follow: bool,
    pane: Pane,
    detail: DocPane,
    output: DocPane,
    /// The output keeps to its newest line.
    tail: bool,
    /// Question that was last on screen: a new one takes the detail pane back to its top.
    question: Option<u64>,
}

impl Default for LiveRun {
    fn default() -> Self {
        Self {
            steps: ListState::default(),
            follow: true,
            pane: Pane::Steps,
            detail: DocPane::default(),
            output: DocPane::default(),
            tail: true,
            question: None,
        }
    }
}

/// The step whose turn it is: the first that is not settled, or the last.
fn turn(state: &RunState) -> usize {
    let asks = state.question.as_ref().map(|question| &question.step);
    let asked = state.steps.iter().position(|step| Some(&step.id) == asks);
    let open = || state.steps.iter().position(|step| !step.state.is_settled());
    asked.or_else(open).unwrap_or(state.steps.len().saturating_sub(1))
}

impl LiveRun {
    pub fn sync(&mut self, cx: &Cx) {
        let Some(run) = &cx.view.open_run else { return };
        if self.follow {
            self.steps.select(turn(&run.state));
        }
        if self.tail {
            self.output.to_end();
        }
        let question = run.state.question.as_ref().map(|question| question.number);
        if question != self.question {
            self.question = question;
            self.detail = DocPane::default();
            self.follow = true;
        }
    }

    pub fn draw(&self, canvas: &mut Canvas, area: Rect, run: &RunView, cx: &Cx) {
        let head = parts::head(canvas, area, run, cx);
        let body = Rect { y: area.y + head, height: area.height.saturating_sub(head), ..area };
        if body.height >= 14 && body.width >= 100 {
            self.draw_wide(canvas, body, run, cx);
        } else {
            self.draw_narrow(canvas, body, run, cx);
        }
    }

    fn draw_wide(&self, canvas: &mut Canvas, area: Rect, run: &RunView, cx: &Cx) {
        let needed = (run.state.steps.len() as u16 + 3).max(parts::detail_height(run, cx, area.width / 2));
        let upper = needed.clamp(8, (area.height * 2).div_ceil(3));
        // A dated name in a title fits into a line of either pane.
        let left = Rect { width: (area.width * 21).div_ceil(40), height: upper, ..area };
        let right = Rect { x: left.right(), width: area.width - left.width, height: upper, ..area };
        let lower = Rect { y: area.y + upper, height: area.height - upper, ..area };
        let border = |pane: Pane| if self.pane == pane { Role::BorderFocus } else { Role::Border };
        let inner = canvas.panel(left, &[span("Steps", Role::Title)], &parts::freshness(run), border(Pane::Steps));
        steps::draw(canvas, inner, run, &self.steps, self.pane == Pane::Steps, cx);
        let (title, role) = self.detail_title(run, cx);
        let frame = if run.state.question.is_some() && self.pane != Pane::Detail { role } else { border(Pane::Detail) };
        let inner = canvas.panel(right, &[span(title, role)], &[], frame);
        self.draw_detail(canvas, inner, run, cx);
        let inner = canvas.panel(lower, &[span("Output", Role::Title)], &parts::live(run), border(Pane::Output));
        self.draw_output(canvas, inner, run);
    }

    fn draw_narrow(&self, canvas: &mut Canvas, area: Rect, run: &RunView, cx: &Cx) {
        let asks = run.state.question.is_some();
        let share = if asks { area.height / 3 } else { area.height / 2 };
        let height = (run.state.steps.len() as u16).min(share.max(2)).min(area.height);
        steps::draw(canvas, Rect { height, ..area }, run, &self.steps, self.pane == Pane::Steps, cx);
        let lower = Rect { y: area.y + height, height: area.height - height, ..area };
        if lower.height < 2 {
            return;
        }
        let inner =
            Rect { x: lower.x + 1, y: lower.y + 1, width: lower.width.saturating_sub(2), height: lower.height - 1 };
        if self.pane == Pane::Output || (self.pane == Pane::Steps && !asks && self.follow && !run.live.is_empty()) {
            canvas.rule(lower, lower.y, &[span("Output", Role::Title)]);
            self.draw_output(canvas, inner, run);
        } else {
            let (title, role) = self.detail_title(run, cx);
            canvas.rule(lower, lower.y, &[span(title, role)]);
            self.draw_detail(canvas, inner, run, cx);
        }
    }

    fn shown_step(&self, run: &RunView) -> usize {
        self.steps.selected(run.state.steps.len()).unwrap_or(0)
    }

    /// The question stands in the detail pane as long as the cursor is on its step.
    fn shows_question(&self, run: &RunView) -> bool {
        let shown = run.state.steps.get(self.shown_step(run)).map(|step| &step.id);
        run.state.question.as_ref().is_some_and(|question| Some(&question.step) == shown)
    }

    fn detail_title(&self, run: &RunView, cx: &Cx) -> (String, Role) {
        if self.shows_question(run) {
            let watched = matches!(run.link, Link::Elsewhere(_)) || run.state.operator.name != cx.view.actor.name;
            let title = if watched { "It waits for its operator" } else { "Your turn: a answers" };
            return (title.to_owned(), if watched { Role::Info } else { Role::Warning });
        }
        let title = run.state.plan.steps.get(self.shown_step(run)).map_or_else(String::new, |step| step.title.clone());
        (title, Role::Title)
    }

    fn draw_detail(&self, canvas: &mut Canvas, area: Rect, run: &RunView, cx: &Cx) {
        let doc = match &run.state.question {
            Some(question) if self.shows_question(run) => crate::tui::dialogs::question_doc(question, cx, true),
            _ => parts::step_doc(run, self.shown_step(run), cx),
        };
        self.detail.draw(canvas, area, &doc);
    }

    fn draw_output(&self, canvas: &mut Canvas, area: Rect, run: &RunView) {
        if run.output.is_empty() {
            canvas.text(area.x, area.y, area.width, "No output yet.", Role::Faint);
        }
        self.output.draw_lines(canvas, area, run.output.len(), |at| {
            let (step, text) = &run.output[at];
            vec![span(format!("{step}  "), Role::Faint), span(text.clone(), Role::Base)]
        });
    }

    pub fn act(&mut self, act: Act, run: &RunView, cx: &Cx) -> Reaction {
        match act {
            Act::RunAnswer
            | Act::RunStart
            | Act::RunPause
            | Act::RunAbort
            | Act::RunNote
            | Act::RunHandover
            | Act::RunAnother
            | Act::RunAmend
            | Act::RunResume
            | Act::RunClose => return command(act, run, cx),
            Act::RunTakeOver => {
                let row = cx.view.runs.iter().find(|row| row.id == run.state.id);
                return row.and_then(|row| list::take_over(row, cx)).unwrap_or(Reaction::Handled);
            }
            Act::Open => match &run.state.question {
                // Enter opens the question; it never answers it.
                Some(question) if !cx.frozen && !matches!(run.link, Link::Elsewhere(_)) => {
                    return Reaction::Push(QuestionDialog::open(question));
                }
                _ => self.pane = Pane::Detail,
            },
            Act::NextPane | Act::PreviousPane => self.pane = next(self.pane, act == Act::NextPane),
            Act::Back if self.pane != Pane::Steps || !self.follow => {
                self.pane = Pane::Steps;
                self.follow = true;
                self.tail = true;
            }
            act => return self.move_in_pane(act, run),
        }
        Reaction::Handled
    }

    fn move_in_pane(&mut self, act: Act, run: &RunView) -> Reaction {
        let moved = match self.pane {
            Pane::Steps => {
                let moved = self.steps.act(act, run.state.steps.len());
                if moved {
                    self.follow = self.shown_step(run) == turn(&run.state);
                    self.detail = DocPane::default();
                }
                moved
            }
            Pane::Detail => self.detail.act(act),
            Pane::Output => {
                let moved = self.output.act(act);
                self.tail = self.output.at_end();
                moved
            }
        };
        if moved { Reaction::Handled } else { Reaction::Ignored }
    }

    pub fn click(&mut self, hit: Hit, run: &RunView) -> Reaction {
        let Hit::Row { row, .. } = hit else { return Reaction::Ignored };
        self.pane = Pane::Steps;
        self.steps.select(row);
        self.follow = row == turn(&run.state);
        self.detail = DocPane::default();
        Reaction::Handled
    }
}

const fn next(pane: Pane, forward: bool) -> Pane {
    match (pane, forward) {
        (Pane::Steps, true) | (Pane::Output, false) => Pane::Detail,
        (Pane::Detail, true) | (Pane::Steps, false) => Pane::Output,
        (Pane::Output, true) | (Pane::Detail, false) => Pane::Steps,
    }
}

/// What the operator may ask of the run as a whole.
fn command(act: Act, run: &RunView, cx: &Cx) -> Reaction {
    let reason = |kind| Reaction::Push(Box::new(ReasonDialog::new(kind)));
    match act {
        Act::RunAnswer => match &run.state.question {
            Some(question) => Reaction::Push(QuestionDialog::open(question)),
            None => Reaction::Handled,
        },
        Act::RunStart if run.state.status == RunStatus::Ready => {
            let plan = Box::new(run.state.plan.as_ref().clone());
            Reaction::Push(Box::new(ConfirmDialog::new(Purpose::BeginRun(plan))))
        }
        Act::RunStart => Reaction::Ask(Ask::Intent(crate::runbook::Intent::Resume)),
        Act::RunPause => reason(ReasonKind::Pause),
        Act::RunAbort => reason(ReasonKind::Abort),
        Act::RunNote => reason(ReasonKind::Note),
        Act::RunHandover => handover(run, cx),
        Act::RunAmend => Reaction::Push(Box::new(AmendDialog::open(&run.state))),
        Act::RunAnother => {
            AnotherDialog::open(&run.state).map_or(Reaction::Handled, |dialog| Reaction::Push(Box::new(dialog)))
        }
        Act::RunResume if matches!(run.link, Link::Lost(_)) => {
            Reaction::Send(Request::ResumeRun { run: run.state.id.clone() })
                .and(Reaction::Say("bringing the runner back".to_owned()))
        }
        Act::RunClose => Reaction::Send(Request::CloseRun),
        _ => Reaction::Handled,
    }
}

/// Offers the run, takes what is offered, or relieves an operator who is gone.
fn handover(run: &RunView, cx: &Cx) -> Reaction {
    let (state, me) = (&run.state, &cx.view.actor);
    match &state.handover {
        Some(offer) if offer.from == *me => Reaction::Ask(Ask::Intent(crate::runbook::Intent::WithdrawHandover))
            .and(Reaction::Say("the offer is taken back".to_owned())),
        Some(_) => Reaction::Push(Box::new(TakeDialog::default())),
        None if state.operator.name == me.name => Reaction::Push(Box::new(OfferDialog::default())),
        None => {
            let kind = ReasonKind::Relieve { operator: state.operator.to_string() };
            Reaction::Push(Box::new(ReasonDialog::new(kind)))
        }
    }
}
