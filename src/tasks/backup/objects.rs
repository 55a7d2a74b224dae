//! The single objects of a copy: its bytes, the members of its folder, and the sidecars that are its own.

use super::expiry::Doomed;
use crate::catalog::Catalog;
use crate::catalog::sidecars::SidecarKind;
use crate::model::backup::{Backup, Copy, Sidecar};
use crate::model::id::StoreId;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::stores::{ObjectMeta, Pin, Store, StoreError, StoreErrorKind};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::source::store_failure;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most objects of one folder that one plan is about, which names each of them.
pub const MOST: usize = 20_000;
/// Looks that are under way at once.
const AT_ONCE: usize = 8;

/// One object and the bytes that it must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub name: String,
    pub pin: Pin,
}

impl From<ObjectMeta> for Object {
    fn from(meta: ObjectMeta) -> Self {
        Self { pin: meta.pin(), name: meta.name }
    }
}

pub fn store<'a>(cx: &'a TaskContext, id: &StoreId) -> Result<&'a Arc<dyn Store>, Failure> {
    cx.stores.get(id).ok_or_else(|| {
        Failure::new(format!("store `{}` is not configured", escaped(id.as_str())))
            .means("its objects cannot be looked at")
            .next("name one of the stores of the configuration")
    })
}

fn unseen(error: &StoreError) -> Stop {
    Stop::Unknown(store_failure(error).means("what is there is not known; this look changed nothing"))
}

/// Everything of a copy, in the order in which it goes.
pub async fn of(store: &dyn Store, catalog: &Catalog, backup: &Backup, copy: &Copy) -> Result<Vec<Object>, Stop> {
    if copy.path.ends_with('/') {
        let mut members = below(store, &copy.path).await?;
        members.sort_by_key(|member| (describes(&member.name), member.name.clone()));
        for manifest in manifests(catalog, backup, copy) {
            members.extend(look(store, manifest).await?.map(Object::from));
        }
        return Ok(members);
    }
    let known = Pin { size: copy.size_bytes, etag: copy.etag.clone(), modified: copy.modified_at };
    let meta = store.head(&copy.path).await.map_err(|error| unseen(&error))?;
    if !known.holds(&meta) {
        return Err(Stop::Unknown(
            Failure::new(format!("`{}` changed while it was looked at", escaped(&copy.path)))
                .means("somebody writes to the store; this look changed nothing")
                .next("plan again when it is quiet"),
        ));
    }
    let mut objects = vec![Object::from(meta)];
    let own = format!("{}.sha256", copy.path);
    let beside = alone(store, catalog, backup, copy).await?;
    if !beside.iter().any(|object| object.name == own)
        && let Some(sum) = look(store, &own).await?
    {
        objects.push(sum.into());
    }
    objects.extend(beside);
    Ok(objects)
}

/// Manifests of a registry that lie apart from its folder and speak of this one run.
fn manifests<'b>(catalog: &Catalog, backup: &'b Backup, copy: &Copy) -> Vec<&'b str> {
    let of_registry = |s: &&Sidecar| {
        s.store == copy.store
            && SidecarKind::of(&s.name) == Some(SidecarKind::ModelManifest)
            && !s.path.starts_with(&copy.path)
    };
    let shared = |path: &str| {
        let others = catalog.backups.iter().filter(|other| other.id != backup.id);
        others.flat_map(|other| &other.sidecars).any(|s| s.store == copy.store && s.path == path)
    };
    let own = backup.sidecars.iter().filter(of_registry).map(|s| s.path.as_str());
    own.filter(|path| !shared(path)).collect()
}

/// A file that speaks of the others of its folder.
fn describes(name: &str) -> bool {
    SidecarKind::of(name.rsplit('/').next().unwrap_or(name)).is_some()
}

/// The sidecars of a folder that holds this one backup and nothing else. Where others lie beside it, a sidecar may
/// speak of them, too, and stays.
async fn alone(store: &dyn Store, catalog: &Catalog, backup: &Backup, copy: &Copy) -> Result<Vec<Object>, Stop> {
    let Some((folder, _)) = copy.path.rsplit_once('/') else { return Ok(Vec::new()) };
    let folder = format!("{folder}/");
    let others = catalog.backups.iter().flat_map(|backup| &backup.copies);
    if others
        .into_iter()
        .any(|other| other.store == copy.store && other.path != copy.path && other.path.starts_with(&folder))
    {
        return Ok(Vec::new());
    }
    let sidecars: Vec<&str> =
        backup.sidecars.iter().filter(|s| s.store == copy.store).map(|s| s.path.as_str()).collect();
    let mut found = Vec::new();
    let mut pages = store.list(&folder, None);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| unseen(&error))?;
        for object in page.objects.into_iter().filter(|object| object.name != copy.path) {
            if !sidecars.contains(&object.name.as_str()) && object.name != format!("{}.sha256", copy.path) {
                return Ok(Vec::new());
            }
            found.push(Object::from(object));
        }
    }
    Ok(found)
}

pub async fn below(store: &dyn Store, folder: &str) -> Result<Vec<Object>, Stop> {
    let mut found: Vec<Object> = Vec::new();
    let mut pages = store.list(folder, None);
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| unseen(&error))?;
        found.extend(page.objects.into_iter().map(Object::from));
        if found.len() > MOST {
            return Err(Failure::new(format!("`{}` holds more than {MOST} objects", escaped(folder)))
                .means("a plan names every object that it is about, and cannot name so many")
                .next("leave this one to the store's own tools and rules")
                .into());
        }
    }
    Ok(found)
}

async fn look(store: &dyn Store, name: &str) -> Result<Option<ObjectMeta>, Stop> {
    match store.head(name).await {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(unseen(&error)),
    }
}

/// What is left of a planned copy.
#[derive(Debug, Default)]
pub struct Present {
    /// The planned objects that are there as planned.
    pub same: Vec<Object>,
    /// Names under which something else lies, or that the plan does not know, each with what is wrong.
    pub odd: Vec<String>,
}

pub async fn present(store: &dyn Store, doomed: &Doomed) -> Result<Present, Stop> {
    let mut now: BTreeMap<String, Pin> = BTreeMap::new();
    let folder = doomed.path.ends_with('/');
    if folder {
        now.extend(below(store, &doomed.path).await?.into_iter().map(|object| (object.name, object.pin)));
    }
    let mut looks = Vec::new();
    for object in doomed.objects.iter().filter(|object| !folder || !object.name.starts_with(&doomed.path)) {
        looks.push(look(store, &object.name));
    }
    let found: Vec<Option<ObjectMeta>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
    now.extend(found.into_iter().flatten().map(|meta| (meta.name.clone(), meta.pin())));
    let mut present = Present::default();
    for object in &doomed.objects {
        match now.get(&object.name) {
            Some(pin) if *pin == object.pin => present.same.push(object.clone()),
            Some(_) => present.odd.push(format!("`{}` was replaced since the plan", escaped(&object.name))),
            None => {}
        }
    }
    let planned = |name: &str| doomed.objects.iter().any(|object| object.name == name);
    let new = now.keys().filter(|name| folder && !planned(name));
    present.odd.extend(new.map(|name| format!("`{}` was added since the plan", escaped(name))));
    Ok(present)
}
