//! `files.swap-back`: the old folder gets its name back; the restored one its name of before the swap.

use super::folder::Found;
use super::swap::{Input, Scene};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use rustix::fs::RenameFlags;
use serde_json::json;

pub struct SwapBack;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.swap-back",
    summary: "Take a swap of folders back",
    effect: Effect::Irreversible,
    inputs: &[
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "Absolute path of the live folder" },
        InputSpec {
            name: "live_id",
            kind: InputKind::Text,
            required: false,
            help: "Device and inode of the old folder; absent: there was none",
        },
        InputSpec {
            name: "side",
            kind: InputKind::Text,
            required: true,
            help: "Path that the restored folder had before the swap",
        },
        InputSpec { name: "aside", kind: InputKind::Text, required: true, help: "Path of the old folder now" },
    ],
    outputs: &["target"],
    idempotent: true,
    undo: "none; swap again with a new run",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for SwapBack {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["target", "side", "aside"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(back(cx, input))
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = || {
            let input: Input = read(input)?;
            let scene = Scene::read(cx, &input)?;
            Ok::<_, Failure>(if scene.before(input.live_id.as_ref()) {
                Reality::Done(output(&input))
            } else {
                Reality::NotDone(scene.describe())
            })
        };
        look().unwrap_or_else(Reality::Unknown)
    }
}

fn output(input: &Input) -> Values {
    values(json!({ "target": input.target }))
}

fn back(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let scene = Scene::read(cx, &input)?;
    let old = input.live_id.as_ref();
    if scene.before(old) {
        return Ok(output(&input));
    }
    let refused = || {
        Failure::new("the swap of the folders cannot be taken back")
            .means("they are not where the swap left them; nothing was done")
            .next("look at the folders by hand: the inodes tell which is which")
            .evidence(scene.describe())
    };
    let renaming = |error: rustix::io::Errno| super::folder::failed("renaming", &error.into());
    match old {
        Some(_) if scene.after(old) => scene.exchange(&scene.aside, &scene.side)?,
        // Broken off in the middle of the swap, or of an earlier way back.
        Some(id) if scene.at_target.is(&scene.made) && scene.at_side.is(id) => {
            scene.rename(&scene.target, &scene.side, RenameFlags::EXCHANGE).map_err(renaming)?;
        }
        Some(id) if scene.at_target.is(id) && scene.at_aside.is(&scene.made) && scene.at_side == Found::Nothing => {
            scene.rename(&scene.aside, &scene.side, RenameFlags::NOREPLACE).map_err(renaming)?;
        }
        Some(id) if scene.at_target == Found::Nothing && scene.at_aside.is(id) => scene.take(&scene.aside)?,
        None if scene.after(None) => {
            scene.rename(&scene.target, &scene.side, RenameFlags::NOREPLACE).map_err(renaming)?;
        }
        _ => return Err(refused().into()),
    }
    scene.place.sync()?;
    Ok(output(&input))
}
