//! `models.manifest`: the manifest by which a backup of a registry is restored, pinned to its bytes.

use crate::model::id::StoreId;
use crate::model::registry::{Expected, Registry, split};
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::proof::manifest::LONGEST;
use crate::tasks::checks::subject::manifests;
use crate::tasks::checks::verify_tree::small_object;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::source::Source;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub struct ManifestLook;

static SPEC: ModuleSpec = ModuleSpec {
    name: "models.manifest",
    summary: "Find the manifest of a backup of a registry, and hold the number and bytes of its files to it",
    effect: Effect::Observe,
    inputs: &[InputSpec {
        name: "source",
        kind: InputKind::Table,
        required: true,
        help: "Output of backup.resolve: the folder of one run, or of one model of it",
    }],
    outputs: &["store", "path", "sha256", "models", "files", "bytes", "title"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    source: Source,
}

/// A manifest as the plan saw it.
#[derive(Clone, Debug, Deserialize)]
pub struct Pinned {
    pub store: StoreId,
    pub path: String,
    pub sha256: String,
}

/// What a backup must hold.
pub struct Listed {
    /// By `model/place`; by `place` alone for the backup of one model.
    pub files: BTreeMap<String, Expected>,
    pub models: usize,
    pub sha256: String,
}

impl Listed {
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }
}

#[async_trait::async_trait]
impl Module for ManifestLook {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, look(cx, input)).await
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let Input { source } = read(input)?;
    let known = manifests(cx.catalog.get(&source.backup), &source.store);
    let Some((store, path)) = known.into_iter().next() else {
        return Err(Failure::new(format!("{} has no manifest", source.backup))
            .means("nobody can tell which models and files it must hold; a restore of a part would pass for the whole")
            .next("choose another backup; what this one holds can be looked at by hand")
            .into());
    };
    let listed = open(cx, &store, &path, &source).await?;
    let (files, bytes) = (listed.files.len() as u64, listed.bytes());
    if files != source.objects || bytes != source.size_bytes {
        return Err(Failure::new(format!(
            "the manifest lists {files} files with {bytes} bytes; the backup has {} with {}",
            source.objects, source.size_bytes
        ))
        .means("models or files are missing, cut or besides; restored, they would take the place of a whole registry")
        .next("`relight verify` names them; choose another backup")
        .evidence(format!("manifest {} in store {store}", escaped(&path)))
        .into());
    }
    let title = format!("{} models, {files} files, {}", listed.models, ByteCount(bytes));
    Ok(values(json!({
        "store": store, "path": path, "sha256": listed.sha256, "models": listed.models, "files": files, "bytes": bytes,
        "title": title,
    })))
}

/// Reads the manifest of the backup that `source` is.
pub async fn open(cx: &TaskContext, store: &StoreId, path: &str, source: &Source) -> Result<Listed, Stop> {
    let shown = escaped(path).into_owned();
    let refused = |why: String| {
        Failure::new(format!("the manifest `{shown}` is of no use: {why}"))
            .means("what the backup must hold is not known; nothing was done")
            .next("choose another backup")
    };
    let from = cx.stores.get(store).ok_or_else(|| refused(format!("store `{store}` is not configured")))?;
    let bytes = small_object(&**from, path, LONGEST).await?.ok_or_else(|| refused("it is gone".to_owned()))?;
    let registry = Registry::parse(&bytes).map_err(&refused)?;
    let (_, model) = split(&source.path, &Registry::stamp_of(path));
    let files = registry.files(model).map_err(&refused)?;
    let models = registry.models.iter().filter(|one| model.is_none_or(|id| one.id == id)).count();
    // The folder of one model is restored as that model's folder, without its name before every file.
    let files = match model {
        Some(id) => {
            let place = |path: String| path.strip_prefix(id).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
            files.into_iter().filter_map(|(path, file)| Some((place(path)?, file))).collect()
        }
        None => files,
    };
    Ok(Listed { files, models, sha256: hex::encode(Sha256::digest(&bytes)) })
}
