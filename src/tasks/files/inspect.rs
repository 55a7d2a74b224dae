//! `files.inspect`: the live folder of an asset, its surroundings and its size, for the plan.

use super::folder::{Found, Place, Tally, failed, tally};
use super::trees;
use crate::model::estate::Asset;
use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use rustix::fs::{Access, AtFlags};
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};

pub struct Inspect;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.inspect",
    summary: "Look at the live folder of an asset and at the room beside it",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset with a `path`" },
        InputSpec {
            name: "drill",
            kind: InputKind::Flag,
            required: false,
            help: "Look at the asset's drill place instead, which must be free",
        },
        InputSpec {
            name: "tree",
            kind: InputKind::Text,
            required: false,
            help: "Which of the asset's `trees`; needed where it has these",
        },
        InputSpec {
            name: "whole",
            kind: InputKind::Flag,
            required: false,
            help: "All of the asset's `trees` at once, where it has these: what one archive of them needs",
        },
    ],
    outputs: &[
        "target",
        "parent",
        "title",
        "inside",
        "trees",
        "exists",
        "live_id",
        "files",
        "bytes",
        "size",
        "free_bytes",
        "health_url",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    #[serde(default)]
    drill: bool,
    #[serde(default)]
    tree: Option<PathBuf>,
    #[serde(default)]
    whole: bool,
}

#[async_trait::async_trait]
impl Module for Inspect {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(inspect(cx, input).await)
    }
}

/// One of the asset's folders, where its archives hold several.
fn tree<'a>(input: &Input, asset: Option<&'a Asset>) -> Result<Option<&'a PathBuf>, Failure> {
    let wanted = input.tree.as_ref().filter(|tree| !tree.as_os_str().is_empty());
    let trees = asset.map_or(&[][..], |asset| &asset.trees);
    let shown: Vec<_> = trees.iter().map(|tree| escaped(&tree.to_string_lossy()).into_owned()).collect();
    let refused = |what: String| {
        Failure::new(what).means("which folder is meant is not known").next(match shown.as_slice() {
            [] => "leave `tree` out: this asset has one folder".to_owned(),
            shown => format!("let `tree` be one of {}", shown.join(", ")),
        })
    };
    match (wanted, trees) {
        (None, []) => Ok(None),
        (None, _) => Err(refused(format!("the archives of asset `{}` hold {} folders", input.asset, trees.len()))),
        (Some(wanted), _) => trees.iter().find(|tree| *tree == wanted).map(Some).ok_or_else(|| {
            let wanted = escaped(&wanted.to_string_lossy()).into_owned();
            refused(format!("asset `{}` does not live in {wanted}", input.asset))
        }),
    }
}

/// Where tar keeps a folder that it was given by its absolute name.
fn inside(tree: Option<&PathBuf>) -> Option<PathBuf> {
    tree.and_then(|tree| tree.strip_prefix("/").ok()).map(PathBuf::from)
}

/// The live folder, or the one that drills work on.
fn place_of(input: &Input, asset: Option<&Asset>) -> Result<PathBuf, Failure> {
    let (path, key, meaning) = if input.drill {
        let place = asset.and_then(|asset| asset.drill.as_ref()?.path.clone());
        (place, "drill = { path = \"…\" }", "a drill restores to a scratch folder, never to the live one")
    } else {
        let live = tree(input, asset)?.cloned().or_else(|| asset.and_then(|asset| asset.path.clone()));
        (live, "path", "nobody knows where its live folder is")
    };
    path.ok_or_else(|| {
        Failure::new(format!("asset `{}` has no `{key}` in the configuration", input.asset))
            .means(meaning)
            .next("add it to the asset, and make a new plan")
    })
}

async fn inspect(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let asset = cx.estate.asset(&input.asset);
    if let Some(asset) = asset.filter(|asset| input.whole && !input.drill && !asset.trees.is_empty()) {
        return whole(cx, asset).await;
    }
    let path = place_of(&input, asset)?;
    let inside = inside(tree(&input, asset)?);
    // The application's answer says nothing about a scratch copy.
    let health_url = asset.filter(|_| !input.drill).and_then(|asset| asset.health_url.clone());
    let (cancel, drill, there) = (cx.cancel.clone(), input.drill, path.clone());
    let looked = tokio::task::spawn_blocking(move || around(&there, drill, &|| cancel.reason().is_some()));
    let (live, counted, free) = looked.await.map_err(|error| Failure::new(format!("the look broke: {error}")))??;
    if let Some(reason) = cx.cancel.reason() {
        return Err(Stop::Cancelled(reason));
    }
    let id = if let Found::Folder(id) = &live { Some(id) } else { None };
    let bytes = counted.as_ref().map(|tally| tally.bytes);
    Ok(values(json!({
        "target": path,
        "parent": path.parent(),
        "title": format!("folder {} on this machine", escaped(&path.to_string_lossy())),
        "inside": inside,
        "trees": Vec::<trees::Tree>::new(),
        "exists": id.is_some(),
        "live_id": id,
        "files": counted.as_ref().map(|tally| tally.files),
        "bytes": bytes,
        "size": bytes.map(|bytes| ByteCount(bytes).to_string()),
        "free_bytes": free,
        "health_url": health_url,
    })))
}

/// What lies under the live name, how much that is, and the room beside it.
fn around(path: &Path, drill: bool, stop: &dyn Fn() -> bool) -> Result<(Found, Option<Tally>, u64), Failure> {
    let (place, [name]) = Place::open([path])?;
    rustix::fs::accessat(&place.dir, ".", Access::WRITE_OK, AtFlags::EACCESS).map_err(|error| {
        failed(&format!("looking whether {} can be written to", escaped(&place.path.to_string_lossy())), &error.into())
            .means("the folder beside the live one could not be made")
            .next("run as a user who may write there")
    })?;
    let live = place.find(&name)?;
    if drill && live != Found::Nothing {
        return Err(Failure::new(format!("{} is there already", place.show(&name)))
            .means("a drill starts from a free name, so that nothing of anyone's is in its way; nothing was done")
            .next("clear what an earlier drill left (`relight runs` lists it), or name another place for drills"));
    }
    if let Found::Other(what) = live {
        return Err(Failure::new(format!("{} is {what}", place.show(&name)))
            .means("it cannot be exchanged by renaming")
            .next("point `path` at the real folder; for a mount point, at a folder inside it"));
    }
    let counted = match &live {
        Found::Folder(_) => {
            let dir = place.dir.open_dir(&name).map_err(|error| failed("opening the live folder", &error))?;
            tally(&dir, stop).map(|(tally, _)| tally).ok()
        }
        _ => None,
    };
    let free = free_bytes(&place.path).map_err(|error| failed("reading the free space", &error))?;
    Ok((live, counted, free))
}

/// All folders of an asset that lives in several.
async fn whole(cx: &TaskContext, asset: &Asset) -> Result<Values, Stop> {
    let (paths, cancel) = (asset.trees.clone(), cx.cancel.clone());
    let looked = tokio::task::spawn_blocking(move || trees::look(&paths, &|| cancel.reason().is_some())).await;
    if let Some(reason) = cx.cancel.reason() {
        return Err(Stop::Cancelled(reason));
    }
    let (trees, held) = looked.map_err(|error| Failure::new(format!("the look broke: {error}")))??;
    let shown: Vec<_> = trees.iter().map(|tree| escaped(&tree.path.to_string_lossy()).into_owned()).collect();
    Ok(values(json!({
        "target": shown.join(", "),
        "parent": null,
        "title": format!("{} folders on this machine: {}", trees.len(), shown.join(", ")),
        "inside": null,
        "trees": trees,
        "exists": true,
        "live_id": null,
        "files": held.files,
        "bytes": held.bytes,
        "size": ByteCount(held.bytes).to_string(),
        "free_bytes": null,
        "health_url": asset.health_url,
    })))
}
