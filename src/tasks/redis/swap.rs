//! `redis.swap`: the server stops, the loaded folder takes the live name, the old one a dated one, and the
//! server starts and shows that it holds all of it.

use super::look::{Info, Seen, look};
use super::scene::{Input, Scene, Stage};
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde_json::json;

pub struct Swap;

pub(super) const INPUTS: &[InputSpec] = &[
    super::SERVER,
    InputSpec {
        name: "live_id",
        kind: InputKind::Text,
        required: true,
        help: "Device and inode of the live data folder in the plan",
    },
    super::SIDE,
    InputSpec { name: "aside", kind: InputKind::Text, required: true, help: "Path for the old data folder, dated" },
    InputSpec {
        name: "aof_dir",
        kind: InputKind::Text,
        required: false,
        help: "Folder of the log of changes; set aside where the server keeps none",
    },
    InputSpec {
        name: "within",
        kind: InputKind::Text,
        required: false,
        help: "Time that the server may take to load; default 30m",
    },
];

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.swap",
    summary: "Stop the server, exchange its data folder for the loaded one by renaming, start it and count its keys",
    effect: Effect::Irreversible,
    inputs: INPUTS,
    outputs: &["aside", "keys", "loaded"],
    idempotent: true,
    undo: "redis.swap-back gives the old folder its name back",
    programs: &["ssh", "mv"],
};

#[async_trait::async_trait]
impl Module for Swap {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(swap(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        reality(cx, input).await.unwrap_or_else(Reality::from)
    }
}

fn output(input: &Input, info: &Info) -> Values {
    let loaded = info.loaded().map(|(loaded, _)| loaded);
    values(json!({ "aside": input.aside, "keys": info.total().keys, "loaded": loaded }))
}

async fn reality(cx: &TaskContext, input: &Values) -> Result<Reality, Stop> {
    let input: Input = read(input)?;
    let scene = Scene::read(cx, &input).await?;
    let seen = look(cx, scene.home.server).await?;
    Ok(match (scene.stage, seen) {
        (Stage::After, Seen::Up(info)) if !info.is_on("loading") && scene.verify(&info).is_ok() => {
            Reality::Done(output(&input, &info))
        }
        (Stage::After, seen) => Reality::NotDone(format!("the folders are exchanged, and the server {}", seen.words())),
        (Stage::Between, _) => {
            Reality::NotDone("the old folder has its dated name, and no folder the live one".to_owned())
        }
        (Stage::Before, seen) => Reality::NotDone(format!("no folder was renamed; the server {}", seen.words())),
    })
}

/// From wherever an earlier attempt was cut off, always forward.
async fn swap(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let mut scene = Scene::read(cx, &input).await?;
    let live = scene.home.place.data_dir.clone();
    if scene.stage != Stage::After {
        scene.stop().await?;
    }
    if scene.stage == Stage::Before {
        scene.rename(&live, &input.aside).await?;
        scene = Scene::read(cx, &input).await?;
    }
    if scene.stage != Stage::After {
        scene.rename(&input.side, &live).await?;
        scene = Scene::read(cx, &input).await?;
    }
    scene.home.must("writing the renames to disk", &["sync", "-f", "--", &live]).await?;
    let info = scene.start().await?;
    scene.verify(&info)?;
    if let Some(name) = input.aof_dir.as_deref().filter(|_| !info.is_on("aof_enabled")) {
        // A server that keeps no log now would read a stale one if someone turned it on in its file later.
        let (log, aside) = (format!("{live}/{name}"), format!("{}-{name}", input.side));
        scene.home.run(crate::tasks::host::Command::new(["mv", "-n", "-T", "--", &log, &aside])).await?;
    }
    Ok(output(&input, &info))
}
