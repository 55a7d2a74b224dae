//! An object of a backup kept in another store, before it goes from its own.

use super::objects::{Object, store};
use super::written::read_back;
use crate::model::id::StoreId;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::stores::{Store, StoreError, StoreErrorKind, WritableStore};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::source::store_failure;
use futures::StreamExt;
use sha2::{Digest as _, Sha256};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

/// The archive, if it is one for copies of `from`.
pub fn writable<'a>(cx: &'a TaskContext, from: &StoreId, to: &StoreId) -> Result<&'a Arc<dyn WritableStore>, Failure> {
    store(cx, to)?;
    let refused =
        |what: String| Failure::new(what).means("nothing was removed").next("name another store to archive to");
    if from == to {
        return Err(refused(format!("store `{to}` cannot be the archive of its own backups")));
    }
    cx.writable.get(to).ok_or_else(|| refused(format!("store `{to}` cannot be written to from here")))
}

/// Puts the object into the archive under its own name and reads it back from there. One that lies there already
/// counts if it has the same bytes.
pub async fn keep(cx: &TaskContext, from: &StoreId, to: &StoreId, object: &Object) -> Result<(), Stop> {
    let source = store(cx, from)?;
    let (archive, write) = (store(cx, to)?, writable(cx, from, to)?);
    let hasher = Arc::new(Mutex::new(Sha256::new()));
    let tee = Arc::clone(&hasher);
    let body = source.read(&object.name, 0, Some(&object.pin)).await.map_err(|error| lost(&error))?;
    let body = body.inspect(move |piece| {
        if let Ok(piece) = piece {
            tee.lock().unwrap_or_else(PoisonError::into_inner).update(piece);
        }
    });
    let sum = match write.create(&object.name, object.pin.size, body.boxed()).await {
        Ok(_) => hex::encode(hasher.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize()),
        Err(error) if error.kind == StoreErrorKind::AlreadyExists => {
            read_back(&**source, &object.name, &object.pin, &AtomicU64::new(0)).await?
        }
        Err(error) => return Err(lost(&error)),
    };
    let there = archive.head(&object.name).await.map_err(|error| lost(&error))?.pin();
    if there == object.pin {
        return Err(Failure::new(format!("stores `{from}` and `{to}` seem to be one and the same place"))
            .means(format!("`{}` has the same size, time and tag in both; it was not removed", escaped(&object.name)))
            .next("name an archive that lies elsewhere")
            .into());
    }
    let kept = if there.size == object.pin.size {
        read_back(&**archive, &object.name, &there, &AtomicU64::new(0)).await?
    } else {
        format!("an object of {} bytes", there.size)
    };
    if kept != sum {
        return Err(Failure::new(format!("archive `{to}` has other bytes under `{}`", escaped(&object.name)))
            .means("the backup is not archived, and was not removed")
            .next("find out what lies there, or archive to another store")
            .evidence(format!("here {sum}, there {kept}"))
            .into());
    }
    Ok(())
}

fn lost(error: &StoreError) -> Stop {
    let failure = store_failure(error).means("the object could not be archived, and was not removed");
    if error.is_transient() || error.kind == StoreErrorKind::Corrupt { Stop::Unknown(failure) } else { failure.into() }
}
