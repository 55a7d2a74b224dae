//! What can be chosen for a parameter, from the catalog and the estate.

use crate::model::backup::Backup;
use crate::model::id::AssetId;
use crate::model::proof::ProofOutcome;
use crate::runbook::{Param, ParamKind};
use crate::session::View;
use crate::tui::format;
use crate::tui::freshness;
use crate::tui::screen::Cx;

/// Most backups that are offered by name; an older one can be chosen from the catalog.
const BACKUPS: usize = 200;

/// One choice: the value that the plan gets, and what there is to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub about: String,
}

fn choice(value: impl Into<String>, about: impl Into<String>) -> Choice {
    Choice { value: value.into(), about: about.into() }
}

/// The choices for a parameter; `None` where the value is typed. `value_of` gives other parameters' values.
pub fn choices(param: &Param, value_of: impl Fn(&str) -> String, cx: &Cx) -> Option<Vec<Choice>> {
    Some(match &param.kind {
        ParamKind::Text | ParamKind::Integer { .. } | ParamKind::Path | ParamKind::Duration => return None,
        ParamKind::Flag => vec![choice("yes", ""), choice("no", "")],
        ParamKind::Choice { of } => of.iter().map(|value| choice(value.clone(), "")).collect(),
        ParamKind::Asset { kinds } => {
            let assets = cx.view.estate.assets.iter().filter(|a| kinds.is_empty() || kinds.contains(&a.kind));
            assets.map(|asset| choice(asset.id.to_string(), asset.kind.to_string())).collect()
        }
        ParamKind::Backup { asset } => backups(&AssetId::new(value_of(asset)), cx),
        ParamKind::Copy { backup } => {
            let id = value_of(backup);
            let mut out = vec![choice("", "the plan chooses a copy that can be read")];
            if let Some(backup) = named(cx.view, &id, param, &value_of) {
                out.extend(backup.copies.iter().map(|copy| {
                    let lost = freshness::lost(cx.view, &copy.store);
                    let state =
                        lost.map_or_else(String::new, |scan| format!(", {}", freshness::lost_sentence(scan, cx.now)));
                    choice(copy.store.to_string(), format!("{}{state}", format::bytes(copy.size_bytes)))
                }));
            }
            out
        }
    })
}

fn backups(asset: &AssetId, cx: &Cx) -> Vec<Choice> {
    let about =
        |backup: Option<&Backup>| backup.map_or_else(|| "there is none".to_owned(), |b| format!("now {}", b.id));
    let mut out = vec![
        choice("latest-proven", about(latest(cx.view, asset, true))),
        choice("latest", about(latest(cx.view, asset, false))),
    ];
    out.extend(cx.view.catalog.of_asset(asset).take(BACKUPS).map(|backup| {
        let stores: Vec<&str> = backup.copies.iter().map(|copy| copy.store.as_str()).collect();
        let about = format!(
            "{}, {}, proof {}, in {}",
            format::instant_short(backup.taken_at, cx.zone()),
            format::bytes(backup.size_bytes),
            format::proof(backup.proof.as_ref()).0,
            stores.join(" ")
        );
        choice(backup.id.to_string(), about)
    }));
    out
}

/// The newest backup of an asset, or the newest whose proof passed. The catalog is newest first.
fn latest<'a>(view: &'a View, asset: &AssetId, proven: bool) -> Option<&'a Backup> {
    let passed = |backup: &&Backup| backup.proof.as_ref().is_some_and(|p| p.outcome == ProofOutcome::Passed);
    view.catalog.backups.iter().filter(|backup| &backup.asset == asset).find(|backup| !proven || passed(backup))
}

/// The backup that a value means. For a moving name the asset comes from the first parameter that is one.
fn named<'a>(view: &'a View, id: &str, _param: &Param, value_of: &impl Fn(&str) -> String) -> Option<&'a Backup> {
    match id {
        "latest" | "latest-proven" => latest(view, &AssetId::new(value_of("asset")), id == "latest-proven"),
        id => view.catalog.choose(id).ok(),
    }
}
