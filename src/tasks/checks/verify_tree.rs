//! The proof of a backup that is a folder: object by object, each under the pin it was listed with.

use super::backup_verify::read_object;
use super::reading::{Meter, Object, read_through};
use super::subject::Subject;
use crate::catalog::wal::WalName;
use crate::model::id::StoreId;
use crate::model::proof::Level;
use crate::model::registry::{Registry, split};
use crate::model::task::Failure;
use crate::proof::manifest::{LONGEST, Manifest};
use crate::proof::tree::{Part, Sum, compare, part};
use crate::proof::{Examined, Fault, Recorded};
use crate::stores::{MAX_RANGE, ObjectMeta, Store, StoreError};
use crate::tasks::context::TaskContext;
use crate::tasks::crypt::keyring::Keyring;
use crate::tasks::input::Stop;
use crate::tasks::source::store_failure;
use futures::StreamExt;
use std::sync::Arc;

/// Sums beside the files, in the order in which they are believed.
const SUM_FILES: [&str; 3] = ["checksums.txt", "SHA256SUMS", "sha256sums.txt"];

/// Longest file of sums that is read, in bytes.
const LONGEST_SUMS: u64 = 8 << 20;

fn unknown(error: &StoreError) -> Stop {
    Stop::Unknown(store_failure(error))
}

pub(super) async fn prove(
    cx: &TaskContext,
    store: &dyn Store,
    subject: &Subject,
    wanted: Level,
) -> Result<Examined, Stop> {
    let (mut sum, mut manifest) = (Sum::default(), None);
    if wanted > Level::L1 {
        manifest = match find_manifest(cx, store, subject).await? {
            Ok(found) => found,
            Err(fault) => return Ok(Examined::bad(fault)),
        };
    }
    let mut pages = store.list(&subject.path, None);
    while let Some(page) = pages.next().await {
        for meta in page.map_err(|e| unknown(&e))?.objects {
            sum.objects += 1;
            if wanted > Level::L1 {
                let walk = Walk { cx, store, subject, wanted };
                manifest = walk.object(&meta, manifest, &mut sum).await?;
            }
            sum.bytes += meta.size;
            if sum.unknown.is_some() {
                return Ok(sum.verdict(wanted, manifest));
            }
        }
    }
    if sum.objects == 0 {
        return Ok(Examined::bad(Fault::bad("its folder is empty or gone")));
    }
    if sum.bytes != subject.known.size {
        return Err(Stop::Unknown(
            Failure::new(format!("the folder holds {} bytes, {} were known", sum.bytes, subject.known.size))
                .means("it changed since the scan or the plan; nothing was proven")
                .next("scan again, and make a new plan"),
        ));
    }
    Ok(sum.verdict(wanted, manifest))
}

struct Walk<'a> {
    cx: &'a TaskContext,
    store: &'a dyn Store,
    subject: &'a Subject,
    wanted: Level,
}

impl Walk<'_> {
    async fn object(
        &self,
        meta: &ObjectMeta,
        manifest: Option<Manifest>,
        sum: &mut Sum,
    ) -> Result<Option<Manifest>, Stop> {
        let rest = meta.name.strip_prefix(&self.subject.path).unwrap_or(&meta.name);
        let (pin, total) = (meta.pin(), self.subject.known.size);
        match (part(manifest.as_ref(), &self.subject.path, rest), manifest) {
            (Part::Manifest, manifest) => Ok(manifest),
            (part @ (Part::Listed(_) | Part::Archive { .. }), Some(mut manifest)) => {
                let stream = self.store.read(&meta.name, 0, Some(&pin)).await.map_err(|e| unknown(&e))?;
                let meter = Meter::new(self.cx, sum.bytes);
                meter.part(&crate::model::text::escaped(rest));
                let (shared, size) = (Arc::clone(&meter), meta.size);
                let read = read_through(self.cx, stream, &meter, total, move |inlet| {
                    let compared = compare(inlet, &part, size, &mut manifest, &*shared);
                    (manifest, compared)
                });
                let (manifest, compared) = read.await.map_err(Stop::Unknown)?;
                match compared {
                    Ok(_) => {}
                    Err(fault) if fault.is_verdict() => sum.fail(rest, &fault.to_string()),
                    Err(fault) => sum.unknown = Some(fault),
                }
                Ok(Some(manifest))
            }
            (Part::Besides, Some(mut manifest)) => {
                // Consoles of object stores create empty objects as folders.
                if !(meta.name.ends_with('/') && meta.size == 0) {
                    manifest.besides(rest);
                }
                Ok(Some(manifest))
            }
            // An empty file in a folder is nothing unusual, nor is the segment that a receiver was at when it ended.
            (_, manifest) if meta.size == 0 || is_unfinished(rest) => Ok(manifest),
            (_, manifest) => {
                let md5 = Recorded::md5_of_etag(pin.etag.as_deref());
                let recorded = Recorded { md5, ..Recorded::default() };
                let object = Object { path: &meta.name, pin: &pin, recorded, before: sum.bytes, total };
                let keys = Keyring::of(self.cx, &self.subject.asset, &self.subject.store, &self.subject.path);
                let examined = read_object(self.cx, self.store, object, self.wanted, keys).await?;
                sum.add(rest, &examined);
                Ok(manifest)
            }
        }
    }
}

/// A log segment that was never filled: no log yet, and shorter than its first page says.
fn is_unfinished(rest: &str) -> bool {
    matches!(WalName::parse(rest), Some(WalName::Partial(_)))
}

/// The manifest inside the folder, or the one that a sidecar elsewhere gives.
async fn find_manifest(
    cx: &TaskContext,
    store: &dyn Store,
    subject: &Subject,
) -> Result<Result<Option<Manifest>, Fault>, Stop> {
    let inside = |name: &str| format!("{}{name}", subject.path);
    if let Some(bytes) = small_object(store, &inside("backup_manifest"), LONGEST).await? {
        return Ok(Manifest::of_base_backup(&bytes).map(Some));
    }
    for name in SUM_FILES {
        if let Some(bytes) = small_object(store, &inside(name), LONGEST_SUMS).await?
            && let Some(manifest) = Manifest::of_sum_file(name, &String::from_utf8_lossy(&bytes))
        {
            return Ok(Ok(Some(manifest)));
        }
    }
    match of_registry(cx, subject).await? {
        Some(found) => Ok(found.map(Some)),
        None => Ok(Ok(of_sidecar(cx, subject))),
    }
}

/// Manifests of model registries lie apart from the folders; they are read whole, because what a scan keeps of them is not.
async fn of_registry(cx: &TaskContext, subject: &Subject) -> Result<Option<Result<Manifest, Fault>>, Stop> {
    for (store, path) in &subject.manifests {
        let Some(store) = cx.stores.get(store) else { continue };
        let name = path.rsplit('/').next().unwrap_or_default();
        let Some(bytes) = small_object(&**store, path, LONGEST).await? else {
            return Err(Stop::Unknown(
                Failure::new(format!("`{}` is gone, or longer than any manifest", crate::model::text::escaped(path)))
                    .means("what must be in the backup is not known; nothing was proven")
                    .next("scan again; without its manifest the backup is no more than plausible"),
            ));
        };
        let (_, model) = split(&subject.path, &Registry::stamp_of(name));
        return Ok(Some(Manifest::of_registry(name, &bytes, model)));
    }
    Ok(None)
}

/// Sums that the catalog has read from a file beside the folder.
fn of_sidecar(cx: &TaskContext, subject: &Subject) -> Option<Manifest> {
    let backup = cx.catalog.get(&subject.backup)?;
    let same = |store: &StoreId| *store == subject.store;
    let mut sidecars: Vec<_> = backup.sidecars.iter().collect();
    sidecars.sort_by_key(|s| !same(&s.store));
    sidecars.into_iter().find_map(|sidecar| {
        let sums: Vec<(String, String)> = sidecar
            .facts
            .iter()
            .filter_map(|(key, sum)| Some((key.strip_prefix("sha256 ")?.to_owned(), sum.clone())))
            .collect();
        (!sums.is_empty()).then(|| Manifest::of_sums(&sidecar.name, sums))
    })
}

/// The bytes of an object, `None` if it is not there or longer than `most`.
pub async fn small_object(store: &dyn Store, name: &str, most: u64) -> Result<Option<Vec<u8>>, Stop> {
    use crate::stores::StoreErrorKind::NotFound;
    let meta = match store.head(name).await {
        Ok(meta) if meta.size <= most => meta,
        Ok(_) => return Ok(None),
        Err(error) if error.kind == NotFound => return Ok(None),
        Err(error) => return Err(unknown(&error)),
    };
    let pin = meta.pin();
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < meta.size {
        let from = bytes.len() as u64;
        let to = meta.size.min(from + MAX_RANGE);
        let piece = store.read_range(name, from..to, Some(&pin)).await.map_err(|e| unknown(&e))?;
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}
