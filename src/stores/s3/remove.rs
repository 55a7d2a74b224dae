//! One object removed, and only the pinned one.
//!
//! The request carries the pinned entity tag as its condition. Servers that know no conditions on deletes would
//! remove whatever lies under the name by then, and a look before cannot prevent that: whether this one keeps the
//! condition is put to the test once, on an object made for it, and one that does not is asked for nothing more.
//! No version is ever named, so that a bucket that keeps versions keeps the bytes below a delete marker.

use super::error::of_request;
use super::{S3Store, bare_tag, instant};
use crate::model::time::Timestamp;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{ObjectMeta, Pin, Removed};
use aws_sdk_s3::operation::delete_object::DeleteObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream as SdkStream, SdkBody};
use aws_sdk_s3::types::ObjectLockLegalHoldStatus;

pub(super) async fn remove(store: &S3Store, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
    let key = store.key(name)?;
    let (found, lock) = look(store, name).await?;
    if !pin.holds(&found) {
        return Err(StoreError::changed(&store.id, name));
    }
    if let Some(lock) = lock.as_ref().filter(|lock| lock.holds(now)) {
        return Err(lock.refusal(store, name));
    }
    let Some(tag) = &found.etag else {
        let message = "the server gives it no entity tag, so that another object could be removed in its place";
        return Err(StoreError::new(StoreErrorKind::Unsupported, &store.id, Some(name), message));
    };
    if !*store.conditional_deletes.get_or_try_init(|| put_to_the_test(store)).await? {
        let message = "the server takes no notice of conditions on deletes: an object that replaces this one in the \
                       same moment would be removed in its place; nothing was removed";
        return Err(StoreError::new(StoreErrorKind::Unsupported, &store.id, Some(name), message));
    }
    match delete(store, name, &key, tag).await {
        Ok(answer) if answer.delete_marker() == Some(true) => {
            Ok(Removed::Hidden { marker: answer.version_id().map(bare_tag).unwrap_or_default() })
        }
        Ok(_) => Ok(Removed::Gone),
        Err(error) => Err(match (error.kind, lock) {
            (StoreErrorKind::Changed, _) => StoreError::changed(&store.id, name),
            // The server's clock decides about its own retention.
            (StoreErrorKind::Denied | StoreErrorKind::Locked, Some(lock)) => lock.refusal(store, name),
            _ => error,
        }),
    }
}

/// What keeps an object.
struct Lock {
    held: bool,
    mode: String,
    until: Option<Timestamp>,
}

impl Lock {
    fn of(answer: &HeadObjectOutput) -> Option<Self> {
        let held = answer.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On);
        let until = answer.object_lock_retain_until_date().and_then(instant);
        let mode = answer.object_lock_mode().map(|mode| bare_tag(mode.as_str())).unwrap_or_default();
        (held || until.is_some()).then_some(Self { held, mode, until })
    }

    fn holds(&self, now: Timestamp) -> bool {
        self.held || self.until.is_some_and(|until| until > now)
    }

    fn refusal(&self, store: &S3Store, name: &str) -> StoreError {
        let until = self.until.map(|until| {
            format!("an object lock ({}) keeps it until {}", self.mode, until.format("%Y-%m-%d %H:%M UTC"))
        });
        let hold = self.held.then(|| "a legal hold keeps it until somebody takes the hold off".to_owned());
        let why: Vec<String> = until.into_iter().chain(hold).collect();
        let message = crate::model::text::escaped(&why.join(", and ")).into_owned();
        StoreError::new(StoreErrorKind::Locked, &store.id, Some(name), message)
    }
}

async fn look(store: &S3Store, name: &str) -> Result<(ObjectMeta, Option<Lock>), StoreError> {
    let answer = store.answer_to_head(name).await?;
    Ok((store.described(name, &answer)?, Lock::of(&answer)))
}

async fn delete(store: &S3Store, name: &str, key: &str, tag: &str) -> Result<DeleteObjectOutput, StoreError> {
    let request = store.client.delete_object().bucket(&store.bucket).key(key).if_match(format!("\"{tag}\""));
    request.send().await.map_err(|failed| of_request(&store.id, Some(name), "remove the object", &failed))
}

/// Whether a delete under another object's tag is refused. The object that it is tried on is removed again.
async fn put_to_the_test(store: &S3Store) -> Result<bool, StoreError> {
    let failed = |what: &str| StoreError::new(StoreErrorKind::Other, &store.id, None, what.to_owned());
    let mark = getrandom::u64().map_err(|e| failed(&format!("the system gives no random numbers: {e}")))?;
    let name = format!(".relight-probe-{mark:016x}");
    let key = store.key(&name)?;
    let body = SdkStream::new(SdkBody::from("whether this server keeps conditions on deletes"));
    let made = store.client.put_object().bucket(&store.bucket).key(&key).if_none_match("*").body(body);
    let sealed = made.set_server_side_encryption(store.keeping.sse()).set_ssekms_key_id(store.keeping.kms_key());
    let made = sealed.send().await;
    let doing = "write a small object of its own, on which to try whether the server keeps conditions on deletes";
    let made = made.map_err(|failed| of_request(&store.id, Some(&name), doing, &failed))?;
    let tag = made.e_tag().map(bare_tag).unwrap_or_default();
    match delete(store, &name, &key, "00000000000000000000000000000000").await {
        // It is gone already: the condition was ignored.
        Ok(_) => return Ok(false),
        Err(error) if error.kind == StoreErrorKind::Changed => {}
        Err(error) if error.kind == StoreErrorKind::Unsupported => return Ok(false),
        Err(error) => return Err(error),
    }
    // What cannot be removed only takes room.
    let _ = delete(store, &name, &key, &tag).await;
    Ok(true)
}
