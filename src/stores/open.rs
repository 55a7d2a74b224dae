//! From a store's configuration to a store that waits, retries and limits sensibly.

use super::error::{StoreError, StoreErrorKind};
use super::local::{FolderPlace, LocalStore};
use super::place::SharedPlace;
use super::port::{PruningStore, Store, WritableStore};
use super::s3::{S3Store, Waits};
use super::wrap::{Ahead, Deadline, Limit, Retry, RetryPolicy};
use crate::model::estate::{S3Credentials, S3Place, StoreConfig, StorePlace};
use crate::model::secret::SecretSource;
use std::sync::Arc;
use std::time::Duration;

/// A store that is ready for use. `write` is there where new objects can be added.
#[derive(Clone, Debug)]
pub struct Opened {
    pub read: Arc<dyn Store>,
    pub write: Option<Arc<dyn WritableStore>>,
}

/// How long and how hard a store is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub connect: Duration,
    /// One try, from the request to the head of the answer.
    pub attempt: Duration,
    /// Limit of one call on any store; no new try starts after it.
    pub call: Duration,
    /// Silence within a stream.
    pub idle: Duration,
    pub attempts: u32,
    /// Pause before the second try; doubles from there.
    pub pause: Duration,
    /// Calls, and streams, at once.
    pub at_once: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(15),
            call: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            attempts: 4,
            pause: Duration::from_millis(200),
            at_once: 16,
        }
    }
}

/// Prepares the store. Nothing is asked of it yet: a store that is away is an error of its first use.
pub async fn open(config: &StoreConfig, secrets: &dyn SecretSource) -> Result<Opened, StoreError> {
    open_with(config, secrets, Patience::default()).await
}

/// [`open`] with other time limits.
pub async fn open_with(
    config: &StoreConfig,
    secrets: &dyn SecretSource,
    patience: Patience,
) -> Result<Opened, StoreError> {
    let store = connected(config, secrets, patience).await?;
    Ok(Opened { read: store.clone(), write: (!is_unsigned(config)).then_some(store) })
}

/// The store as one that removes. Only what retention lets go is removed in this program, and only by the one
/// module that opens a store this way.
pub async fn open_to_prune(
    config: &StoreConfig,
    secrets: &dyn SecretSource,
    patience: Patience,
) -> Result<Arc<dyn PruningStore>, StoreError> {
    if is_unsigned(config) {
        let message = "it is configured without keys, and nothing is removed in nobody's name";
        return Err(StoreError::new(StoreErrorKind::Denied, &config.id, None, message));
    }
    connected(config, secrets, patience).await
}

fn is_unsigned(config: &StoreConfig) -> bool {
    matches!(&config.place, StorePlace::S3(place) if place.credentials == S3Credentials::Anonymous)
}

async fn connected(
    config: &StoreConfig,
    secrets: &dyn SecretSource,
    patience: Patience,
) -> Result<Arc<dyn PruningStore>, StoreError> {
    let retry = RetryPolicy {
        attempts: patience.attempts,
        pause: patience.pause,
        budget: patience.call,
        ..RetryPolicy::default()
    };
    Ok(match &config.place {
        StorePlace::Local { path } => Arc::new(wrapped(LocalStore::new(config.id.clone(), path), patience, retry)),
        StorePlace::S3(place) => {
            let waits = Waits { connect: patience.connect, attempt: patience.attempt };
            let raw = S3Store::connect(&config.id, place, secrets, waits, retry).await?;
            Arc::new(Ahead::new(wrapped(raw, patience, retry)))
        }
    })
}

/// Prepares `prefix` of the store (empty, or ending in `/`) as a shared place. There is nothing around it that
/// tries again: whether a conditional write that broke off took effect is for its caller to find out.
pub async fn open_place(
    config: &StoreConfig,
    prefix: &str,
    secrets: &dyn SecretSource,
    patience: Patience,
) -> Result<Arc<dyn SharedPlace>, StoreError> {
    match &config.place {
        StorePlace::Local { path } => {
            Ok(Arc::new(FolderPlace::new(LocalStore::new(config.id.clone(), path.join(prefix)))))
        }
        StorePlace::S3(place) => {
            let place = S3Place { prefix: format!("{}{prefix}", place.prefix), ..(**place).clone() };
            let waits = Waits { connect: patience.connect, attempt: patience.attempt };
            let store = S3Store::connect(&config.id, &place, secrets, waits, RetryPolicy::default()).await?;
            Ok(Arc::new(store))
        }
    }
}

/// The deadline stands inside the retries, so that a try that hangs, or a stream that stands still, is
/// taken up again instead of ending the call; the time for all tries is bounded by the retry policy.
fn wrapped<S: PruningStore>(raw: S, patience: Patience, retry: RetryPolicy) -> Retry<Limit<Deadline<S>>> {
    let timed = Deadline::new(raw, patience.call, patience.idle);
    Retry::new(Limit::new(timed, patience.at_once, patience.call), retry)
}
