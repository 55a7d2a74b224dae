//! The configured sources of one store, compiled, the most specific first.

use super::pattern::Pattern;
use super::sighting;
use crate::model::backup::BackupKind;
use crate::model::estate::{Asset, AssetKind, Estate, Source};
use crate::model::id::StoreId;
use chrono_tz::Tz;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Compiled<'e> {
    pub asset: &'e Asset,
    /// Position of the asset in the estate.
    pub asset_index: usize,
    pub source: &'e Source,
    pub pattern: Pattern,
    pub zone: Tz,
    /// Names that an unencrypted forerunner of an encrypted archive would have.
    pub strays: Vec<Pattern>,
    pub required: Vec<(String, Option<Pattern>)>,
    /// Tells apart artefacts of one asset, kind and instant (an RDB and an AOF); empty where
    /// the configuration has only one.
    pub tag: Arc<str>,
    names_last_part: bool,
}

impl Compiled<'_> {
    pub(super) fn is_log(&self) -> bool {
        self.source.kind == BackupKind::Log && self.asset.kind == AssetKind::PostgreSql
    }

    /// Whether a file that looks like a sidecar is a sidecar here, and not the backup itself.
    pub(super) fn yields_to_sidecars(&self) -> bool {
        !self.names_last_part
    }
}

#[derive(Debug, Default)]
pub(super) struct Sources<'e> {
    /// Most literal text first; equal ones in configured order.
    pub entries: Vec<Compiled<'e>>,
    /// Sources that could not be compiled, as lines for the operator.
    pub broken: Vec<String>,
}

impl<'e> Sources<'e> {
    pub(super) fn of(estate: &'e Estate, store: &StoreId) -> Self {
        let mut sources = Self::default();
        let store_zone = estate.store(store).map_or(Tz::UTC, |s| s.time_zone);
        for (asset_index, asset) in estate.assets.iter().enumerate() {
            for source in asset.sources.iter().filter(|s| &s.store == store) {
                match Pattern::parse(&source.pattern) {
                    Ok(pattern) => sources.entries.push(Compiled {
                        asset,
                        asset_index,
                        source,
                        zone: source.time_zone.unwrap_or(store_zone),
                        strays: if source.encrypted { strays(&source.pattern) } else { Vec::new() },
                        required: source.required.iter().map(|r| (r.clone(), Pattern::parse(r).ok())).collect(),
                        tag: tag(asset, source, &pattern).into(),
                        names_last_part: pattern.names_its_last_part(),
                        pattern,
                    }),
                    Err(error) => sources.broken.push(format!(
                        "source `{}` of asset `{}` is not used: {error} (at character {})",
                        source.pattern,
                        asset.id,
                        error.at + 1
                    )),
                }
            }
        }
        sources.entries.sort_by_key(|c| std::cmp::Reverse(c.pattern.weight()));
        sources
    }
}

const SEALS: [&str; 5] = [".gpg", ".pgp", ".asc", ".age", ".enc"];

/// `config_{time}.tar.gz.gpg` → `config_{time}.tar.gz` and `config_{time}.tar`.
fn strays(pattern: &str) -> Vec<Pattern> {
    let Some(plain) = SEALS.iter().find_map(|seal| pattern.strip_suffix(seal)) else {
        return Vec::new();
    };
    let bare = sighting::COMPRESSIONS.iter().find_map(|suffix| plain.strip_suffix(suffix));
    std::iter::once(plain).chain(bare).filter_map(|text| Pattern::parse(text).ok()).collect()
}

/// What tells this source's artefacts from those of the asset's other sources of the same kind. It comes
/// from the configuration alone, so that the same file has the same identity whatever else was pruned.
fn tag(asset: &Asset, source: &Source, pattern: &Pattern) -> String {
    let sibling = |other: &Source| -> Option<(StoreId, String, String)> {
        let pattern = Pattern::parse(&other.pattern).ok().filter(|p| !p.is_moving())?;
        let (stem, family) = sighting::stem_and_family(&pattern.without_times());
        Some((other.store.clone(), stem, family))
    };
    let siblings: Vec<_> = asset.sources.iter().filter(|s| s.kind == source.kind).filter_map(sibling).collect();
    let (stem, family) = sighting::stem_and_family(&pattern.without_times());
    let one_family = siblings.iter().all(|(_, _, f)| *f == family);
    let one_stem = siblings
        .iter()
        .filter(|(_, _, f)| *f == family)
        .all(|(store, s, _)| siblings.iter().all(|(st, other, f)| st != store || *f != family || other == s));
    let shared_stem = siblings.iter().any(|(_, s, f)| *s == stem && *f != family);
    match (one_family, one_stem) {
        (true, true) => String::new(),
        (_, false) if shared_stem => sighting::word(&format!("{stem}-{family}")),
        (_, false) => sighting::word(&stem),
        (false, true) => sighting::word(&family),
    }
}
