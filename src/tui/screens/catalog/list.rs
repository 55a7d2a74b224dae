//! The catalog's screen.

use super::index::{Entry, Index};
use crate::model::backup::Backup;
use crate::model::id::BackupId;
use crate::tui::action::{Act, Scope};
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::format;
use crate::tui::freshness;
use crate::tui::keys::Key;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::screens::{detail::Detail, restore_of, verify};
use crate::tui::situation::Selected;
use crate::tui::theme::Role;
use crate::tui::widgets::{Column, Field, ListState, Row, Table};
use ratatui::layout::Rect;

const COLUMNS: [Column; 10] = [
    Column::new("TAKEN", 11, 16, 0),
    Column::new("ASSET", 8, 24, 0).cut(),
    Column::new("SIZE", 7, 8, 1).right(),
    Column::new("KIND", 8, 12, 3),
    Column::new("PROOF", 6, 12, 2),
    Column::new("COPIES", 6, 6, 3).right(),
    Column::new("IN", 16, 40, 4).cut(),
    Column::new("STATE", 10, 24, 5).cut(),
    Column::new("CONTENT", 8, 24, 7),
    Column::new("BACKUP", 32, 64, 6).cut(),
];

#[derive(Debug, Default)]
pub struct CatalogList {
    index: Index,
    list: ListState,
    filter: Field,
    typing: bool,
    /// The backup under the cursor, kept when rows change.
    at: Option<BackupId>,
}

impl CatalogList {
    fn current(&self) -> Option<&Backup> {
        let entries = self.index.entries();
        match entries.get(self.list.selected(entries.len())?)? {
            Entry::Backup(row) => self.index.backup(*row),
            Entry::Group { .. } => None,
        }
    }

    fn keep(&mut self) {
        self.at = self.current().map(|backup| backup.id.clone());
    }

    /// Puts the cursor back on its backup, or on the first one.
    fn restore_cursor(&mut self) {
        let entries = self.index.entries();
        let place = |entry: &Entry| match entry {
            Entry::Backup(row) => self.index.backup(*row).map(|backup| &backup.id) == self.at.as_ref(),
            Entry::Group { .. } => false,
        };
        let found = self.at.as_ref().and_then(|_| entries.iter().position(place));
        let first = entries.iter().position(|entry| matches!(entry, Entry::Backup(_))).unwrap_or(0);
        self.list.select(found.unwrap_or(first));
    }

    fn refilter(&mut self) {
        self.index.filter(&self.filter.text());
        self.restore_cursor();
    }

    fn reorder(&mut self, act: Act) {
        let (sort, reverse, grouped) = self.index.order();
        match act {
            Act::Sort => self.index.set_order(sort.next(), reverse, grouped),
            Act::SortReverse => self.index.set_order(sort, !reverse, grouped),
            _ => self.index.set_order(sort, reverse, !grouped),
        }
        self.restore_cursor();
    }

    fn head(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let (sort, reverse, grouped) = self.index.order();
        let arrow = if reverse { canvas.glyphs.up } else { canvas.glyphs.down };
        let shown = format::count(self.index.fitting() as u64);
        let total = format::count(self.index.total() as u64);
        let mut right: Line = Vec::new();
        if self.filter.is_empty() {
            right.push(span(format::counted(self.index.total() as u64, "backup", "backups"), Role::Base));
        } else {
            right.push(span(shown, Role::Strong));
            right.push(span(format!(" of {total}"), Role::Dim));
        }
        if area.width >= 60 {
            right.push(span(format!("   by {} {arrow}", sort.word()), Role::Dim));
            if grouped {
                right.push(span("   grouped", Role::Dim));
            }
        }
        let columns = crate::tui::canvas::line_width(&right, canvas.glyphs) as u16;
        canvas.line_right(area.x, area.y, area.width, &right);
        let room = area.width.saturating_sub(columns + 4);
        if self.typing || !self.filter.is_empty() {
            canvas.text(area.x, area.y, 2, "/ ", Role::Key);
            let field = Rect { x: area.x + 2, width: room.min(48), height: 1, ..area };
            self.filter.draw(canvas, field, "words, asset:…, kind:…, store:…, proof:…, !without", self.typing);
        } else {
            canvas.text(
                area.x,
                area.y,
                room,
                &format!("{}{}", cx.keymap.hint(Act::Filter), if area.width < 60 { " filter" } else { " to filter" }),
                Role::Faint,
            );
        }
    }
}

impl Screen for CatalogList {
    fn scope(&self) -> Scope {
        Scope::Catalog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Catalog".to_owned()
    }

    fn wants_text(&self) -> bool {
        self.typing
    }

    fn sync(&mut self, cx: &Cx) {
        if self.index.load(&cx.view.catalog) {
            self.restore_cursor();
        }
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let framed = area.height >= 14 && area.width >= 60;
        let inner = if framed {
            let mut remark = freshness::of_catalog(cx);
            remark.push(span(format!(" · {}", cx.zone()), Role::Dim));
            canvas.panel(area, &[span("Backups", Role::Title)], &remark, Role::BorderFocus)
        } else {
            area
        };
        self.head(canvas, Rect { height: 1, ..inner }, cx);
        if !framed && self.filter.is_empty() && !self.typing {
            let age = freshness::of_catalog(cx);
            let columns = crate::tui::canvas::line_width(&age, canvas.glyphs) as u16;
            if columns + 23 <= inner.width {
                canvas.line(inner.x + 10, inner.y, columns, &age);
            }
        }
        let gap = u16::from(framed && inner.height > 12);
        let table_area = Rect { y: inner.y + 1 + gap, height: inner.height.saturating_sub(1 + gap), ..inner };
        let entries = self.index.entries();
        let (_, _, grouped) = self.index.order();
        let narrow = table_area.width < 57;
        let table =
            Table { columns: &COLUMNS, rows: entries.len(), list: &self.list, pane: 0, focused: true, heading: true };
        table.draw(canvas, table_area, |at| match entries[at] {
            Entry::Group { first, count } => {
                let name = self.index.backup(first).map_or_else(String::new, |backup| backup.asset.to_string());
                let count = format::counted(u64::from(count), "backup", "backups");
                Row::Group(vec![span(name, Role::Group), span(format!("  {count}"), Role::Dim)])
            }
            Entry::Backup(row) => self
                .index
                .backup(row)
                .map_or_else(|| Row::Cells(Vec::new()), |backup| cells(backup, grouped, narrow, cx)),
        });
        if entries.is_empty() {
            let text = if self.filter.is_empty() { "No backup is known yet." } else { "Nothing fits the filter." };
            canvas.text(table_area.x + 2, table_area.y + 2, table_area.width.saturating_sub(4), text, Role::Dim);
        }
    }

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction {
        match act {
            Act::Filter => self.typing = true,
            Act::Back if self.typing || !self.filter.is_empty() => {
                self.typing = false;
                self.filter.clear();
                self.refilter();
            }
            Act::Open if self.typing => self.typing = false,
            Act::Sort | Act::SortReverse | Act::Group => self.reorder(act),
            Act::Open | Act::CatalogVerify | Act::CatalogRestore => {
                let Some(backup) = self.current() else { return Reaction::Handled };
                return match act {
                    Act::Open => Reaction::Push(Box::new(Detail::new(backup.id.clone()))),
                    Act::CatalogVerify => verify(&backup.id),
                    _ => restore_of(cx, &backup.asset, Some(&backup.id)),
                };
            }
            act => {
                if !self.list.act(act, self.index.entries().len()) {
                    return Reaction::Ignored;
                }
                self.keep();
            }
        }
        Reaction::Handled
    }

    fn key(&mut self, key: Key, _cx: &Cx) -> Reaction {
        if !self.filter.key(key) {
            return Reaction::Ignored;
        }
        self.refilter();
        Reaction::Handled
    }

    fn paste(&mut self, text: &str, _cx: &Cx) -> Reaction {
        if !self.typing {
            return Reaction::Ignored;
        }
        self.filter.paste(text);
        self.refilter();
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, cx: &Cx) -> Reaction {
        let Hit::Row { row, .. } = hit else { return Reaction::Ignored };
        if self.list.selected(self.index.entries().len()) == Some(row) {
            return self.act(Act::Open, cx);
        }
        self.list.select(row);
        self.keep();
        Reaction::Handled
    }

    fn selected(&self, _cx: &Cx) -> Selected {
        self.current().map_or(Selected::Nothing, |backup| Selected::Backup(backup.id.clone()))
    }

    fn show(&mut self, item: &Selected, _cx: &Cx) {
        match item {
            Selected::Asset(asset) => {
                self.filter = Field::with(&format!("asset:{asset}"));
                self.at = None;
                self.refilter();
                self.keep();
            }
            Selected::Backup(id) => {
                self.filter.clear();
                self.at = Some(id.clone());
                self.refilter();
            }
            _ => {}
        }
    }
}

fn cells(backup: &Backup, grouped: bool, narrow: bool, cx: &Cx) -> Row {
    let stale = freshness::is_stale(cx.view, backup);
    let value = |role: Role| if stale { Role::Stale } else { role };
    let (proof, proof_role) = format::proof(backup.proof.as_deref());
    let mut stores: Line = Vec::new();
    for copy in &backup.copies {
        let lost = freshness::lost(cx.view, &copy.store).is_some();
        if !stores.is_empty() {
            stores.push(span(", ", Role::Dim));
        }
        stores.push(span(copy.store.to_string(), if lost { Role::Stale } else { Role::Base }));
    }
    let taken = if narrow {
        format::instant_narrow(backup.taken_at, cx.zone(), cx.now)
    } else {
        format::instant_short(backup.taken_at, cx.zone())
    };
    let asset_role = if grouped { Role::Dim } else { Role::Strong };
    Row::Cells(vec![
        vec![span(taken, value(Role::Base))],
        vec![span(backup.asset.to_string(), value(asset_role))],
        vec![span(format::bytes(backup.size_bytes), value(Role::Base))],
        vec![span(backup.kind.to_string(), value(Role::Base))],
        vec![span(proof, value(proof_role))],
        vec![span(backup.copies.len().to_string(), value(Role::Base))],
        stores,
        state_of(backup, stale),
        vec![span(backup.content.as_ref().map_or_else(|| "not read".to_owned(), ToString::to_string), Role::Dim)],
        vec![span(backup.id.to_string(), value(Role::Code))],
    ])
}

/// What is special about it, in words.
pub fn state_of(backup: &Backup, stale: bool) -> Line {
    let mut line: Line = Vec::new();
    let mut add = |text: &str, role: Role| {
        if !line.is_empty() {
            line.push(span(", ", Role::Dim));
        }
        line.push(span(text.to_owned(), role));
    };
    if stale {
        add("store lost", Role::Stale);
    }
    if backup.complete == Some(false) {
        add("incomplete", Role::Critical);
    }
    if backup.chain.as_ref().is_some_and(|chain| chain.base.is_none()) {
        add("broken chain", Role::Critical);
    }
    if backup.sidecars.iter().any(|sidecar| !sidecar.disagreements.is_empty()) {
        add("disputed", Role::Warning);
    }
    if backup.encrypted == Some(true) {
        add("encrypted", Role::Info);
    }
    for label in backup.labels.keys() {
        add(label, Role::Accent);
    }
    line
}
