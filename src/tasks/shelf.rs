//! Small notes without which nobody can take a run's effect back, where a takeover from another machine finds them:
//! beside the mirror of the journal. A run without a shared place has them in its folder alone.

use crate::stores::{SharedPlace, StoreError, StoreErrorKind};
use bytes::Bytes;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub struct Shelf(Option<Arc<dyn SharedPlace>>);

fn entry(run: &str, note: &str) -> String {
    format!("runs/{run}/kept/{note}")
}

impl Shelf {
    pub fn shared(place: Arc<dyn SharedPlace>) -> Self {
        Self(Some(place))
    }

    /// `None` where nothing was kept, or there is no shared place.
    pub async fn read(&self, run: &str, note: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(place) = &self.0 else { return Ok(None) };
        match place.read(&entry(run, note)).await {
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Once kept, a note stays as it is.
    pub async fn keep(&self, run: &str, note: &str, bytes: Bytes) -> Result<(), StoreError> {
        let Some(place) = &self.0 else { return Ok(()) };
        match place.create(&entry(run, note), bytes).await {
            Err(error) if error.kind == StoreErrorKind::AlreadyExists => Ok(()),
            kept => kept,
        }
    }
}
