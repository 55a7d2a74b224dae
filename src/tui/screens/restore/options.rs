//! What can be chosen for a parameter, from the catalog and the estate.

use crate::model::id::AssetId;
use crate::runbook::{Param, ParamKind};
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
pub fn choices(param: &Param, params: &[Param], value_of: impl Fn(&str) -> String, cx: &Cx) -> Option<Vec<Choice>> {
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
            let asset = params.iter().find(|other| other.name == *backup).and_then(|other| match &other.kind {
                ParamKind::Backup { asset } => Some(AssetId::new(value_of(asset))),
                _ => None,
            });
            let chosen = asset.and_then(|asset| cx.view.catalog.choose_for(&asset, &value_of(backup)).ok());
            let mut out = vec![choice("", "the plan chooses a copy that can be read")];
            if let Some(backup) = chosen {
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
    let moving = |name: &str| match cx.view.catalog.choose_for(asset, name) {
        Ok(backup) => choice(name, format!("now {}", backup.id)),
        Err(why) => choice(name, why.to_string()),
    };
    let mut out = vec![moving("latest-proven"), moving("latest")];
    out.extend(cx.view.catalog.of_asset(asset).take(BACKUPS).map(|backup| {
        let stores: Vec<&str> = backup.copies.iter().map(|copy| copy.store.as_str()).collect();
        let about = format!(
            "{}, {}, proof {}, in {}",
            format::instant_short(backup.taken_at, cx.zone()),
            format::bytes(backup.size_bytes),
            format::proof(backup.proof.as_deref()).0,
            stores.join(", ")
        );
        choice(backup.id.to_string(), about)
    }));
    out
}
