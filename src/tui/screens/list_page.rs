//! A list above, the text about its selected row beneath: what screens of this shape share.

use crate::tui::action::Act;
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::fit;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, DocPane, ListState, Row, Table};
use ratatui::layout::Rect;

/// What a screen says around its list and its text.
pub struct Halves<'a> {
    pub title: &'a str,
    pub remark: Line,
    pub rows: usize,
    /// Title of the lower half.
    pub lower: String,
    /// Said instead of rows.
    pub empty: &'static str,
}

/// Draws both halves: framed where there is room, ruled where not. Where neither has anything to show, the
/// list takes the whole area.
pub fn halves(
    canvas: &mut Canvas,
    area: Rect,
    halves: &Halves,
    list: impl FnOnce(&mut Canvas, Rect),
    doc: impl FnOnce(&mut Canvas, Rect),
) {
    let framed = area.height >= 14 && area.width >= 60;
    let need = halves.rows.clamp(1, 100) as u16 + if framed { 3 } else { 1 };
    let height = need.min(area.height.div_ceil(2)).max(3.min(area.height));
    let upper = Rect { height, ..area };
    let lower = Rect { y: area.y + height, height: area.height - height, ..area };
    let heading = [span(halves.title.to_owned(), Role::Title)];
    if halves.rows == 0 && halves.lower.is_empty() {
        let inner = if framed { canvas.panel(area, &heading, &halves.remark, Role::BorderFocus) } else { area };
        nothing(canvas, inner, halves.empty);
        return;
    }
    let title = [span(halves.lower.clone(), Role::Title)];
    let list = |canvas: &mut Canvas, area: Rect| match halves.rows {
        0 => nothing(canvas, area, halves.empty),
        _ => list(canvas, area),
    };
    if framed {
        let inner = canvas.panel(upper, &heading, &halves.remark, Role::BorderFocus);
        list(canvas, inner);
        let inner = canvas.panel(lower, &title, &[], Role::Border);
        doc(canvas, inner);
    } else {
        list(canvas, upper);
        canvas.rule(lower, lower.y, &title);
        doc(canvas, Rect { y: lower.y + 1, height: lower.height.saturating_sub(1), ..lower });
    }
}

fn nothing(canvas: &mut Canvas, area: Rect, text: &str) {
    let room = area.width.saturating_sub(4);
    let top = area.y + u16::from(area.height > 2);
    for (y, line) in (top..area.bottom()).zip(fit::wrap(text, usize::from(room), canvas.glyphs)) {
        canvas.text(area.x + 2, y, room, &line, Role::Dim);
    }
}

/// What a click meant to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    Elsewhere,
    Selected,
    /// On the row that was selected already.
    Again,
}

/// Cursor of the list and scroll of the text.
#[derive(Debug, Default)]
pub struct ListPage {
    list: ListState,
    pane: DocPane,
}

impl ListPage {
    pub fn selected(&self, rows: usize) -> Option<usize> {
        self.list.selected(rows)
    }

    pub fn select(&mut self, row: usize) {
        self.list.select(row);
        self.pane = DocPane::default();
    }

    /// `row` is asked only for rows in sight.
    pub fn draw(
        &self,
        canvas: &mut Canvas,
        area: Rect,
        around: &Halves,
        columns: &[Column],
        row: impl FnMut(usize) -> Row,
        doc: &Doc,
    ) {
        let (rows, list) = (around.rows, &self.list);
        let table = Table { columns, rows, list, pane: 0, focused: true, heading: true };
        let draw_list = |canvas: &mut Canvas, area: Rect| {
            table.draw(canvas, area, row);
        };
        halves(canvas, area, around, draw_list, |canvas, area| self.pane.draw(canvas, area, doc));
    }

    /// Pages scroll the text, other moves move the cursor; `false` if the action does neither.
    pub fn act(&mut self, act: Act, rows: usize) -> bool {
        if matches!(act, Act::PageUp | Act::PageDown) {
            return self.pane.act(act);
        }
        let moved = self.list.act(act, rows);
        if moved {
            self.pane = DocPane::default();
        }
        moved
    }

    pub fn click(&mut self, hit: Hit, rows: usize) -> Click {
        match hit {
            Hit::Row { row, .. } if self.list.selected(rows) == Some(row) => Click::Again,
            Hit::Row { row, .. } => {
                self.select(row);
                Click::Selected
            }
            _ => Click::Elsewhere,
        }
    }
}
