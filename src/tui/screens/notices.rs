//! Errors and remarks: they stay until somebody dismisses them.

use super::list_page::{Click, Halves, ListPage};
use crate::session::{Notice, Request};
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::format;
use crate::tui::freshness;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, Row};
use ratatui::layout::Rect;

const COLUMNS: [Column; 3] =
    [Column::new("SEVERITY", 10, 10, 0), Column::new("AGE", 4, 6, 1).right(), Column::new("WHAT", 18, 160, 0).cut()];

#[derive(Debug, Default)]
pub struct Notices {
    page: ListPage,
}

impl Notices {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a Notice> {
        let notices = &cx.view.notices;
        let row = self.page.selected(notices.len())?;
        // Newest on top; the view keeps oldest first.
        notices.iter().rev().nth(row)
    }
}

impl Screen for Notices {
    fn scope(&self) -> Scope {
        Scope::Notices
    }

    fn title(&self, _cx: &Cx) -> String {
        "Notices".to_owned()
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let notices = &cx.view.notices;
        let rows = notices.len();
        let mut doc = Doc::new();
        if let Some(notice) = self.current(cx) {
            doc.text(notice.what.clone(), format::severity_role(notice.severity));
            if !notice.next.is_empty() {
                let arrow = vec![span(format!("{} ", cx.glyphs.arrow), Role::Accent)];
                doc.marked(arrow, notice.next.clone(), Role::Base);
            }
        }
        let around = Halves {
            title: "Notices",
            remark: if rows > 0 { vec![span("x dismisses", Role::Dim)] } else { Vec::new() },
            rows,
            lower: self.current(cx).map_or_else(String::new, |n| format::instant(n.at, cx.zone())),
            empty: "Nothing needs your attention here.",
        };
        self.page.draw(canvas, area, &around, &COLUMNS, |at| cells(&notices[rows - 1 - at], cx), &doc);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::NoticeDismiss => {
                self.current(cx).map_or(Reaction::Handled, |n| Reaction::Send(Request::Dismiss { notice: n.id }))
            }
            Act::Open => Reaction::Handled,
            act if self.page.act(act, cx.view.notices.len()) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match self.page.click(hit, cx.view.notices.len()) {
            Click::Elsewhere => Reaction::Ignored,
            Click::Selected | Click::Again => Reaction::Handled,
        }
    }

    fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |notice| Selected::Notice(notice.id))
    }
}

fn cells(notice: &Notice, cx: &Cx) -> Row {
    let role = format::severity_role(notice.severity);
    let word = format!("{} {}", cx.glyphs.severity(notice.severity), format::severity_word(notice.severity));
    Row::Cells(vec![
        vec![span(word, role)],
        vec![span(freshness::age(notice.at, cx.now), Role::Dim)],
        vec![span(notice.what.clone(), Role::Base)],
    ])
}
