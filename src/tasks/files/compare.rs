//! `files.compare`: a folder against the backup, byte by byte, both ways.

use super::folder::{Note, Place, Tally, failed, tally};
use super::members::{Kind, Limits, Member, Seen, Visitor, content_failure, walk};
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::progress::telling;
use crate::tasks::restored;
use crate::tasks::source::Source;
use cap_std::fs::{Dir, MetadataExt};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

pub struct Compare;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.compare",
    summary: "Compare a folder with the backup: members, bytes, content, modes, times",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "folder", kind: InputKind::Text, required: true, help: "Absolute path of the folder" },
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
        InputSpec { name: "strip", kind: InputKind::Integer, required: false, help: "As for files.extract" },
        InputSpec { name: "inside", kind: InputKind::Text, required: false, help: "As for files.extract" },
        InputSpec {
            name: "min_files",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable files; default 1",
        },
    ],
    outputs: &["files", "folders", "links", "bytes"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

const SHOWN: usize = 40;
/// Bits that unpacking leaves out of files unless told otherwise.
const SPECIAL: u32 = 0o6000;

#[derive(Deserialize)]
struct Input {
    folder: PathBuf,
    source: Source,
    #[serde(default)]
    strip: Option<u32>,
    #[serde(default)]
    inside: Option<PathBuf>,
    #[serde(default)]
    min_files: Option<u64>,
}

#[async_trait::async_trait]
impl Module for Compare {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(compare(cx, input).await)
    }
}

async fn compare(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (place, [name]) = Place::open([&input.folder])?;
    let root = place.dir.open_dir(&name).map_err(|error| {
        failed(&format!("opening {}", place.show(&name)), &error).means("there is nothing to compare")
    })?;
    let limits = Limits {
        members: u64::MAX,
        bytes: u64::MAX,
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
    let comparer = Comparer {
        root: root.try_clone().map_err(|error| failed("opening the folder", &error))?,
        expected: Tally::default(),
        folders: BTreeSet::new(),
        problems: Vec::new(),
        count: 0,
        buffers: (vec![0; 1 << 17], vec![0; 1 << 17]),
    };
    let mut comparer = telling(cx, look, walk(cx, &input.source, limits, &seen, comparer)).await?;
    let cancel = cx.cancel.clone();
    let counted = tokio::task::spawn_blocking(move || tally(&root, &|| cancel.reason().is_some())).await;
    if let Some(reason) = cx.cancel.reason() {
        return Err(Stop::Cancelled(reason));
    }
    let (found, _) = counted
        .map_err(|error| Failure::new(format!("counting broke: {error}")))?
        .map_err(|error| failed("counting the folder", &error))?;
    comparer.expected.folders = comparer.folders.len() as u64;
    if found != comparer.expected {
        let (has, wants) = (words(&found), words(&comparer.expected));
        comparer.problem(format!("the folder has {has}; the backup {wants}"));
    }
    if found.files < input.min_files.unwrap_or(1) {
        comparer.problem(format!("{} files are fewer than believable", found.files));
    }
    comparer.verdict()?;
    // Only the folder that this run unpacked shows that the backup can be restored.
    if Note::read(cx, &input.folder).is_some_and(|note| note.complete.is_some()) {
        restored::record(cx, &input.source, None, &format!("unpacked and compared: {}", words(&found)))?;
    }
    Ok(values(json!({ "files": found.files, "folders": found.folders, "links": found.links, "bytes": found.bytes })))
}

fn words(tally: &Tally) -> String {
    format!("{} files, {} folders, {} links, {} bytes", tally.files, tally.folders, tally.links, tally.bytes)
}

struct Comparer {
    root: Dir,
    expected: Tally,
    folders: BTreeSet<PathBuf>,
    problems: Vec<String>,
    count: u64,
    buffers: (Vec<u8>, Vec<u8>),
}

impl Comparer {
    fn problem(&mut self, what: String) {
        self.count += 1;
        if self.problems.len() < SHOWN {
            self.problems.push(what);
        }
    }

    fn verdict(self) -> Result<(), Failure> {
        if self.count == 0 {
            return Ok(());
        }
        let mut failure = Failure::new(format!("the folder differs from the backup in {} points", self.count))
            .means("it is not a faithful copy")
            .next("retry the step before, or choose another backup");
        let shown = self.problems.len() as u64;
        for problem in self.problems {
            failure = failure.evidence(problem);
        }
        if self.count > shown {
            failure = failure.evidence(format!("and {} more", self.count - shown));
        }
        Err(failure)
    }

    fn expect_parents(&mut self, path: &Path) {
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            if !self.folders.insert(above.to_owned()) {
                break;
            }
        }
    }

    fn check(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        let shown = escaped(&member.path.to_string_lossy()).into_owned();
        let here = if member.path.as_os_str().is_empty() {
            self.root.dir_metadata()
        } else {
            self.root.symlink_metadata(&member.path)
        };
        let Ok(here) = here else {
            self.problem(format!("{shown} is missing"));
            return Ok(());
        };
        let right_kind = match member.kind {
            Kind::Folder => here.is_dir(),
            Kind::File | Kind::Hard(_) => here.is_file(),
            Kind::Link(_) => here.is_symlink(),
        };
        if !right_kind {
            self.problem(format!("{shown} is something else"));
            return Ok(());
        }
        let bits = if here.is_file() { !SPECIAL & 0o7777 } else { 0o7777 };
        if let Some(mode) = member.mode.filter(|_| !here.is_symlink())
            && mode & bits != here.mode() & bits
        {
            self.problem(format!("{shown} has mode {:o}, recorded {mode:o}", here.mode() & 0o7777));
        }
        if let Some(mtime) =
            member.mtime.filter(|mtime| *mtime != here.mtime() && !matches!(member.kind, Kind::Hard(_)))
        {
            self.problem(format!("{shown} was modified at {}, recorded {mtime}", here.mtime()));
        }
        match &member.kind {
            Kind::File => {
                self.expected.bytes += member.size;
                self.same_content(&member.path, &shown, content)?;
            }
            Kind::Hard(_) => self.expected.bytes += here.len(),
            Kind::Link(target) if self.root.read_link_contents(&member.path).ok().as_deref() != Some(target) => {
                self.problem(format!("{shown} leads elsewhere"));
            }
            _ => {}
        }
        Ok(())
    }

    fn same_content(&mut self, path: &Path, shown: &str, content: &mut dyn Read) -> Result<(), Failure> {
        let mut file = match self.root.open(path) {
            Ok(file) => file,
            Err(error) => {
                self.problem(format!("{shown} cannot be read: {error}"));
                return Ok(());
            }
        };
        loop {
            let count = content.read(&mut self.buffers.0).map_err(content_failure)?;
            if count == 0 {
                let rest =
                    file.read(&mut self.buffers.1[..1]).map_err(|error| failed(&format!("reading {shown}"), &error))?;
                if rest != 0 {
                    self.problem(format!("{shown} is longer than in the backup"));
                }
                return Ok(());
            }
            let same = file.read_exact(&mut self.buffers.1[..count]).is_ok()
                && self.buffers.0[..count] == self.buffers.1[..count];
            if !same {
                self.problem(format!("{shown} has other content"));
                return Ok(());
            }
        }
    }
}

impl Visitor for Comparer {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        self.expect_parents(&member.path);
        match member.kind {
            Kind::Folder if member.path.as_os_str().is_empty() => {}
            Kind::Folder => {
                self.folders.insert(member.path.clone());
            }
            Kind::Link(_) => self.expected.links += 1,
            Kind::File | Kind::Hard(_) => self.expected.files += 1,
        }
        self.check(member, content)?;
        // What was not compared is read past, so that a broken stream is noticed.
        std::io::copy(content, &mut std::io::sink()).map_err(content_failure)?;
        Ok(())
    }
}
