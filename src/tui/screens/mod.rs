//! One file per screen.

pub mod catalog;
pub mod detail;
mod help;
pub mod journal;
mod notices;
mod overview;
pub mod restore;
mod run;
mod runbooks;
mod stores;
mod tasks;
mod timeline;

pub use help::Help;

use super::canvas::span;
use super::screen::{Cx, Place, Reaction, Screen};
use super::theme::Role;
use crate::model::id::{AssetId, BackupId};
use crate::model::proof::Level;
use crate::runbook::{ParamKind, Runbook, RunbookKind};
use crate::session::{Request, View};
use ratatui::layout::Rect;

/// The screens of the tab bar, fresh.
pub fn bases() -> Vec<(Place, Box<dyn Screen>)> {
    vec![
        (Place::Overview, Box::new(overview::Overview::default())),
        (Place::Catalog, Box::new(catalog::CatalogList::default())),
        (Place::Timeline, Box::new(timeline::Timeline::default())),
        (Place::Runbooks, Box::new(runbooks::Runbooks::default())),
        (Place::Run, Box::new(run::RunPlace::default())),
        (Place::Tasks, Box::new(tasks::Tasks::default())),
        (Place::Stores, Box::new(stores::Stores::default())),
        (Place::Journal, Box::new(journal::Journal::default())),
        (Place::Notices, Box::new(notices::Notices::default())),
    ]
}

/// Runbooks that restore this kind of asset.
pub fn restore_runbooks<'a>(view: &'a View, asset: &AssetId) -> impl Iterator<Item = &'a Runbook> {
    let kind = view.estate.asset(asset).map(|asset| asset.kind);
    view.runbooks.iter().filter(move |runbook| {
        runbook.kind == RunbookKind::Restore
            && runbook.params.iter().any(|param| match &param.kind {
                ParamKind::Asset { kinds } => kinds.is_empty() || kind.is_some_and(|kind| kinds.contains(&kind)),
                _ => false,
            })
    })
}

/// Begins the walk-through that restores an asset, from a backup if one was chosen.
pub fn restore_of(cx: &Cx, asset: &AssetId, backup: Option<&BackupId>) -> Reaction {
    match restore_runbooks(cx.view, asset).next() {
        Some(runbook) => Reaction::Push(Box::new(restore::Form::for_asset(runbook, asset, backup, cx))),
        None => Reaction::Warn("no loaded runbook restores this asset".to_owned()),
    }
}

/// Proves a backup as a task of the session.
pub fn verify(backup: &BackupId) -> Reaction {
    let request = Request::Verify { backup: backup.clone(), level: Level::L4, store: None };
    Reaction::Send(request).and(Reaction::Say(format!("proving {backup}; see 6 Tasks")))
}

/// What a screen of a list with a text beneath says around them.
struct Halves {
    title: &'static str,
    remark: super::canvas::Line,
    rows: usize,
    /// Title of the lower half.
    lower: String,
    /// Said instead of rows.
    empty: &'static str,
}

/// A list above, the text about its selected row beneath: framed where there is room, ruled where not.
fn list_and_doc(
    canvas: &mut super::canvas::Canvas,
    area: Rect,
    halves: &Halves,
    list: impl FnOnce(&mut super::canvas::Canvas, Rect),
    doc: impl FnOnce(&mut super::canvas::Canvas, Rect),
) {
    let framed = area.height >= 14 && area.width >= 60;
    let need = halves.rows.clamp(1, 100) as u16 + if framed { 3 } else { 1 };
    let height = need.min(area.height.div_ceil(2)).max(3.min(area.height));
    let upper = Rect { height, ..area };
    let lower = Rect { y: area.y + height, height: area.height - height, ..area };
    let title = [span(halves.lower.clone(), Role::Title)];
    if framed {
        let inner = canvas.panel(upper, &[span(halves.title, Role::Title)], &halves.remark, Role::BorderFocus);
        list(canvas, inner);
        let inner = canvas.panel(lower, &title, &[], Role::Border);
        doc(canvas, inner);
    } else {
        list(canvas, upper);
        canvas.rule(lower, lower.y, &title);
        doc(canvas, Rect { y: lower.y + 1, height: lower.height.saturating_sub(1), ..lower });
    }
    if halves.rows == 0 {
        let line = upper.y + if framed { 2 } else { 1 };
        canvas.text(upper.x + 4, line, upper.width.saturating_sub(6), halves.empty, Role::Dim);
    }
}
