//! Custom-format dumps through `pg_restore`: parallel from a staged file, or straight from the store.

use super::{Input, Loaded};
use crate::model::estate::Server;
use crate::model::task::{Failure, Progress, Unit};
use crate::tasks::context::TaskContext;
use crate::tasks::decode;
use crate::tasks::input::Stop;
use crate::tasks::pg::{inventory, tools};
use crate::tasks::process::{self, Ended, Output, Program};
use crate::tasks::progress::telling;
use crate::tasks::staging::{self, Staged};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const MOST_JOBS: usize = 8;
/// Below this many stored bytes a parallel restore gains nothing over its extra copy.
const SMALL: u64 = 1_000_000;

pub(super) async fn load(cx: &TaskContext, server: &Server, input: &Input) -> Result<Loaded, Stop> {
    let pg_restore = tools::find(server, "pg_restore")?;
    let jobs = input.jobs.filter(|jobs| *jobs > 0).unwrap_or_else(default_jobs);
    let space = staging::room_for(cx, &input.source);
    if jobs == 1 || input.source.size_bytes < SMALL || !space {
        if !space {
            cx.feed.line("too little space for a local copy of the dump: restoring straight from the store, one job");
        }
        return straight(cx, server, input, &pg_restore).await;
    }
    let staged = staging::fetch(cx, &input.source, "restore.dump").await?;
    parallel(cx, server, input, &pg_restore, &staged, jobs).await
}

fn default_jobs() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST_JOBS) as u32)
}

fn program(cx: &TaskContext, server: &Server, input: &Input, pg_restore: &Path) -> Result<Program, Failure> {
    let mut program = tools::client(cx, server, pg_restore.to_owned(), &input.side)?.args([
        "--exit-on-error",
        "--verbose",
        "--format=custom",
    ]);
    if input.without().owners {
        program = program.arg("--no-owner");
    }
    if input.without().privileges {
        program = program.arg("--no-privileges");
    }
    Ok(program)
}

async fn straight(cx: &TaskContext, server: &Server, input: &Input, pg_restore: &Path) -> Result<Loaded, Stop> {
    let program = program(cx, server, input, pg_restore)?.arg("--single-transaction");
    let (stream, meter) = decode::open(cx, &input.source).await?;
    let total = input.source.size_bytes;
    let look =
        || Progress { done: meter.bytes(), total: Some(total), unit: Unit::Bytes, note: "from the store".to_owned() };
    let run = process::run(program, Some(process::Input { stream, whole: true }), Output::Lines, cx);
    explain(&telling(cx, look, run).await?)?;
    Ok(Loaded { sha256: meter.sha256(), bytes: meter.bytes(), inventory: None, jobs: 1 })
}

async fn parallel(
    cx: &TaskContext,
    server: &Server,
    input: &Input,
    pg_restore: &Path,
    staged: &Staged,
    jobs: u32,
) -> Result<Loaded, Stop> {
    let total = data_entries(cx, pg_restore, &staged.path).await?;
    let program = program(cx, server, input, pg_restore)?.arg(format!("--jobs={jobs}")).arg(&staged.path);
    let done = AtomicU64::new(0);
    let mut listen = |line: &str| {
        if line.contains("finished item") && line.contains("TABLE DATA") {
            done.fetch_add(1, Ordering::Relaxed);
        }
        true
    };
    let look = || Progress {
        done: done.load(Ordering::Relaxed),
        total: Some(total),
        unit: Unit::Tables,
        note: format!("{jobs} jobs"),
    };
    let run = process::run_listening(program, None, Output::Lines, &mut listen, cx);
    // What the dump holds is read meanwhile, from the same file: where one table takes longest, a processor is free.
    let (ended, found) = tokio::join!(telling(cx, look, run), inventory::of_custom_file(cx, pg_restore, &staged.path));
    explain(&ended?)?;
    Ok(Loaded { sha256: staged.sha256.clone(), bytes: staged.stored_bytes, inventory: Some(found?), jobs })
}

/// Tables with rows in the dump's table of contents.
async fn data_entries(cx: &TaskContext, pg_restore: &Path, dump: &Path) -> Result<u64, Stop> {
    let (mut count, mut line) = (0, Vec::new());
    let mut take = |chunk: &[u8]| {
        for &byte in chunk {
            if byte == b'\n' {
                count += u64::from(String::from_utf8_lossy(&line).contains(" TABLE DATA "));
                line.clear();
            } else if line.len() < 4096 {
                line.push(byte);
            }
        }
        Ok(())
    };
    let program = Program::new(pg_restore).arg("--list").arg(dump);
    explain(&process::run(program, None, Output::Chunks(&mut take), cx).await?)?;
    Ok(count)
}

fn explain(ended: &Ended) -> Result<(), Failure> {
    let Err(failure) = ended.success() else { return Ok(()) };
    let first = ended.stderr.iter().find(|line| line.contains("error:")).cloned();
    let mut told = Failure::new(match first {
        Some(line) => crate::model::text::escaped(&line).into_owned(),
        None => failure.what,
    });
    // The verbose lines before the error are in the live output; the last ones name the failing entry.
    let from = failure.evidence.len().saturating_sub(12);
    told.evidence = failure.evidence[from..].to_vec();
    Err(told
        .means("the side database is not whole and will not be used; the live database was not touched")
        .next("mend what the error names (missing role, extension, space), then retry; or choose another backup"))
}
