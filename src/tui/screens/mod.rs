//! One file per screen.

pub mod catalog;
mod checklists;
pub mod detail;
mod help;
pub mod journal;
pub mod list_page;
mod notices;
mod overview;
pub mod restore;
mod run;
mod runbooks;
mod stores;
mod tasks;
mod timeline;

pub use help::Help;

use super::screen::{Cx, Place, Reaction, Screen};
use crate::model::id::{AssetId, BackupId};
use crate::model::proof::Level;
use crate::runbook::{ParamKind, Runbook, RunbookKind};
use crate::session::{Request, View};

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
        (Place::Checklists, Box::new(checklists::Checklists::default())),
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
    // The one that is made for the fewest kinds knows most of this one.
    let breadth = |runbook: &&Runbook| {
        let kinds = runbook.params.iter().filter_map(|param| match &param.kind {
            ParamKind::Asset { kinds } if !kinds.is_empty() => Some(kinds.len()),
            _ => None,
        });
        kinds.min().unwrap_or(usize::MAX)
    };
    match restore_runbooks(cx.view, asset).min_by_key(breadth) {
        Some(runbook) => Reaction::Push(Box::new(restore::Form::for_asset(runbook, asset, backup, cx))),
        None => Reaction::Warn("no loaded runbook restores this asset".to_owned()),
    }
}

/// Proves a backup as a task of the session.
pub fn verify(backup: &BackupId) -> Reaction {
    let request = Request::Verify { backup: backup.clone(), level: Level::L4, store: None };
    Reaction::Send(request).and(Reaction::Say(format!("proving {backup}; see 6 Tasks")))
}
