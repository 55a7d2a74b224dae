//! Scans and verifications of this console: what runs, how far it is, how it ended.

use super::list_page::{Click, Halves, ListPage};
use crate::model::task::{Progress, Unit};
use crate::session::{Request, TaskRow};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::format;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, Row, gauge};
use ratatui::layout::Rect;

const COLUMNS: [Column; 5] = [
    Column::new("STATE", 9, 9, 0),
    Column::new("TASK", 14, 60, 0).cut(),
    Column::new("PROGRESS", 8, 34, 2),
    Column::new("STARTED", 7, 10, 3),
    Column::new("TOOK", 6, 8, 4).right(),
];

#[derive(Debug, Default)]
pub struct Tasks {
    page: ListPage,
}

impl Tasks {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a TaskRow> {
        cx.view.tasks.get(self.page.selected(cx.view.tasks.len())?)
    }
}

impl Screen for Tasks {
    fn scope(&self) -> Scope {
        Scope::Tasks
    }

    fn title(&self, _cx: &Cx) -> String {
        "Tasks".to_owned()
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let tasks = &cx.view.tasks;
        let rows = tasks.len();
        let doc = self.current(cx).map(task_doc).unwrap_or_default();
        let title = self.current(cx).map_or_else(String::new, |task| task.title.clone());
        let around = Halves {
            title: "Tasks",
            remark: vec![span("they end with this console; runs do not", Role::Dim)],
            rows,
            lower: title,
            empty: "No task has run yet.",
        };
        self.page.draw(canvas, area, &around, &COLUMNS, |at| cells(&tasks[at], cx), &doc);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::TaskCancel => match self.current(cx) {
                Some(task) => Reaction::Send(Request::CancelTask { task: task.id })
                    .and(Reaction::Say(format!("stopping {}", task.title))),
                None => Reaction::Handled,
            },
            Act::Open => Reaction::Handled,
            act if self.page.act(act, cx.view.tasks.len()) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match self.page.click(hit, cx.view.tasks.len()) {
            Click::Elsewhere => Reaction::Ignored,
            Click::Selected | Click::Again => Reaction::Handled,
        }
    }

    fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |task| Selected::Task(task.id))
    }
}

fn state_role(state: &str) -> Role {
    match state {
        "running" => Role::Accent,
        "done" => Role::Ok,
        "failed" => Role::Critical,
        "cancelled" => Role::Dim,
        _ => Role::Unknown,
    }
}

fn cells(task: &TaskRow, cx: &Cx) -> Row {
    let progress: Line = match task.progress.total {
        Some(total) if task.ended_at.is_none() => {
            let mut line = gauge::progress(task.progress.done, total, 10, Role::Accent, cx.glyphs);
            line.push(span(format!(" {}", amounts(&task.progress)), Role::Base));
            line
        }
        _ => vec![span(amounts(&task.progress), Role::Dim)],
    };
    let end = task.ended_at.unwrap_or(cx.now);
    Row::Cells(vec![
        vec![span(task.state.clone(), state_role(&task.state))],
        vec![span(task.title.clone(), Role::Strong)],
        progress,
        vec![span(format::clock(task.started_at, cx.zone()), Role::Dim)],
        vec![span(format::stopwatch(end - task.started_at), Role::Dim)],
    ])
}

/// `2.10 GB of 4.81 GB`, `1,271 objects`.
fn amounts(progress: &Progress) -> String {
    let amount = |n: u64| match progress.unit {
        Unit::Bytes => format::bytes(n),
        Unit::Objects => format::counted(n, "object", "objects"),
        Unit::Tables => format::counted(n, "table", "tables"),
        Unit::Items => format::count(n),
    };
    match progress.total {
        Some(total) if progress.unit == Unit::Bytes => format!("{} of {}", amount(progress.done), amount(total)),
        Some(total) => format!("{} of {}", format::count(progress.done), amount(total)),
        None => amount(progress.done),
    }
}

fn task_doc(task: &TaskRow) -> Doc {
    let mut doc = Doc::new();
    if !task.detail.is_empty() {
        doc.text(task.detail.clone(), state_role(&task.state));
    }
    if !task.progress.note.is_empty() && task.ended_at.is_none() {
        doc.text(task.progress.note.clone(), Role::Dim);
    }
    for line in &task.lines {
        doc.text(line.clone(), Role::Base);
    }
    doc
}
