//! `backup.fetch`: one copy of a backup as a new file or folder on this machine.

mod disk;
mod folder;
mod landing;

use self::landing::{Landed, Target, land, part_name, taken};
use super::artefact::measure;
use super::checks::reading::Object;
use super::checks::subject::{Asked, BACKUP, SOURCE, STORE, Subject};
use super::context::TaskContext;
use super::disk::free_bytes;
use super::input::{Stop, read, settle_or_stop, values};
use super::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use super::source::is_folder;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub struct Fetch;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.fetch",
    summary: "Write one copy of a backup to this machine as it lies in its store, checked, and gone on with after a break",
    effect: Effect::Reversible,
    inputs: &[
        SOURCE,
        BACKUP,
        STORE,
        InputSpec {
            name: "to",
            kind: InputKind::Text,
            required: true,
            help: "Absolute path of the new file or folder",
        },
        InputSpec {
            name: "into",
            kind: InputKind::Flag,
            required: false,
            help: "`to` is a folder that is there; it gets the name that it has in its store, in there",
        },
    ],
    outputs: &["backup", "store", "path", "to", "files", "size_bytes", "kept_bytes", "sha256", "compared", "checked"],
    idempotent: true,
    undo: "remove what was fetched; nothing else reads it",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    asked: Asked,
    to: PathBuf,
    #[serde(default)]
    into: bool,
}

#[async_trait::async_trait]
impl Module for Fetch {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, fetch(cx, input)).await
    }

    /// A file appears only whole; whether it is this one, its bytes say where a sum of them is known.
    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let subject = Subject::of(cx, input.asked, false)?;
            let place = Place::of(&input.to, input.into, &subject)?;
            let known = subject.recorded.first().map(|(_, sha256)| sha256.clone());
            let found = match place.folder.symlink_metadata(&place.name) {
                Err(_) => None,
                Ok(meta) if meta.is_file() => Some(measure(cx, &place.path).await?.1),
                Ok(_) => Some(String::new()),
            };
            Ok::<_, Stop>((found, known, place.path, subject))
        };
        match look.await {
            Ok((None, ..)) => Reality::NotDone("it is not there; what came so far is kept".to_owned()),
            Ok((Some(sha256), Some(known), to, subject)) if sha256.eq_ignore_ascii_case(&known) => {
                let size = subject.known.size;
                let found = Found {
                    files: 1,
                    bytes: size,
                    kept: size,
                    sha256: Some(sha256),
                    compared: true,
                    checked: MATCHED.to_owned(),
                };
                Reality::Done(output(&subject, &to, &found))
            }
            Ok((Some(_), _, to, _)) => Reality::Unknown(
                Failure::new(format!("{} is there", escaped(&to.to_string_lossy())))
                    .means("whether it is what was to be fetched cannot be told")
                    .next("look at it; move it away and retry, or skip the step"),
            ),
            Err(stop) => stop.into(),
        }
    }
}

const MATCHED: &str = "SHA-256 matches the recorded one";

struct Found {
    files: u64,
    bytes: u64,
    kept: u64,
    sha256: Option<String>,
    /// Its bytes agree with what was recorded of them.
    compared: bool,
    checked: String,
}

fn output(subject: &Subject, to: &Path, found: &Found) -> Values {
    values(json!({
        "backup": subject.backup,
        "store": subject.store,
        "path": subject.path,
        "to": to,
        "files": found.files,
        "size_bytes": found.bytes,
        "kept_bytes": found.kept,
        "sha256": found.sha256,
        "compared": found.compared,
        "checked": found.checked,
    }))
}

async fn fetch(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let subject = Subject::of(cx, input.asked, false)?;
    let store = &**subject.store(cx)?;
    let place = Place::of(&input.to, input.into, &subject)?;
    place.must_be_free()?;
    let free = free_bytes(&place.above).map_err(|error| {
        Failure::new(format!("the free space at {} cannot be seen: {error}", escaped(&place.above.to_string_lossy())))
    })?;
    let found = if is_folder(&subject.path) {
        let at = (Arc::clone(&place.folder), place.name.as_str(), place.shown.as_str());
        let tally = folder::fetch(cx, store, &subject, at, free).await?;
        let checked = match tally.compared {
            0 => "nothing was recorded of its files that they could be compared with".to_owned(),
            some => format!("{some} files agree with the sums that their store keeps"),
        };
        Found {
            files: tally.files,
            bytes: tally.bytes,
            kept: tally.kept,
            sha256: None,
            compared: tally.compared > 0,
            checked,
        }
    } else {
        let pin = subject.pinned(store).await?;
        let part = part_name(&subject.store, &subject.path, &pin, &place.shown);
        let had = place.folder.symlink_metadata(&part).map_or(0, |meta| meta.len());
        if pin.size.saturating_sub(had) > free {
            return Err(folder::no_room(&place.shown, pin.size.saturating_sub(had), free).into());
        }
        let (recorded, silent) = subject.sums(store, &pin).await?;
        let object = Object { path: &subject.path, pin: &pin, recorded, before: 0, total: pin.size };
        let Place { folder, name, shown, .. } = &place;
        let target = Target { folder: Arc::clone(folder), name: name.clone(), part, shown: shown.clone() };
        let landed = land(cx, store, object, &target).await?;
        let Landed { sha256, compared, mut checked, kept } = landed;
        if let Some(why) = silent {
            checked.push_str(&format!("; the store's own sums could not be asked: {why}"));
        }
        Found { files: 1, bytes: pin.size, kept, sha256, compared, checked }
    };
    if found.kept > 0 {
        cx.feed.line(format!("{} of it had come in an earlier attempt", ByteCount(found.kept)));
    }
    Ok(output(&subject, &place.path, &found))
}

/// Where it goes.
struct Place {
    /// The folder that it will lie in, opened, and its path.
    folder: Arc<Dir>,
    above: PathBuf,
    name: String,
    path: PathBuf,
    /// `path` for people; escaped.
    shown: String,
}

impl Place {
    fn of(to: &Path, into: bool, subject: &Subject) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::new(format!("nothing can be fetched to {}: {why}", escaped(&to.to_string_lossy())))
                .means("nothing was read")
                .next("name a new file or folder, or a folder that it is to lie in")
        };
        if !to.is_absolute() || to.components().any(|part| part == std::path::Component::ParentDir) {
            return Err(refused("it is not an absolute path without `..`"));
        }
        let path = if into { to.join(own_name(subject)?) } else { to.to_owned() };
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let (Some(above), Some(name)) = (path.parent().map(Path::to_owned), name) else {
            return Err(refused("it has no name that is text"));
        };
        let folder = Dir::open_ambient_dir(&above, ambient_authority())
            .map_err(|error| refused(&format!("its folder cannot be opened: {error}")))?;
        let shown = escaped(&path.to_string_lossy()).into_owned();
        Ok(Self { folder: Arc::new(folder), above, name, path, shown })
    }

    fn must_be_free(&self) -> Result<(), Failure> {
        if self.folder.symlink_metadata(&self.name).is_ok() { Err(taken(&self.shown)) } else { Ok(()) }
    }
}

/// The name that the copy has in its store.
fn own_name(subject: &Subject) -> Result<&str, Failure> {
    let last = subject.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = if last.is_empty() { subject.asset.as_str() } else { last };
    let plain = name != "." && name != ".." && !name.chars().any(char::is_control) && name.len() <= 255;
    if plain {
        return Ok(name);
    }
    Err(Failure::new(format!("`{}` is no name for a file", escaped(name)))
        .means("nothing was read")
        .next("name the new file yourself: --to FOLDER/NAME"))
}
