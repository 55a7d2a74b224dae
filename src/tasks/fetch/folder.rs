//! A backup that is a folder as a new folder: object by object, in place only once all of it is whole.

use super::landing::{Target, aside, land, part_name, taken};
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::stores::local::{flush, name_new};
use crate::stores::{ObjectMeta, Pin, Store, path_fault};
use crate::tasks::checks::reading::Object;
use crate::tasks::checks::subject::{Subject, gone, stored_sums};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::source::store_failure;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::io;
use std::sync::Arc;

/// More members than any backup has; a listing that goes on for ever must not fill the memory.
const MOST: usize = 5_000_000;

/// What is in place.
#[derive(Default)]
pub struct Tally {
    pub files: u64,
    pub bytes: u64,
    /// Bytes that an earlier attempt had brought.
    pub kept: u64,
    /// Files whose bytes agree with a sum that the store keeps.
    pub compared: u64,
}

/// Fetches all of a folder to `target`, whose part is a folder until then.
pub async fn fetch(
    cx: &TaskContext,
    store: &dyn Store,
    subject: &Subject,
    place: (Arc<Dir>, &str, &str),
    room: u64,
) -> Result<Tally, Stop> {
    let members = members(store, subject).await?;
    let (folder, name, shown) = place;
    let part = part_name(&subject.store, &subject.path, &of_all(&members), shown);
    let (above, under) = (Arc::clone(&folder), part.clone());
    let inside = Arc::new(aside(move || unfinished(&above, &under)).await?);
    let total = members.iter().map(|member| member.size).sum();
    let mut tally = Tally::default();
    for member in &members {
        let rest = member.name.strip_prefix(&subject.path).unwrap_or(&member.name).to_owned();
        let target = target_of(&inside, &rest, subject, member).await?;
        let (pin, before) = (member.pin(), tally.bytes);
        (tally.files, tally.bytes) = (tally.files + 1, tally.bytes + member.size);
        if is_there(&target, member.size).await? {
            tally.kept += member.size;
            continue;
        }
        let free = room.saturating_sub(before - tally.kept);
        if member.size > free {
            return Err(no_room(shown, total - before, free).into());
        }
        let sums =
            stored_sums(store, &member.name, &pin).await.map_err(|error| Stop::Unknown(store_failure(&error)))?;
        let object = Object { path: &member.name, pin: &pin, recorded: sums.0, before, total };
        let landed = land(cx, store, object, &target).await?;
        tally.kept += landed.kept;
        tally.compared += u64::from(landed.compared);
    }
    let (from, to, shown) = (part, name.to_owned(), shown.to_owned());
    aside(move || {
        name_new(&folder, &from, &to).and_then(|()| flush(&folder)).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(&shown),
            _ => Failure::new(format!("naming {shown} failed: {error}")),
        })
    })
    .await?;
    Ok(tally)
}

pub fn no_room(shown: &str, needed: u64, free: u64) -> Failure {
    Failure::new(format!("{shown} takes {} and {} are free there", ByteCount(needed), ByteCount(free)))
        .means("it was not begun, or not gone on with; what came so far is kept")
        .next("make room, or fetch to another disk")
}

/// Everything below the subject, with names that can be paths.
async fn members(store: &dyn Store, subject: &Subject) -> Result<Vec<ObjectMeta>, Stop> {
    let mut members: Vec<ObjectMeta> = Vec::new();
    let mut pages = store.list(&subject.path, None);
    while let Some(page) = pages.next().await {
        for meta in page.map_err(|error| gone(&error))?.objects {
            let rest = meta.name.strip_prefix(&subject.path).unwrap_or(&meta.name);
            // Consoles of object stores create empty objects as folders.
            if meta.size == 0 && (rest.is_empty() || rest.ends_with('/')) {
                continue;
            }
            if let Some(fault) = path_fault(rest) {
                return Err(Failure::new(format!("`{}` cannot be a file: {fault}", escaped(&meta.name)))
                    .means("a part of the backup would be missing; nothing was fetched")
                    .next("fetch it with the store's own tools")
                    .into());
            }
            members.push(meta);
        }
        if members.len() > MOST {
            return Err(Failure::new(format!("`{}` has more than {MOST} objects", escaped(&subject.path)))
                .means("nothing was fetched")
                .next("fetch it with the store's own tools")
                .into());
        }
    }
    let bytes: u64 = members.iter().map(|member| member.size).sum();
    if members.is_empty() || bytes != subject.known.size {
        return Err(Stop::Unknown(
            Failure::new(format!("the folder holds {} bytes, {} were known", bytes, subject.known.size))
                .means("it changed since the scan or the plan; nothing was fetched")
                .next("scan again, and make a new plan"),
        ));
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

/// The identity of all members together.
fn of_all(members: &[ObjectMeta]) -> Pin {
    let mut sum = Sha256::new();
    for member in members {
        sum.update(format!("{}\0{}\0{}\0", member.name, member.size, member.pin().mark()));
    }
    let size = members.iter().map(|member| member.size).sum();
    Pin { size, etag: Some(hex::encode(sum.finalize())), modified: None }
}

/// The folder that is not whole yet, made or found again.
fn unfinished(above: &Dir, name: &str) -> Result<Dir, Failure> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let made = match above.create_dir_with(name, &builder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    };
    // A link that somebody laid there leads nowhere else.
    let real = |dir: &Dir| dir.symlink_metadata(name).is_ok_and(|meta| meta.is_dir());
    made.and_then(|()| if real(above) { above.open_dir(name) } else { Err(io::ErrorKind::NotADirectory.into()) })
        .map_err(|error| {
            Failure::new(format!("making the folder {name} failed: {error}")).next("look at what is there")
        })
}

async fn target_of(inside: &Arc<Dir>, rest: &str, subject: &Subject, member: &ObjectMeta) -> Result<Target, Failure> {
    let (above, name) = rest.rsplit_once('/').unwrap_or(("", rest));
    let (name, shown) = (name.to_owned(), escaped(rest).into_owned());
    let part = part_name(&subject.store, &member.name, &member.pin(), "");
    if above.is_empty() {
        return Ok(Target { folder: Arc::clone(inside), name, part, shown });
    }
    let (from, above, told) = (Arc::clone(inside), above.to_owned(), shown.clone());
    let folder = aside(move || {
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(true);
        let made = from.create_dir_with(&above, &builder).and_then(|()| from.open_dir(&above));
        made.map_err(|error| Failure::new(format!("making the folder of {told} failed: {error}")))
    })
    .await?;
    Ok(Target { folder: Arc::new(folder), name, part, shown })
}

/// Whether an earlier attempt put it in place: that happens only to whole files.
async fn is_there(target: &Target, size: u64) -> Result<bool, Failure> {
    let target = target.clone();
    aside(move || match target.folder.symlink_metadata(&target.name) {
        Ok(meta) if meta.is_file() && meta.len() == size => Ok(true),
        Ok(_) => Err(taken(&target.shown)),
        Err(_) => Ok(false),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::memory::MemoryStore;

    fn subject(size: u64) -> Subject {
        Subject {
            backup: "run".into(),
            asset: "data".into(),
            store: "s3".into(),
            path: "run/".to_owned(),
            taken_at: chrono::DateTime::UNIX_EPOCH,
            known: Pin { size, etag: None, modified: None },
            earlier: None,
            recorded: Vec::new(),
            manifests: Vec::new(),
        }
    }

    #[tokio::test]
    async fn names_that_lead_elsewhere_are_refused_before_anything_is_fetched() {
        for name in ["run/../evil", "run//etc/cron.d/evil", "run/a/../../evil", "run/."] {
            let store = MemoryStore::new("s3");
            store.put("run/good", "123");
            store.put(name, "456");
            let refused = members(&store, &subject(6)).await.unwrap_err();
            assert!(refused.what().contains("cannot be a file"), "{name}: {refused:?}");
        }
        let store = MemoryStore::new("s3");
        store.put("run/", "");
        store.put("run/sub/", "");
        store.put("run/sub/good", "123");
        assert_eq!(members(&store, &subject(3)).await.unwrap().len(), 1);
        assert!(matches!(members(&store, &subject(4)).await, Err(Stop::Unknown(_))));
    }
}
