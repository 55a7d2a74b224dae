//! The wall of a drill: work that reaches what production is does not start, whatever the runbook says.

use super::context::TaskContext;
use super::module::Module;
use super::pg::connect::{self, Session, address};
use super::pg::scratch::wall::{self, live_here};
use super::pg::target::cluster;
use super::reach::Reach;
use crate::model::estate::{Asset, AssetKind, Server, StorePlace, Via};
use crate::model::id::{AssetId, ServerId};
use crate::model::images::retagged;
use crate::model::task::{Effect, Failure, Values};
use crate::model::text::escaped;
use serde_json::Value;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Databases that every cluster has, and that belong to no drill.
const OF_THE_SERVER: [&str; 3] = ["postgres", "template0", "template1"];

/// `Ok` where the module only reads, or reaches nothing that an asset of the estate lives in. What cannot be
/// told counts as production.
pub async fn refuse(cx: &TaskContext, module: &dyn Module, input: &Values) -> Result<(), Failure> {
    let spec = module.spec();
    if spec.effect == Effect::Observe {
        return Ok(());
    }
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    match module.reach() {
        Some(Reach::RunFolder) => Ok(()),
        Some(Reach::Databases { server, names }) => {
            let server = text(server).ok_or_else(|| untold(spec.name, "on which server it works"))?;
            let server = connect::server(cx, &ServerId::from(server))?;
            for name in names.iter().filter_map(|name| text(name)) {
                database(cx, server, name).await?;
            }
            Ok(())
        }
        Some(Reach::Folders { paths }) => {
            let paths: Vec<PathBuf> = paths.iter().filter_map(|path| text(path)).map(PathBuf::from).collect();
            let live = live_folders(cx);
            let looked = tokio::task::spawn_blocking(move || paths.iter().try_for_each(|path| folder(path, &live)));
            looked.await.map_err(|error| Failure::new(format!("the look for live folders broke: {error}")))?
        }
        Some(Reach::Servers { names }) => {
            for name in names {
                let server = text(name).ok_or_else(|| untold(spec.name, "on which server it works"))?;
                apart(cx, connect::server(cx, &ServerId::from(server))?).await?;
            }
            Ok(())
        }
        Some(Reach::Images { asset, tag }) => {
            let asset = text(asset).ok_or_else(|| untold(spec.name, "whose images it works on"))?;
            let tag = text(tag).ok_or_else(|| untold(spec.name, "under which tag"))?;
            images(cx, &AssetId::from(asset), tag)
        }
        Some(Reach::Traffic { of }) => {
            let server = text(of).ok_or_else(|| untold(spec.name, "whose clients it moves"))?;
            let server = connect::server(cx, &ServerId::from(server))?;
            live_here(cx, server)?;
            wall::traffic_apart(cx, server).await
        }
        None => Err(untold(spec.name, "what it reaches")),
    }
}

/// A whole server; what lies in its folder may not be any live folder either.
async fn apart(cx: &TaskContext, server: &Server) -> Result<(), Failure> {
    wall::apart(cx, server).await?;
    let here = server
        .home
        .as_ref()
        .filter(|home| cx.estate.host(&home.host).is_some_and(|host| matches!(host.via, Via::Local)));
    let Some(path) = here.map(|home| PathBuf::from(&home.data_dir)) else { return Ok(()) };
    let live = live_folders(cx);
    let looked = tokio::task::spawn_blocking(move || folder(&path, &live));
    looked.await.map_err(|error| Failure::new(format!("the look for live folders broke: {error}")))?
}

fn untold(module: &str, what: &str) -> Failure {
    Failure::new(format!("`{module}` changes something and does not say {what}"))
        .means("nothing holds it away from production; a drill does not start it")
        .next("leave the step out of drills in the runbook, or do this part by hand")
}

fn is_production(what: &str, asset: &AssetId) -> Failure {
    Failure::new(format!("{what} is production: asset `{asset}` lives there"))
        .means("a drill never works on production; nothing was started")
        .next("give the asset a `drill` place that is no asset's live one, and make a new plan")
}

/// The same for one database by its name.
pub async fn database(cx: &TaskContext, server: &Server, name: &str) -> Result<(), Failure> {
    let what = || format!("database `{}` on {}", escaped(name), address(server));
    if name == server.maintenance_db || OF_THE_SERVER.contains(&name) {
        return Err(Failure::new(format!("{} belongs to the server itself", what()))
            .means("a drill does not work on it; nothing was started")
            .next("name another database in the asset's `drill` place, and make a new plan"));
    }
    for asset in cx.estate.assets.iter().filter(|asset| asset.database.as_deref() == Some(name)) {
        let Some(live) = &asset.server else { continue };
        let live = connect::server(cx, live)?;
        if live.id == server.id || (live.host == server.host && live.port == server.port) {
            return Err(is_production(&what(), &asset.id));
        }
        // Two addresses may lead to one cluster.
        match (identifier(cx, server).await, identifier(cx, live).await) {
            (Ok(here), Ok(there)) if here != there => {}
            (Ok(_), Ok(_)) => return Err(is_production(&what(), &asset.id)),
            (Err(why), _) | (_, Err(why)) => {
                return Err(Failure::new(format!("whether {} is production cannot be told: {why}", what()))
                    .means("what cannot be told counts as production; nothing was started")
                    .next("name a database in the asset's `drill` place that no asset has, and make a new plan"));
            }
        }
    }
    Ok(())
}

/// The images of an asset under a tag that is no live name of any asset.
fn images(cx: &TaskContext, asset: &AssetId, tag: &str) -> Result<(), Failure> {
    let live = |asset: &Asset| asset.images.as_ref().map(|images| images.names.clone()).unwrap_or_default();
    let names = cx.estate.asset(asset).map(live).unwrap_or_default();
    for name in names.iter().map(|name| retagged(name, tag)) {
        if let Some(other) = cx.estate.assets.iter().find(|other| live(other).contains(&name)) {
            return Err(is_production(&format!("image `{name}`"), &other.id));
        }
    }
    Ok(())
}

async fn identifier(cx: &TaskContext, server: &Server) -> Result<String, String> {
    let asked = async { cluster(&Session::open(cx, server, &server.maintenance_db).await?).await };
    asked.await.map(|(identifier, _)| identifier).map_err(|stop| stop.what())
}

/// Folders in which assets live, and those that hold backups.
fn live_folders(cx: &TaskContext) -> Vec<(String, PathBuf)> {
    let assets = cx.estate.assets.iter().flat_map(|asset| {
        let why = format!("asset `{}` lives there", escaped(asset.id.as_str()));
        asset.path.iter().chain(&asset.trees).map(move |path| (why.clone(), path.clone()))
    });
    let stores = cx.estate.stores.iter().filter_map(|store| match &store.place {
        StorePlace::Local { path } => {
            Some((format!("store `{}` keeps backups there", escaped(store.id.as_str())), path.clone()))
        }
        StorePlace::S3(_) => None,
    });
    let servers = cx.estate.servers.iter().filter_map(|server| {
        let home = server.home.as_ref().filter(|_| server.kind == AssetKind::Redis)?;
        let here = matches!(cx.estate.host(&home.host)?.via, Via::Local);
        here.then(|| (format!("server `{}` keeps its data there", server.id), PathBuf::from(&home.data_dir)))
    });
    assets.chain(stores).chain(servers).collect()
}

/// A folder that is, lies in or holds a live one is refused, whichever way links and mounts lead to it.
fn folder(path: &Path, live: &[(String, PathBuf)]) -> Result<(), Failure> {
    let shown = escaped(&path.to_string_lossy()).into_owned();
    let unclear = |why: String| {
        Failure::new(format!("where {shown} really lies cannot be told: {why}"))
            .means("what cannot be told counts as production; nothing was started")
            .next("make the folder that holds the drill's place, and plan again")
    };
    let here = Lineage::of(path).map_err(|error| unclear(error.to_string()))?;
    for (why, theirs) in live {
        let nested = |a: &Path, b: &Path| a.starts_with(b) || b.starts_with(a);
        // A live folder that was lost with what holds it has its name alone.
        let there = Lineage::of(theirs).ok();
        let related =
            there.is_some_and(|there| here.holds(&there) || there.holds(&here) || nested(&here.real, &there.real));
        if related || nested(path, theirs) {
            return Err(Failure::new(format!("{shown} is production: {why}"))
                .means("a drill never works on production; nothing was started")
                .next("give the asset a `drill` place apart from every live folder and store, and make a new plan"));
        }
    }
    Ok(())
}

/// A folder, there or not, and everything that holds it; by device and inode, because mounts have many names.
struct Lineage {
    real: PathBuf,
    own: Option<(u64, u64)>,
    ancestors: Vec<(u64, u64)>,
}

impl Lineage {
    fn of(path: &Path) -> std::io::Result<Self> {
        let id = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
        let own = match id(path) {
            Ok(own) => Some(own),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (parent, name) = (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default());
        let (real, held_by) = if own.is_some() {
            let real = path.canonicalize()?;
            (real.clone(), real)
        } else {
            let parent = parent.canonicalize()?;
            (parent.join(name), parent)
        };
        let ancestors = held_by.ancestors().map(id).collect::<std::io::Result<_>>()?;
        Ok(Self { real, own, ancestors })
    }

    fn holds(&self, other: &Self) -> bool {
        self.own.is_some_and(|own| other.ancestors.contains(&own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_leads_a_drill_into_a_live_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (live, scratch) = (dir.path().join("srv/uploads"), dir.path().join("scratch"));
        std::fs::create_dir_all(&live).unwrap();
        std::fs::create_dir(&scratch).unwrap();
        std::os::unix::fs::symlink(dir.path().join("srv"), dir.path().join("alias")).unwrap();
        let known = vec![("asset `uploads` lives there".to_owned(), live.clone())];
        assert_eq!(folder(&scratch.join("uploads"), &known), Ok(()));
        for bad in ["srv/uploads", "srv/uploads/in", "srv", "alias/uploads", "alias/uploads/in", "alias"] {
            assert!(folder(&dir.path().join(bad), &known).unwrap_err().what.contains("is production"), "{bad}");
        }
        assert!(folder(&dir.path().join("nowhere/uploads"), &known).unwrap_err().what.contains("cannot be told"));
        std::fs::remove_dir(&live).unwrap();
        assert!(folder(&live, &known).unwrap_err().what.contains("is production"), "a lost folder keeps its name");
        assert!(folder(&dir.path().join("alias/uploads"), &known).is_err(), "and so does its other name");
    }
}
