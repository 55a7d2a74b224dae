//! All runs that this machine knows, newest first.

use crate::session::{Request, RunRow};
use crate::tui::action::Act;
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::format;
use crate::tui::screen::{Cx, Reaction};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, ListState, Row, Table};
use ratatui::layout::Rect;

const COLUMNS: [Column; 6] = [
    Column::new("STATUS", 12, 28, 0),
    Column::new("TITLE", 14, 44, 0).cut(),
    Column::new("MODE", 7, 7, 1),
    Column::new("CREATED", 16, 16, 2),
    Column::new("OPERATOR", 10, 24, 4).cut(),
    Column::new("RUN", 32, 48, 3).cut(),
];

#[derive(Debug, Default)]
pub struct RunList {
    list: ListState,
}

impl RunList {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a RunRow> {
        cx.view.runs.get(self.list.selected(cx.view.runs.len())?)
    }

    pub fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let runs = &cx.view.runs;
        let framed = area.height >= 14 && area.width >= 60;
        let inner = if framed {
            let remark = [span(cx.zone().to_string(), Role::Dim)];
            canvas.panel(area, &[span("Runs", Role::Title)], &remark, Role::BorderFocus)
        } else {
            area
        };
        let table =
            Table { columns: &COLUMNS, rows: runs.len(), list: &self.list, pane: 0, focused: true, heading: true };
        table.draw(canvas, inner, |at| cells(&runs[at], cx));
        if runs.is_empty() {
            let text = "There has been no run yet. Press 4 and choose a runbook.";
            canvas.text(inner.x + 2, inner.y + 2, inner.width.saturating_sub(4), text, Role::Dim);
        }
    }

    pub fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::Open => match self.current(cx) {
                Some(run) => Reaction::Send(Request::OpenRun { run: run.id.clone() })
                    .and(Reaction::Say(format!("opening {}", run.id))),
                None => Reaction::Handled,
            },
            act if self.list.act(act, cx.view.runs.len()) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    pub fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let Hit::Row { row, .. } = hit else { return Reaction::Ignored };
        if self.list.selected(cx.view.runs.len()) == Some(row) {
            return self.act(Act::Open, cx);
        }
        self.list.select(row);
        Reaction::Handled
    }

    pub fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |run| Selected::Run(run.id.clone()))
    }
}

fn cells(run: &RunRow, cx: &Cx) -> Row {
    let role = match () {
        () if run.needs_operator => Role::Warning,
        () if run.status.contains("lost") => Role::Unknown,
        () if !run.over => Role::Accent,
        () if run.status == "completed" => Role::Ok,
        () => Role::Dim,
    };
    let mark = match () {
        () if run.needs_operator => cx.glyphs.point,
        () if !run.over => cx.glyphs.pointer,
        () => " ",
    };
    Row::Cells(vec![
        vec![span(format!("{mark} {}", run.status), role)],
        vec![span(run.title.clone(), Role::Strong)],
        vec![span(run.mode.clone(), Role::Base)],
        vec![span(format::instant_short(run.created_at, cx.zone()), Role::Base)],
        vec![span(run.operator.to_string(), Role::Dim)],
        vec![span(run.id.to_string(), Role::Code)],
    ])
}
