//! `files.extract`: unpacks a backup into a new folder beside the live one.

use super::folder::{Found, Note, Place, Tally, failed, handle};
use super::members::{Limits, Seen, walk};
use super::unpack::Unpacker;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::reach::{Makes, Reach};
use crate::tasks::source::Source;
use cap_std::fs::{DirBuilder, DirBuilderExt};
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

pub struct Extract;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.extract",
    summary: "Unpack an archive or a tree into a new folder beside the live one",
    effect: Effect::Costly,
    inputs: &[
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "Absolute path of the live folder" },
        InputSpec {
            name: "side",
            kind: InputKind::Text,
            required: true,
            help: "Absolute path of the new folder, same parent",
        },
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
        InputSpec {
            name: "strip",
            kind: InputKind::Integer,
            required: false,
            help: "Leading folders of the archive's paths to leave out",
        },
        InputSpec {
            name: "inside",
            kind: InputKind::Text,
            required: false,
            help: "Folder in the backup that alone is unpacked, as if it were the root of it",
        },
        InputSpec {
            name: "max_members",
            kind: InputKind::Integer,
            required: false,
            help: "Most members; default 5 million",
        },
        InputSpec {
            name: "max_bytes",
            kind: InputKind::Integer,
            required: false,
            help: "Most bytes of content; default nine tenths of the free space",
        },
        InputSpec {
            name: "keep_special_modes",
            kind: InputKind::Flag,
            required: false,
            help: "Keep set-user and set-group bits of files",
        },
    ],
    outputs: &["side", "files", "folders", "links", "bytes", "defused"],
    idempotent: true,
    undo: "files.remove-side removes the new folder, which this run made",
    programs: &[],
};

const MOST_MEMBERS: u64 = 5_000_000;

#[derive(Deserialize)]
struct Input {
    target: PathBuf,
    side: PathBuf,
    source: Source,
    #[serde(default)]
    strip: Option<u32>,
    #[serde(default)]
    inside: Option<PathBuf>,
    #[serde(default)]
    max_members: Option<u64>,
    #[serde(default)]
    max_bytes: Option<u64>,
    #[serde(default)]
    keep_special_modes: Option<bool>,
}

#[async_trait::async_trait]
impl Module for Extract {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["target", "side"] })
    }

    fn makes(&self) -> Option<Makes> {
        Some(Makes { what: "folder", named_by: "side", remove: "files.remove-made", probe: "files.made-gone" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(extract(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        look(cx, input).unwrap_or_else(Reality::Unknown)
    }
}

async fn extract(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (place, [live, name]) = Place::open([&input.target, &input.side])?;
    if live == name {
        return Err(Failure::new("the new folder has the live folder's name").means("nothing was done").into());
    }
    clear(cx, &input, &place, &name)?;
    let free = free_bytes(&place.path).map_err(|error| failed("reading the free space", &error))?;
    Note { side: input.side.clone(), id: None, complete: None }.write(cx)?;
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    place
        .dir
        .create_dir_with(&name, &builder)
        .map_err(|error| failed(&format!("making {}", place.show(&name)), &error))?;
    let Found::Folder(id) = place.find(&name)? else {
        return Err(Failure::new("the new folder was replaced while it was made").into());
    };
    let mut note = Note { side: input.side.clone(), id: Some(id), complete: None };
    note.write(cx)?;
    let root = place.dir.open_dir(&name).map_err(|error| failed("opening the new folder", &error))?;
    dress_root(&place, &live, &root)?;

    let limits = Limits {
        members: input.max_members.unwrap_or(MOST_MEMBERS),
        bytes: input.max_bytes.unwrap_or(free / 10 * 9),
        strip: input.strip.unwrap_or(0),
        inside: input.inside.clone().unwrap_or_default(),
    };
    let seen = Seen::default();
    let look = || Progress {
        done: seen.bytes.load(Ordering::Relaxed),
        total: Some(input.source.size_bytes),
        unit: Unit::Bytes,
        note: format!("{} members", seen.members.load(Ordering::Relaxed)),
    };
    let unpacker = Unpacker::new(root, input.keep_special_modes.unwrap_or(false));
    let walked = telling(cx, look, walk(cx, &input.source, limits, &seen, unpacker)).await;
    let unpacker = walked.map_err(|stop| {
        let left = "of which a tenth is left to others unless `max_bytes` says more";
        let room = format!("{} were free there when it began, {left}", ByteCount(free));
        if input.max_bytes.is_none() { stop.evidence(room) } else { stop }
    })?;
    let finished = tokio::task::spawn_blocking(move || unpacker.finish()).await;
    let (tally, defused) = finished.map_err(|error| Failure::new(format!("the unpacking thread broke: {error}")))??;
    place.sync()?;
    if tally.files + tally.links == 0 {
        return Err(nothing(seen.members.load(Ordering::Relaxed)).into());
    }
    cx.feed.line(format!("{} files, {}", tally.files, ByteCount(tally.bytes)));
    if defused > 0 {
        cx.feed.line(format!("set-user and set-group bits of {defused} files were left out"));
    }
    note.complete = Some(tally.clone());
    note.write(cx)?;
    Ok(output(&input, &tally, defused))
}

/// A backup that holds no file is not restored: it would empty the live folder.
fn nothing(members: u64) -> Failure {
    Failure::new("nothing was unpacked: no file and no link")
        .evidence(format!("the backup has {members} members, all of them folders"))
        .means("the new folder is empty; swapped in, it would empty the live one")
        .next("choose another backup; to empty a folder on purpose, do it by hand")
}

fn output(input: &Input, tally: &Tally, defused: u64) -> Values {
    values(json!({
        "side": input.side, "files": tally.files, "folders": tally.folders, "links": tally.links, "bytes": tally.bytes,
        "defused": defused,
    }))
}

/// The side name must be free, or hold what an earlier attempt of this run left.
fn clear(cx: &TaskContext, input: &Input, place: &Place, name: &std::ffi::OsStr) -> Result<(), Failure> {
    let found = place.find(name)?;
    if found == Found::Nothing {
        return Ok(());
    }
    let ours = Note::read(cx, &input.side).is_some_and(|note| note.owns(&found));
    if !ours {
        return Err(Failure::new(format!("{} is already there, and this run did not make it", place.show(name)))
            .means("it was left alone; nothing was done")
            .next("make a new plan; it gets a new name"));
    }
    cx.feed.line("removing what an earlier attempt left");
    place.dir.remove_dir_all(name).map_err(|error| failed(&format!("removing {}", place.show(name)), &error))
}

/// Until the archive says otherwise, the new root has mode and owner of the live one.
fn dress_root(place: &Place, live: &std::ffi::OsStr, root: &cap_std::fs::Dir) -> Result<(), Failure> {
    use cap_std::fs::MetadataExt;
    let meta = match place.dir.symlink_metadata(live) {
        Ok(meta) if meta.is_dir() => Some(meta),
        _ => None,
    };
    let dress = || -> rustix::io::Result<()> {
        let root = handle(root)?;
        if let (Some(meta), true) = (&meta, rustix::process::geteuid().is_root()) {
            let (uid, gid) = (rustix::fs::Uid::from_raw(meta.uid()), rustix::fs::Gid::from_raw(meta.gid()));
            rustix::fs::fchown(&root, Some(uid), Some(gid))?;
        }
        let mode = meta.as_ref().map_or(0o755, |meta| meta.mode() & 0o7777);
        rustix::fs::fchmod(&root, rustix::fs::Mode::from_raw_mode(mode))
    };
    dress().map_err(|error| failed("setting the mode of the new folder", &error.into()))
}

fn look(cx: &TaskContext, input: &Values) -> Result<Reality, Failure> {
    let input: Input = read(input)?;
    let (place, [name]) = Place::open([&input.side])?;
    let found = place.find(&name)?;
    let note = Note::read(cx, &input.side);
    Ok(match (&found, note) {
        (Found::Nothing, _) => Reality::NotDone("the new folder is not there".to_owned()),
        (_, Some(note)) if note.owns(&found) => match note.complete {
            Some(tally) => Reality::Done(output(&input, &tally, 0)),
            None => Reality::NotDone("the new folder is not complete; a new attempt removes it first".to_owned()),
        },
        // Made, but the note of its inode was not written any more: it can only be empty.
        (Found::Folder(_), Some(note)) if note.id.is_none() && place.dir.remove_dir(&name).is_ok() => {
            Reality::NotDone("the new folder was made but not begun; it was removed".to_owned())
        }
        _ => Reality::Unknown(
            Failure::new(format!("{} is there, and this run did not make it", place.show(&name)))
                .means("someone else works here")
                .next("find out whose it is before going on"),
        ),
    })
}
