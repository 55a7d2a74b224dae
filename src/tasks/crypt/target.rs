//! The rows and the key that the modules of this folder share.

use crate::model::key::Key;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::module::{InputKind, InputSpec};

pub const FILE: InputSpec = InputSpec {
    name: "file",
    kind: InputKind::Text,
    required: true,
    help: "Name of the plaintext file in the run's folder",
};

pub const SEALED: InputSpec = InputSpec {
    name: "sealed",
    kind: InputKind::Text,
    required: true,
    help: "Name of the encrypted file in the run's folder",
};

pub const KEY: InputSpec =
    InputSpec { name: "key", kind: InputKind::Text, required: true, help: "`key` of backup.destination" };

/// A key that some source of the estate names.
pub fn key(cx: &TaskContext, id: &str) -> Result<Key, Failure> {
    let mut keys = cx.estate.assets.iter().flat_map(|asset| &asset.sources).filter_map(|source| source.key.as_ref());
    keys.find(|key| key.id.as_str() == id).cloned().ok_or_else(|| {
        Failure::new(format!("no source of the configuration names a key `{}`", escaped(id)))
            .means("nothing was done")
            .next("add it under [[keys]], name it as the `key` of the asset's source, and make a new plan")
    })
}
