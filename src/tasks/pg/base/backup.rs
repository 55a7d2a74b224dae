//! `pg.base-backup`: the whole cluster by its files in the run's folder, made by `pg_basebackup` and read back.

use super::whole::{Whole, read_back};
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::artefact;
use crate::tasks::bundle::{self, Bundle, Member};
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::connect::Session;
use crate::tasks::pg::target::{CLUSTER, SERVER, Target};
use crate::tasks::pg::tools;
use crate::tasks::process::{self, Output};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct BaseBackup;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.base-backup",
    summary: "Copy the whole cluster by its files into the run's folder with pg_basebackup, and read the copy back",
    effect: Effect::Costly,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Database that the asset means" },
        InputSpec {
            name: "file",
            kind: InputKind::Text,
            required: true,
            help: "Name of the new folder in the run's folder, and label of the backup",
        },
    ],
    outputs: &["bytes", "files", "stored_bytes", "timeline", "start_lsn", "stop_lsn", "stop_time"],
    idempotent: true,
    undo: "backup.discard removes the folder from the run's folder",
    programs: &["pg_basebackup"],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    database: String,
    file: String,
}

const FLAGS: [&str; 7] = [
    "--format=tar",
    "--gzip",
    "--wal-method=stream",
    "--checkpoint=fast",
    "--progress",
    "--manifest-checksums=SHA256",
    "--label",
];
const METADATA: &str = "metadata.json";

#[async_trait::async_trait]
impl Module for BaseBackup {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(back_up(cx, input).await)
    }

    /// The note of a finished folder is written when everything was read back; without it nothing counts.
    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = || {
            let input: Input = read(input)?;
            Ok::<_, Failure>(Bundle::of(cx, &input.file))
        };
        match look() {
            Ok(Ok((_, made))) => Reality::Done(made.output),
            Ok(Err(why)) => Reality::NotDone(why.what),
            Err(failure) => Reality::Unknown(failure),
        }
    }
}

async fn back_up(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let path = artefact::path(cx, &input.file)?;
    let segment_bytes = room(cx, &input).await?;
    let part = bundle::fresh(cx, &input.file)?;
    match make(cx, &input, &part, &path, segment_bytes).await {
        Ok(made) => Ok(made.output),
        Err(stop) => {
            // Half a copy helps nobody, and takes the room that a retry needs.
            let _ = bundle::remove(cx, &input.file);
            Err(stop)
        }
    }
}

/// A compressed copy is smaller than the cluster: room for that is enough. The size of a log segment.
async fn room(cx: &TaskContext, input: &Input) -> Result<u64, Stop> {
    let (session, _) = input.target.open(cx).await?;
    let sql = "SELECT coalesce(sum(CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END), 0)::bigint, \
               pg_size_bytes(current_setting('wal_segment_size')) FROM pg_database";
    let row = session.row("reading the cluster's size", sql, &[]).await?;
    let (need, segment) = (row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs());
    let free = free_bytes(&cx.work_dir).map_err(|error| {
        Stop::Unknown(Failure::new(format!("the free space of the run's folder cannot be read: {error}")))
    })?;
    if free < need {
        return Err(Failure::new(format!(
            "the run's folder has {} free, the cluster has {}",
            ByteCount(free),
            ByteCount(need)
        ))
        .means("the base backup might fill the disk; nothing was done")
        .next("make room where Relight keeps its state, or move it with --state, then retry")
        .into());
    }
    Ok(segment)
}

async fn make(cx: &TaskContext, input: &Input, part: &Path, path: &Path, segment: u64) -> Result<Bundle, Stop> {
    take(cx, input, part).await?;
    let mut whole = read_back(cx, part, segment).await?;
    let about = about(cx, input, &whole, segment).await?;
    whole.members.push(described(part, &about)?);
    let stored: u64 = whole.members.iter().map(|member| member.bytes).sum();
    let (files, bytes) = (whole.files, whole.bytes);
    cx.feed.line(format!(
        "{files} files, {}, packed to {}; log {} to {} on timeline {}",
        ByteCount(bytes),
        ByteCount(stored),
        whole.start,
        whole.stop,
        whole.timeline
    ));
    let output = values(json!({
        "bytes": bytes, "files": files, "stored_bytes": stored, "timeline": whole.timeline,
        "start_lsn": whole.start.to_string(), "stop_lsn": whole.stop.to_string(), "stop_time": about["stop_time"],
    }));
    Ok(Bundle::finish(part, path, whole.members, output)?)
}

async fn take(cx: &TaskContext, input: &Input, part: &Path) -> Result<(), Stop> {
    let server = crate::tasks::pg::connect::server(cx, &input.target.server)?;
    let program = tools::client(cx, server, tools::find(server, "pg_basebackup")?, &server.maintenance_db)?
        .args(FLAGS)
        .arg(&input.file)
        .arg("--pgdata")
        .arg(part);
    let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let look = || Progress {
        done: done.load(Ordering::Relaxed),
        total: Some(total.load(Ordering::Relaxed)).filter(|total| *total > 0),
        unit: Unit::Bytes,
        note: "copying the cluster's files".to_owned(),
    };
    let mut errors = Vec::new();
    let mut listen = |line: &str| {
        if let Some((now, all)) = counted(line) {
            done.store(now, Ordering::Relaxed);
            total.store(all, Ordering::Relaxed);
            return false;
        }
        if ["error:", "ERROR:", "FATAL:", "PANIC:"].iter().any(|word| line.contains(word)) && errors.len() < 20 {
            errors.push(escaped(line).into_owned());
        }
        true
    };
    let running = process::run_listening(program, None, Output::Lines, &mut listen, cx);
    let ended = telling(cx, look, running).await?;
    let meaning = "the cluster could not be copied as a whole; no backup was made, and what was copied is removed";
    ended.success().map_err(|failure| failure.means(meaning).next("see what it says, mend that, and retry"))?;
    if !errors.is_empty() {
        let failure = Failure::new("`pg_basebackup` ended well and reported trouble all the same").means(meaning);
        return Err(errors.into_iter().fold(failure, Failure::evidence).into());
    }
    Ok(())
}

/// Bytes done and in all, of a line such as `  32063/32063 kB (100%), 1/1 tablespace`.
fn counted(line: &str) -> Option<(u64, u64)> {
    let (done, rest) = line.trim_start().split_once('/')?;
    let (total, _) = rest.split_once(" kB (")?;
    Some((done.parse::<u64>().ok()? * 1024, total.parse::<u64>().ok()? * 1024))
}

/// What later looks want to know without the server: whose it is, where it lies in the log, when it ended.
async fn about(cx: &TaskContext, input: &Input, whole: &Whole, segment: u64) -> Result<Value, Stop> {
    let (session, _) = input.target.open(cx).await?;
    let row = session
        .row("reading the server's version", "SELECT split_part(current_setting('server_version'), ' ', 1)", &[])
        .await?;
    let stored: u64 = whole.members.iter().map(|member| member.bytes).sum();
    Ok(json!({
        "backup_type": "full",
        "name": input.file,
        "database": input.database,
        "size_bytes": stored,
        "server_version": row.get::<_, String>(0),
        "system_identifier": input.target.system_identifier,
        "start_timeline": whole.timeline,
        "start_lsn": whole.start.to_string(),
        "stop_lsn": whole.stop.to_string(),
        "stop_time": ended(&session, whole, segment).await?.to_rfc3339(),
        "made_by": format!("relight {}", env!("CARGO_PKG_VERSION")),
    }))
}

/// When the server ended the backup: it writes a history file in that second. Where that may not be seen, now, which is later.
async fn ended(session: &Session, whole: &Whole, segment: u64) -> Result<DateTime<Utc>, Stop> {
    let offset = whole.start.0 % segment;
    let sql = "SELECT modification FROM pg_ls_waldir() WHERE name LIKE $1";
    let pattern = format!("{:08X}%.{offset:08X}.backup", whole.timeline);
    match session
        .rows("looking for the end of the backup", &format!("{sql} ORDER BY 1 DESC LIMIT 1"), &[&pattern])
        .await
    {
        Ok(rows) if !rows.is_empty() => return Ok(rows[0].get(0)),
        // The right to look into that folder is not everyone's.
        Ok(_) | Err(Stop::Failed(_)) => {}
        Err(stop) => return Err(stop),
    }
    let row = session.row("reading the server's clock", "SELECT clock_timestamp()", &[]).await?;
    Ok(row.get(0))
}

fn described(part: &Path, about: &Value) -> Result<Member, Failure> {
    let failed = |error: &std::io::Error| artefact::disk(error);
    let text = serde_json::to_vec_pretty(about).map_err(|error| Failure::new(error.to_string()))?;
    let file = part.join(METADATA);
    std::fs::write(&file, &text)
        .and_then(|()| std::fs::File::open(&file)?.sync_all())
        .map_err(|error| failed(&error))?;
    let (bytes, sha256) = (text.len() as u64, hex::encode(Sha256::digest(&text)));
    Ok(Member { name: METADATA.to_owned(), bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_tells_how_far_it_is() {
        assert_eq!(counted("  32063/64126 kB (50%), 0/1 tablespace"), Some((32063 * 1024, 64126 * 1024)));
        assert_eq!(counted("pg_basebackup: error: could not write to file \"/x/base.tar.gz\""), None);
        assert_eq!(counted("waiting for checkpoint"), None);
    }
}
