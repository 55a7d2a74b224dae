//! `[[assets]]`: a protected thing and its objectives.

use super::images::images;
use super::names::{HttpAddress, Line, Names, path_below};
use super::source::source;
use crate::located::{Fields, Item, Problem};
use crate::model::estate::{Asset, AssetKind, DrillPlace, Server, Tier};
use crate::model::id::{AssetId, ServerId};
use crate::model::key::Key;
use crate::model::objective::{CopyRule, Objectives, ProofRule};
use crate::model::proof::Level;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TIERS: [(&str, Tier); 3] =
    [("critical", Tier::Critical), ("important", Tier::Important), ("standard", Tier::Standard)];

/// What an asset may refer to.
pub(super) struct Scope<'a> {
    pub base: &'a Path,
    pub hosts: &'a Names,
    pub stores: &'a Names,
    pub servers: &'a Names,
    /// Those that could be read, to compare kinds.
    pub known_servers: &'a [Server],
    pub keys: &'a Names,
    pub known_keys: &'a [Key],
    /// Proof rule for assets without an own one.
    pub proof: Option<ProofRule>,
}

pub(super) fn asset(fields: &mut Fields<'_>, names: &mut Names, scope: &Scope<'_>) -> Option<Asset> {
    let id = names.define(fields);
    let kind = fields.need("kind").and_then(|item| item.choice(&AssetKind::ALL));
    let tier = fields.take("tier").map_or(Some(Tier::Standard), |item| item.choice(&TIERS));
    let objectives = Objectives {
        rpo: fields.take("rpo").and_then(|item| positive(&item)),
        rto: fields.take("rto").and_then(|item| positive(&item)),
        copies: fields.table("copies", copies),
        proof: fields.table("proof", proof).or(scope.proof),
    };
    let sources = fields.tables("sources", |fields| source(fields, scope));
    let (server, database) = live_database(fields, kind, scope);
    let path = fields.take("path").and_then(|item| path_below(scope.base, &item));
    let trees = live_trees(fields, kind, scope);
    let images = images(fields, kind, scope);
    let drill = drill_place(fields, kind, scope, (server.as_ref(), database.as_deref()));
    let health_url = fields.optional::<HttpAddress>("health_url").map(|address| address.0);
    Some(Asset {
        id: AssetId::new(id?),
        kind: kind?,
        tier: tier?,
        objectives,
        sources,
        server,
        database,
        path,
        trees,
        images,
        health_url,
        drill,
    })
}

/// Several folders in one archive, under their own absolute names without the slash at the beginning.
fn live_trees(fields: &mut Fields<'_>, kind: Option<AssetKind>, scope: &Scope<'_>) -> Vec<PathBuf> {
    if matches!(kind, Some(AssetKind::PostgreSql | AssetKind::Redis)) {
        fields.forbid(&["trees"], "this kind of asset lives on a server");
        return Vec::new();
    }
    let Some(item) = fields.take("trees") else { return Vec::new() };
    if let Some(place) = fields.key_place("path") {
        let problem = Problem::at(&place, "`path` and `trees` both say where the asset lives");
        fields.report(problem.help("`path` for a backup of one folder, `trees` for an archive of several"));
    }
    let trees: Vec<PathBuf> =
        item.list().unwrap_or_default().iter().filter_map(|entry| path_below(scope.base, entry)).collect();
    let nested = trees
        .iter()
        .enumerate()
        .any(|(at, one)| trees.iter().enumerate().any(|(other, two)| at != other && two.starts_with(one)));
    if trees.is_empty() || nested {
        item.report(Problem::at(&item.place, "`trees` must name folders, none of them in another"));
    }
    trees
}

/// Where drills restore to; never the live place.
fn drill_place(
    fields: &mut Fields<'_>,
    kind: Option<AssetKind>,
    scope: &Scope<'_>,
    live: (Option<&ServerId>, Option<&str>),
) -> Option<DrillPlace> {
    fields.table("drill", |fields| {
        let place = fields.place;
        if !matches!(kind, None | Some(AssetKind::PostgreSql)) {
            fields.forbid(
                &["server", "database", "pair"],
                "drills of this kind of asset restore to a folder: give a `path`",
            );
            return Some(DrillPlace {
                path: Some(path_below(scope.base, &fields.need("path")?)?),
                ..DrillPlace::default()
            });
        }
        fields.forbid(&["path"], "drills of a database restore to a `server`, a `database` name, or both");
        let server = fields.take("server").and_then(|item| scope.servers.refer(&item)).map(ServerId::new);
        let database = fields.optional::<Line>("database").map(|line| line.0);
        let pair = fields.take("pair").and_then(|item| half_for_drills(&item, scope, live.0));
        let same_server = server.is_none() || server.as_ref() == live.0;
        if same_server && database.as_deref().is_some_and(|name| Some(name) == live.1) {
            let problem = Problem::at(&place, "the place for drills is the live database");
            fields.report(problem.help("name another server, or a database that no asset lives in"));
        }
        Some(DrillPlace { server, database, path: None, pair })
    })
}

/// A server that drills make anew: where it runs, and its standby, must be told.
fn half_for_drills(item: &Item<'_>, scope: &Scope<'_>, live: Option<&ServerId>) -> Option<ServerId> {
    let id = ServerId::new(scope.servers.refer(item)?);
    if live == Some(&id) {
        return item.refuse("be a server for drills alone, and not the one that the asset lives on");
    }
    let known = scope.known_servers.iter().find(|server| server.id == id);
    if known.is_some_and(|server| server.home.is_none() || server.standby.is_none()) {
        return item.refuse("be a server with [servers.home] and `standby`: a drill makes both and fails over");
    }
    Some(id)
}

fn live_database(
    fields: &mut Fields<'_>,
    kind: Option<AssetKind>,
    scope: &Scope<'_>,
) -> (Option<ServerId>, Option<String>) {
    if !matches!(kind, None | Some(AssetKind::PostgreSql | AssetKind::Redis)) {
        fields.forbid(&["server", "database"], "only assets of kind `postgresql` and `redis` live on a server");
        return (None, None);
    }
    let item = fields.take("server");
    let database = fields.optional::<Line>("database").map(|line| line.0);
    let server = item.as_ref().and_then(|item| scope.servers.refer(item)).map(ServerId::new);
    let found = scope.known_servers.iter().find(|known| Some(&known.id) == server.as_ref());
    if let (Some(kind), Some(found), Some(item)) = (kind, found, &item)
        && found.kind != kind
    {
        let message = format!("server `{}` is of kind `{}`, the asset of kind `{kind}`", found.id, found.kind);
        fields.report(Problem::at(&item.place, message));
    }
    if kind == Some(AssetKind::PostgreSql) && item.is_some() != fields.key_place("database").is_some() {
        let (has, lacks) = if item.is_some() { ("server", "database") } else { ("database", "server") };
        let place = fields.key_place(has).unwrap_or(fields.place);
        let problem = Problem::at(&place, format!("`{has}` needs `{lacks}` beside it"));
        fields.report(problem.help("together they name the live database that runbooks look at"));
    }
    (server, database)
}

fn positive(item: &Item<'_>) -> Option<Duration> {
    match item.read::<Duration>()? {
        Duration::ZERO => item.refuse("be longer than nothing"),
        span => Some(span),
    }
}

fn copies(fields: &mut Fields<'_>) -> Option<CopyRule> {
    let total = fields.required::<u32>("total");
    let media = fields.optional::<u32>("media").unwrap_or(1);
    let off_site = fields.optional::<u32>("off_site").unwrap_or(0);
    let total = total?;
    if total == 0 || media > total || off_site > total {
        let problem = Problem::at(&fields.place, "`total` must be at least 1 and not less than `media` and `off_site`");
        fields.report(problem.help("for 3-2-1: { total = 3, media = 2, off_site = 1 }"));
        return None;
    }
    Some(CopyRule { total, media, off_site })
}

pub(super) fn proof(fields: &mut Fields<'_>) -> Option<ProofRule> {
    let level = fields.required::<Level>("level");
    let every = fields.need("every").and_then(|item| positive(&item));
    if level == Some(Level::L0) {
        fields.report(Problem::at(&fields.place, "level L0 proves nothing: every listed backup has it"));
        return None;
    }
    Some(ProofRule { level: level?, every: every? })
}
