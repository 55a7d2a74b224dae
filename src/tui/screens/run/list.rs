//! All runs that this machine knows, newest first.

use crate::session::view::Held;
use crate::session::{LockWish, Request, RunRow};
use crate::tui::action::Act;
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::dialogs::{ReasonDialog, ReasonKind};
use crate::tui::format;
use crate::tui::screen::{Cx, Reaction};
use crate::tui::screens::list_page::{Click, Halves, ListPage};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, Row};
use ratatui::layout::Rect;

const COLUMNS: [Column; 6] = [
    Column::new("STATUS", 12, 28, 0),
    Column::new("TITLE", 14, 44, 0).cut(),
    Column::new("MODE", 7, 7, 1),
    Column::new("CREATED", 16, 16, 2),
    Column::new("OPERATOR", 10, 24, 4),
    Column::new("RUN", 32, 64, 3),
];

#[derive(Debug, Default)]
pub struct RunList {
    page: ListPage,
}

impl RunList {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a RunRow> {
        cx.view.runs.get(self.page.selected(cx.view.runs.len())?)
    }

    pub fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let runs = &cx.view.runs;
        let around = Halves {
            title: "Runs",
            remark: vec![span(cx.zone().to_string(), Role::Dim)],
            rows: runs.len(),
            lower: self.current(cx).map_or_else(String::new, |run| run.title.clone()),
            empty: "There has been no run yet. Press 4 and choose a runbook.",
        };
        let doc = self.current(cx).map(|run| run_doc(run, cx)).unwrap_or_default();
        self.page.draw(canvas, area, &around, &COLUMNS, |at| cells(&runs[at], cx), &doc);
    }

    pub fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::Open => match self.current(cx) {
                Some(run) => Reaction::Send(Request::OpenRun { run: run.id.clone() })
                    .and(Reaction::Say(format!("opening {}", run.id))),
                None => Reaction::Handled,
            },
            Act::RunsTakeOver => self.current(cx).and_then(|run| take_over(run, cx)).unwrap_or(Reaction::Handled),
            act if self.page.act(act, cx.view.runs.len()) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    pub fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match self.page.click(hit, cx.view.runs.len()) {
            Click::Elsewhere => Reaction::Ignored,
            Click::Selected => Reaction::Handled,
            Click::Again => self.act(Act::Open, cx),
        }
    }

    pub fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |run| Selected::Run(run.id.clone()))
    }
}

/// The dialog that takes over a run of another machine, or frees its lock where its mirror is lost.
pub fn take_over(run: &RunRow, cx: &Cx) -> Option<Reaction> {
    let held = run.held.as_ref()?;
    let lease = &held.lease;
    let expired = held.is_silent();
    let sign = format::ago(lease.renewed_at, cx.now);
    let silent = if expired { ", which is too long: it is dead or cut off" } else { "" };
    let told = format!("{} holds it; its last sign of life came {sign}{silent}.", lease.holder);
    let wish = if held.unreadable.is_some() { LockWish::Free } else { LockWish::TakeOver };
    Some(Reaction::Push(Box::new(ReasonDialog::new(ReasonKind::Lock { run: run.id.clone(), wish, expired, told }))))
}

/// Who holds a run, since when, and whether it still gives signs of life.
fn holder(doc: &mut Doc, held: &Held, cx: &Cx) {
    let lease = &held.lease;
    doc.fact("held by", format!("{}, process {}, epoch {}", lease.holder, lease.holder.pid, lease.epoch), Role::Strong);
    let since =
        format!("{} ({})", format::instant(lease.acquired_at, cx.zone()), format::ago(lease.acquired_at, cx.now));
    doc.fact("since", since, Role::Base);
    let (text, role) = if held.is_silent() {
        (", and its lease has expired: its runner may be dead or cut off", Role::Unknown)
    } else {
        ("", Role::Ok)
    };
    doc.fact("sign of life", format!("{}{text}", format::ago(lease.renewed_at, cx.now)), role);
    if let Some(from) = &lease.taken_from {
        doc.fact("taken from", format!("{}: {}", from.holder, from.reason), Role::Warning);
    }
    if let Some(why) = &held.unreadable {
        doc.fact("mirror", format!("tells no run: {why}"), Role::Critical);
    }
    if held.copy_here {
        doc.fact("here", "a copy of it lies here, fenced off: nothing happens in it", Role::Dim);
    }
    doc.fact("here you", "watch; t takes it over with a reason", Role::Base);
}

fn role_of(run: &RunRow) -> Role {
    match () {
        () if run.needs_operator => Role::Warning,
        () if run.over && !run.owes.is_empty() => Role::Critical,
        () if run.held.is_some() => Role::Info,
        () if run.status.contains("lost") => Role::Unknown,
        () if !run.over => Role::Accent,
        () if run.status == "completed" => Role::Ok,
        () => Role::Dim,
    }
}

/// What the row leaves out, and how to come back to the run from a shell.
fn run_doc(run: &RunRow, cx: &Cx) -> Doc {
    let mut doc = Doc::new();
    doc.fact("run", run.id.to_string(), Role::Code);
    doc.fact("status", run.status.clone(), role_of(run));
    doc.fact("mode", run.mode.clone(), Role::Base);
    let created = format!("{} ({})", format::instant(run.created_at, cx.zone()), format::ago(run.created_at, cx.now));
    doc.fact("created", created, Role::Base);
    doc.fact("by", run.operator.to_string(), Role::Base);
    if let Some(held) = &run.held {
        holder(&mut doc, held, cx);
    }
    if !run.owes.is_empty() {
        doc.fact("not cleared", run.owes.join(", "), Role::Critical);
    }
    let command = match () {
        () if run.held.as_ref().is_some_and(|held| held.unreadable.is_some()) => "runs --free",
        () if run.over && !run.owes.is_empty() => "clean",
        () if run.over => "report",
        () => "attach",
    };
    doc.fact("in a shell", format!("relight {command} {}", run.id), Role::Code);
    doc
}

fn cells(run: &RunRow, cx: &Cx) -> Row {
    let role = role_of(run);
    let mark = match () {
        () if run.needs_operator => cx.glyphs.point,
        () if !run.over => cx.glyphs.pointer,
        () => " ",
    };
    let owes = if run.over && !run.owes.is_empty() { ", not cleared" } else { "" };
    Row::Cells(vec![
        vec![span(format!("{mark} {}{owes}", run.status), role)],
        vec![span(run.title.clone(), Role::Strong)],
        vec![span(run.mode.clone(), Role::Base)],
        vec![span(format::instant_short(run.created_at, cx.zone()), Role::Base)],
        vec![span(run.operator.to_string(), Role::Dim)],
        vec![span(run.id.to_string(), Role::Code)],
    ])
}
