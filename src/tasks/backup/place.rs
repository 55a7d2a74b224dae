//! Where a new backup goes: the output of `backup.destination`, the input of those that publish and confirm it.

use crate::model::id::StoreId;
use crate::model::task::Failure;
use crate::stores::{Store, WritableStore};
use crate::tasks::context::TaskContext;
use crate::tasks::module::{InputKind, InputSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// One object that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub store: StoreId,
    pub path: String,
    /// Smallest believable size, as the asset's source says.
    #[serde(default)]
    pub min_size: Option<u64>,
}

/// Row of a module's inputs: see [`Place`].
pub const PLACES: InputSpec =
    InputSpec { name: "places", kind: InputKind::List, required: true, help: "`places` of backup.destination" };

/// Row of a module's inputs: the name of the run's file.
pub const FILE: InputSpec =
    InputSpec { name: "file", kind: InputKind::Text, required: true, help: "Name of the file in the run's folder" };

/// What an output tells of the places that have it now.
pub fn published<'p>(places: impl IntoIterator<Item = &'p Place>) -> Vec<Value> {
    places.into_iter().map(|place| json!({ "store": place.store, "path": place.path })).collect()
}

impl Place {
    pub fn store<'a>(&self, cx: &'a TaskContext) -> Result<&'a Arc<dyn Store>, Failure> {
        cx.stores.get(&self.store).ok_or_else(|| self.unconfigured())
    }

    pub fn writable<'a>(&self, cx: &'a TaskContext) -> Result<&'a Arc<dyn WritableStore>, Failure> {
        if !cx.stores.contains_key(&self.store) {
            return Err(self.unconfigured());
        }
        cx.writable.get(&self.store).ok_or_else(|| {
            Failure::new(format!("store `{}` cannot be written to from here", self.store))
                .means("the backup would lack this copy; nothing was done")
                .next("`relight doctor` says what is in the way of the store")
        })
    }

    fn unconfigured(&self) -> Failure {
        Failure::new(format!("store `{}` is not configured", self.store))
            .means("the backup has no place there")
            .next("put the store back into the configuration, or make a new plan")
    }
}
