//! Where copies lie: how the last listing of each store went, and what to do if it did not.

use super::list_page::{Click, Halves, ListPage};
use crate::catalog::{ScanStatus, StoreScan};
use crate::session::Request;
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, span};
use crate::tui::format;
use crate::tui::freshness;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Doc, Row};
use ratatui::layout::Rect;

const COLUMNS: [Column; 6] = [
    Column::new("STATUS", 13, 13, 0),
    Column::new("STORE", 10, 20, 0).cut(),
    Column::new("LISTED", 6, 8, 1),
    Column::new("OBJECTS", 9, 12, 2).right(),
    Column::new("BYTES", 8, 9, 3).right(),
    Column::new("PLACE", 16, 90, 4),
];

#[derive(Debug, Default)]
pub struct Stores {
    page: ListPage,
}

impl Stores {
    fn current<'a>(&self, cx: &Cx<'a>) -> Option<&'a StoreScan> {
        let stores = &cx.view.catalog.stores;
        stores.get(self.page.selected(stores.len())?)
    }
}

impl Screen for Stores {
    fn scope(&self) -> Scope {
        Scope::Stores
    }

    fn title(&self, _cx: &Cx) -> String {
        "Stores".to_owned()
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let stores = &cx.view.catalog.stores;
        let rows = stores.len();
        let doc = self.current(cx).map(|scan| store_doc(scan, cx)).unwrap_or_default();
        let around = Halves {
            title: "Stores",
            remark: freshness::of_catalog(cx),
            rows,
            lower: self.current(cx).map_or_else(String::new, |scan| scan.id.to_string()),
            empty: "No store is configured.",
        };
        self.page.draw(canvas, area, &around, &COLUMNS, |at| cells(&stores[at], cx), &doc);
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::StoreRescan => match self.current(cx) {
                Some(scan) => Reaction::Send(Request::Rescan { store: Some(scan.id.clone()) })
                    .and(Reaction::Say(format!("scanning {}", scan.id))),
                None => Reaction::Handled,
            },
            Act::Open => Reaction::Handled,
            act if self.page.act(act, cx.view.catalog.stores.len()) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        match self.page.click(hit, cx.view.catalog.stores.len()) {
            Click::Elsewhere => Reaction::Ignored,
            Click::Selected | Click::Again => Reaction::Handled,
        }
    }

    fn selected(&self, cx: &Cx) -> Selected {
        self.current(cx).map_or(Selected::Nothing, |scan| Selected::Store(scan.id.clone()))
    }
}

fn scanning(scan: &StoreScan, cx: &Cx) -> Option<u64> {
    cx.view.scanning.iter().find(|(id, _)| id == &scan.id).map(|(_, seen)| *seen)
}

fn status(scan: &StoreScan, cx: &Cx) -> (String, Role) {
    use crate::health::Severity as S;
    let mark = |severity: S, role: Role| {
        (format!("{} {}", cx.glyphs.severity(severity), freshness::status_word(scan.status)), role)
    };
    match scan.status {
        _ if scanning(scan, cx).is_some() => (format!("{} scanning", cx.glyphs.pointer), Role::Accent),
        ScanStatus::Ok => mark(S::Ok, Role::Ok),
        ScanStatus::Partial => mark(S::Warning, Role::Warning),
        ScanStatus::Unreachable | ScanStatus::Denied => mark(S::Unknown, Role::Unknown),
        ScanStatus::Pending => (format!("{} pending", cx.glyphs.dot), Role::Dim),
    }
}

fn cells(scan: &StoreScan, cx: &Cx) -> Row {
    let (word, role) = status(scan, cx);
    let stale = freshness::lost(cx.view, &scan.id).is_some();
    let value = if stale { Role::Stale } else { Role::Base };
    let listed = scan.scanned_at.map_or_else(|| "never".to_owned(), |at| freshness::age(at, cx.now));
    let objects = scanning(scan, cx).unwrap_or(scan.objects);
    Row::Cells(vec![
        vec![span(word, role)],
        vec![span(scan.id.to_string(), Role::Strong)],
        vec![span(listed, value)],
        vec![span(format::count(objects), value)],
        vec![span(format::bytes(scan.bytes), value)],
        vec![span(scan.location.clone(), Role::Code)],
    ])
}

fn store_doc(scan: &StoreScan, cx: &Cx) -> Doc {
    let mut doc = Doc::new();
    if freshness::lost(cx.view, &scan.id).is_some() {
        doc.text(
            format!("{}. What is shown of it is older than the last scan.", freshness::lost_sentence(scan, cx.now)),
            Role::Unknown,
        );
    }
    if scan.status == ScanStatus::Partial {
        doc.text("The listing broke off: what is shown is true but may not be all.", Role::Warning);
    }
    if let Some(error) = &scan.error {
        doc.text(error.clone(), Role::Critical);
    }
    if let Some(hint) = &scan.hint {
        doc.marked(vec![span(format!("{} ", cx.glyphs.arrow), Role::Accent)], hint.clone(), Role::Base);
    }
    doc.blank();
    doc.fact("place", scan.location.clone(), Role::Code);
    if let Some(store) = cx.view.estate.store(&scan.id) {
        doc.fact("site", store.site.clone(), Role::Base);
        doc.fact("medium", store.medium.clone(), Role::Base);
    }
    let listed = scan.scanned_at.map_or_else(|| "never".to_owned(), |at| format::instant(at, cx.zone()));
    doc.fact("last listed", listed, Role::Base);
    let unknown = &cx.view.catalog.unrecognised;
    if unknown.count > 0 {
        doc.heading(format!(
            "{} in all stores that no naming pattern recognises ({})",
            format::counted(unknown.count, "object", "objects"),
            format::bytes(unknown.bytes)
        ));
        for sample in &unknown.samples {
            doc.text(sample.clone(), Role::Dim);
        }
    }
    doc
}
