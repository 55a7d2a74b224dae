//! `files.swap`: the new folder takes the live name, the old one a dated name, by rename alone.

use super::folder::{FolderId, Found, Note, Place, amount_of, failed};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Amount, Counts, InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use rustix::fs::RenameFlags;
use serde::Deserialize;
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

pub struct Swap;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.swap",
    summary: "Exchange the live and the new folder by renaming",
    effect: Effect::Irreversible,
    inputs: &[
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "Absolute path of the live folder" },
        InputSpec {
            name: "live_id",
            kind: InputKind::Text,
            required: false,
            help: "Device and inode of the live folder in the plan; absent: it was not there",
        },
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Absolute path of the new folder" },
        InputSpec {
            name: "aside",
            kind: InputKind::Text,
            required: true,
            help: "Absolute path for the old folder, dated",
        },
    ],
    outputs: &["target", "aside"],
    idempotent: false,
    undo: "files.swap-back exchanges the folders again",
    programs: &[],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub target: PathBuf,
    #[serde(default)]
    pub live_id: Option<FolderId>,
    pub side: PathBuf,
    pub aside: PathBuf,
}

/// The three names and what lies under them.
pub(super) struct Scene {
    pub place: Place,
    pub target: OsString,
    pub side: OsString,
    pub aside: OsString,
    pub at_target: Found,
    pub at_side: Found,
    pub at_aside: Found,
    /// The folder that this run made and completed.
    pub made: FolderId,
}

impl Scene {
    pub fn read(cx: &TaskContext, input: &Input) -> Result<Self, Failure> {
        let (place, [target, side, aside]) = Place::open([&input.target, &input.side, &input.aside])?;
        if target == side || side == aside || target == aside {
            return Err(Failure::new("the three folder names are not different").means("nothing was done"));
        }
        let note = Note::read(cx, &input.side).filter(|note| note.complete.is_some());
        let made = note.and_then(|note| note.id).ok_or_else(|| {
            Failure::new(format!("{} was not unpacked to its end by this run", place.show(&side)))
                .means("it must not become the live folder; nothing was done")
                .next("run the unpacking step first")
        })?;
        Ok(Self {
            at_target: place.find(&target)?,
            at_side: place.find(&side)?,
            at_aside: place.find(&aside)?,
            place,
            target,
            side,
            aside,
            made,
        })
    }

    /// Whether the old folder (or nothing, where there was none) is under the live name.
    pub fn before(&self, old: Option<&FolderId>) -> bool {
        self.at_side.is(&self.made) && self.at_aside == Found::Nothing && holds(&self.at_target, old)
    }

    pub fn after(&self, old: Option<&FolderId>) -> bool {
        self.at_target.is(&self.made) && self.at_side == Found::Nothing && holds(&self.at_aside, old)
    }

    pub fn describe(&self) -> String {
        let one = |name: &OsStr, found: &Found| {
            let what = match found {
                Found::Nothing => "nothing".to_owned(),
                Found::Folder(id) if *id == self.made => format!("the restored folder ({id})"),
                Found::Folder(id) => format!("folder {id}"),
                Found::Other(what) => (*what).to_owned(),
            };
            format!("{}: {what}", self.place.show(name))
        };
        format!(
            "{}; {}; {}",
            one(&self.target, &self.at_target),
            one(&self.side, &self.at_side),
            one(&self.aside, &self.at_aside)
        )
    }

    pub fn rename(&self, from: &OsStr, to: &OsStr, flags: RenameFlags) -> Result<(), rustix::io::Errno> {
        rustix::fs::renameat_with(&self.place.dir, from, &self.place.dir, to, flags)
    }

    /// `coming` takes the live name, what holds it now goes to `away`. On failure everything is as before.
    pub fn exchange(&self, coming: &OsStr, away: &OsStr) -> Result<(), Failure> {
        let renamed = match self.rename(&self.target, coming, RenameFlags::EXCHANGE) {
            Ok(()) => self.rename(coming, away, RenameFlags::NOREPLACE).map_err(|error| {
                let back = self.rename(&self.target, coming, RenameFlags::EXCHANGE);
                (error, back)
            }),
            // Filesystems that cannot exchange: two renames, the first taken back if the second fails.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => self
                .rename(&self.target, away, RenameFlags::NOREPLACE)
                .map_err(|error| (error, Ok(())))
                .and_then(|()| {
                    self.rename(coming, &self.target, RenameFlags::NOREPLACE)
                        .map_err(|error| (error, self.rename(away, &self.target, RenameFlags::NOREPLACE)))
                }),
            Err(error) => Err((error, Ok(()))),
        };
        match renamed {
            Ok(()) => self.place.sync(),
            Err((error, Ok(()))) => Err(failed("renaming", &error.into())
                .means("everything has its name as before")
                .next("mend what the error names, then retry")),
            Err((error, Err(back))) => Err(failed("renaming", &error.into())
                .means(format!("and taking the first rename back failed too: {back}"))
                .next("look at the folders by hand: the inodes tell which is which")
                .evidence(self.describe())),
        }
    }

    /// The live name is free: one rename.
    pub fn take(&self, coming: &OsStr) -> Result<(), Failure> {
        self.rename(coming, &self.target, RenameFlags::NOREPLACE)
            .map_err(|error| failed("renaming", &error.into()).means("nothing was changed"))?;
        self.place.sync()
    }
}

fn holds(found: &Found, old: Option<&FolderId>) -> bool {
    match old {
        Some(id) => found.is(id),
        None => *found == Found::Nothing,
    }
}

#[async_trait::async_trait]
impl Module for Swap {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["target", "side", "aside"] })
    }

    fn counts(&self) -> Counts {
        Counts::BOTH
    }

    /// What gets another name: both folders with all that is in them.
    async fn count(&self, cx: &TaskContext, input: &Values) -> Result<Amount, Stop> {
        let input: Input = read(input)?;
        let (place, [target, side]) = Place::open([&input.target, &input.side])?;
        amount_of(cx, place, vec![target, side]).await
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(swap(cx, input))
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        read(input).and_then(|input: Input| look(cx, &input)).unwrap_or_else(Reality::Unknown)
    }
}

fn output(input: &Input) -> Values {
    values(json!({ "target": input.target, "aside": input.live_id.as_ref().map(|_| &input.aside) }))
}

fn swap(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let scene = Scene::read(cx, &input)?;
    if !scene.before(input.live_id.as_ref()) {
        return Err(Failure::new("the folders are not as the plan saw them")
            .means("nothing was done")
            .next("look what happened, then make a new plan")
            .evidence(scene.describe())
            .into());
    }
    let swapped = match input.live_id {
        Some(_) => scene.exchange(&scene.side, &scene.aside),
        None => scene.take(&scene.side),
    };
    if let Err(failure) = swapped {
        return match look(cx, &input)? {
            Reality::NotDone(_) => Err(Stop::Failed(failure)),
            _ => Err(Stop::Unknown(failure)),
        };
    }
    cx.feed.line(scene.place.show(&scene.target));
    Ok(output(&input))
}

fn look(cx: &TaskContext, input: &Input) -> Result<Reality, Failure> {
    let mut scene = Scene::read(cx, input)?;
    if let Some(old) = &input.live_id {
        // Died between the exchange and the second rename: the old folder only lacks its dated name.
        if scene.at_target.is(&scene.made) && scene.at_side.is(old) && scene.at_aside == Found::Nothing {
            scene
                .rename(&scene.side, &scene.aside, RenameFlags::NOREPLACE)
                .map_err(|error| failed("renaming", &error.into()))?;
            scene.place.sync()?;
            scene = Scene::read(cx, input)?;
        }
        // Died between the two renames of a filesystem that cannot exchange: back to the beginning.
        if scene.at_target == Found::Nothing && scene.at_side.is(&scene.made) && scene.at_aside.is(old) {
            scene
                .rename(&scene.aside, &scene.target, RenameFlags::NOREPLACE)
                .map_err(|error| failed("renaming", &error.into()))?;
            scene.place.sync()?;
            scene = Scene::read(cx, input)?;
        }
    }
    Ok(if scene.after(input.live_id.as_ref()) {
        Reality::Done(output(input))
    } else if scene.before(input.live_id.as_ref()) {
        Reality::NotDone(scene.describe())
    } else {
        Reality::Unknown(
            Failure::new(format!("the folders are neither as before nor as after the swap: {}", scene.describe()))
                .means("someone else renamed or made folders")
                .next("look at the folders by hand: the inodes tell which is which"),
        )
    })
}
