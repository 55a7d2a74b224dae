//! `pg.unpack-base`: a base backup as a new data folder beside the live one, held to its manifest on the way.

use super::repack::Repack;
use super::side::{SIDE, Side};
use crate::catalog::sniff;
use crate::model::content::{Content, Form};
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::proof::manifest::{LONGEST, Manifest};
use crate::stores::ObjectMeta;
use crate::tasks::context::TaskContext;
use crate::tasks::files::members::{Limits, Seen, list, walk};
use crate::tasks::host::Command;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::outlet::{CUT, Outlet, pipe};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use crate::tasks::progress::telling;
use crate::tasks::reach::{Makes, Reach};
use crate::tasks::source::{Source, store_failure};
use futures::TryStreamExt;
use serde::Deserialize;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub struct UnpackBase;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.unpack-base",
    summary: "Unpack a base backup into a new data folder beside the live one",
    effect: Effect::Costly,
    inputs: &[
        SERVER,
        SIDE,
        CLUSTER,
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
    ],
    outputs: &["side", "files", "bytes"],
    idempotent: true,
    undo: "pg.side-clear removes the new folder, which this run made",
    programs: &["ssh", "tar", "pg_controldata"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    side: String,
    system_identifier: String,
    source: Source,
}

/// The step has its own limit.
const UNPACKING: Duration = Duration::from_hours(72);
const LIMITS: Limits = Limits { members: 5_000_000, bytes: u64::MAX / 2, strip: 0, inside: std::path::PathBuf::new() };
const DONE: &str = "unpacked";

#[async_trait::async_trait]
impl Module for UnpackBase {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["side"] })
    }

    fn makes(&self) -> Option<Makes> {
        Some(Makes { what: "folder", named_by: "side", remove: "pg.side-clear", probe: "pg.side-gone" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(unpack(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::of(cx, &input.server, &input.side)?;
            let done = if side.is_mine().await? { side.noted(DONE).await? } else { None };
            Ok::<_, Stop>((done, input))
        };
        match looking.await {
            Ok((Some(counts), input)) => Reality::Done(output(&input, &counts)),
            Ok((None, _)) => Reality::NotDone("the folder is not complete; a new attempt removes it first".to_owned()),
            Err(stop) => stop.into(),
        }
    }
}

fn output(input: &Input, counts: &str) -> Values {
    let (files, bytes) = counts.split_once(' ').unwrap_or_default();
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    values(json!({ "side": input.side, "files": number(files), "bytes": number(bytes) }))
}

async fn unpack(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let side = Side::of(cx, &input.server, &input.side)?;
    // What an earlier attempt of this run left; anything else is refused.
    side.clear().await?;
    side.claim().await?;
    side.live.must("making the new data folder", &["mkdir", "-m", "0700", "--", &side.path]).await?;
    let (outlet, feed) = pipe();
    let tar = ["tar", "-x", "-p", "--no-same-owner", "-f", "-", "-C", &side.path];
    let unpacking = side.live.run(Command::new(tar).feed(feed).within(UNPACKING));
    let seen = Seen::default();
    let look = || Progress {
        done: seen.bytes.load(Ordering::Relaxed),
        total: Some(input.source.size_bytes),
        unit: Unit::Bytes,
        note: format!("{} files", seen.members.load(Ordering::Relaxed)),
    };
    let repacking = telling(cx, look, repack(cx, &input.source, &seen, outlet));
    let (repacked, unpacked) = tokio::join!(repacking, unpacking);
    let (files, bytes) = match (repacked, unpacked) {
        (Err(stop), _) if stop.what() != CUT => return Err(stop),
        (repacked, unpacked) => {
            unpacked?.success("unpacking", side.live.host).map_err(|failure| {
                failure.means("the new folder is not complete and is not used; the live one was not touched")
            })?;
            repacked?
        }
    };
    let control = side.home().control().await?;
    if control.system_identifier != input.system_identifier {
        return Err(Failure::new(format!(
            "the base backup is of cluster {}, the log of {}",
            control.system_identifier, input.system_identifier
        ))
        .means("no server can roll the one forward with the other; the live cluster was not touched")
        .next("find out which cluster this backup and this archive belong to, and make a new plan")
        .into());
    }
    cx.feed.line(format!("{files} files, {}", ByteCount(bytes)));
    let counts = format!("{files} {bytes}");
    side.note(DONE, &counts).await?;
    Ok(output(&input, &counts))
}

async fn repack(cx: &TaskContext, source: &Source, seen: &Seen, outlet: Outlet) -> Result<(u64, u64), Stop> {
    let objects = list(cx, source, &LIMITS).await?;
    let rest = |meta: &ObjectMeta| meta.name.strip_prefix(&source.path).unwrap_or(&meta.name).to_owned();
    let manifest = match objects.iter().find(|meta| rest(meta) == "backup_manifest") {
        Some(meta) => Some(manifest(cx, source, meta).await?),
        None => None,
    };
    if manifest.is_none() {
        cx.feed.line("the backup has no manifest: its files are read to their end, and not compared with a list");
    }
    let mut repack = Repack::new(outlet, manifest);
    // On a thread of its own: what it writes is taken up by another program.
    let began = tokio::task::spawn_blocking(move || repack.begin().map(|()| repack)).await;
    let mut repack = began.map_err(|error| Failure::new(format!("the unpacking thread broke: {error}")))??;
    let archives: Vec<&ObjectMeta> = objects.iter().filter(|meta| is_archive(&rest(meta))).collect();
    if archives.is_empty() {
        repack = walk(cx, source, LIMITS, seen, repack).await?;
    }
    for meta in archives {
        let name = rest(meta);
        repack.below = match name.split_once(".tar").map(|(name, _)| name) {
            Some("base") => "",
            Some("pg_wal") => "pg_wal/",
            _ => {
                return Err(Failure::new(format!("`{}` is a tablespace outside the data folder", escaped(&name)))
                    .means("where it would have to lie beside the live one is not known; nothing live was touched")
                    .next("recover this cluster by hand, or choose a backup without tablespaces")
                    .into());
            }
        };
        let part = member_source(cx, source, meta).await?;
        let own = Seen { members: seen.members.clone(), ..Seen::default() };
        repack = walk(cx, &part, LIMITS, &own, repack).await?;
        seen.bytes.fetch_add(meta.size, Ordering::Relaxed);
    }
    let finished = tokio::task::spawn_blocking(move || repack.finish()).await;
    Ok(finished.map_err(|error| Failure::new(format!("the unpacking thread broke: {error}")))??)
}

fn is_archive(name: &str) -> bool {
    !name.contains('/')
        && name.split_once(".tar").is_some_and(|(stem, _)| {
            matches!(stem, "base" | "pg_wal") || (!stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

async fn manifest(cx: &TaskContext, source: &Source, meta: &ObjectMeta) -> Result<Manifest, Stop> {
    if meta.size > LONGEST {
        return Err(Failure::new(format!("the backup's manifest has {}", ByteCount(meta.size))).into());
    }
    let read = async {
        let stream = source.store(cx)?.read(&meta.name, 0, Some(&meta.pin())).await.map_err(|e| store_failure(&e))?;
        let chunks: Vec<bytes::Bytes> = stream.try_collect().await.map_err(|error| store_failure(&error))?;
        Ok::<_, Failure>(chunks.concat())
    };
    let bytes = read.await?;
    Manifest::of_base_backup(&bytes).map_err(|fault| {
        Failure::new(fault.to_string())
            .means("whether the backup is whole cannot be told; nothing was unpacked")
            .next("choose another copy or an older base backup")
            .into()
    })
}

/// One archive of the backup as a source of its own, with what its first bytes say that it is.
async fn member_source(cx: &TaskContext, source: &Source, meta: &ObjectMeta) -> Result<Source, Stop> {
    let pin = meta.pin();
    let head = source.store(cx)?.read_range(&meta.name, 0..meta.size.min(sniff::HEAD as u64), Some(&pin)).await;
    let content = sniff::sniff(&head.map_err(|error| store_failure(&error))?);
    // The head of a compressed archive is too short to show what is inside.
    let content = if content.form == Form::Unknown { Content { form: Form::Tar, ..content } } else { content };
    Ok(Source {
        path: meta.name.clone(),
        size_bytes: meta.size,
        objects: 1,
        pin: Some(pin),
        sha256: None,
        content,
        ..source.clone()
    })
}
