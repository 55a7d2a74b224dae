//! `pg.restore`: loads a dump into the side database that this run made.
//!
//! The database is marked as restored only after the whole of the backup was read, its checksum held and
//! the load was committed; without that mark it is as good as empty, and a new attempt empties it first.

mod build;
mod crew;
mod empty;
mod order;
mod parallel;
mod parts;
mod psql;
mod settings;
mod text;
mod whole;

use super::connect::{self, Session};
use super::database::{self, Database};
use super::inventory;
use super::names::{Mark, MarkState};
use super::script::{Inventory, Scanner, Without};
use super::target::{CLUSTER, SERVER, Target};
use crate::model::estate::Server;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::{Cancel, TaskContext};
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use crate::tasks::source::Source;
use bytes::Bytes;
use crew::Crew;
use futures::StreamExt;
use psql::Psql;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use text::Text;

pub struct Restore;

const MOST_JOBS: usize = 8;
/// Below this many stored bytes several sessions gain nothing over one transaction; nobody gets them unasked.
const SMALL: u64 = 1_000_000;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.restore",
    summary: "Load a dump into the database beside the live one",
    effect: Effect::Costly,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Database that this run made" },
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
        InputSpec {
            name: "jobs",
            kind: InputKind::Integer,
            required: false,
            help: "Sessions that load side by side; default: processors, at most 8; 1 loads in one transaction",
        },
        InputSpec {
            name: "without_owners",
            kind: InputKind::Flag,
            required: false,
            help: "Leave owners to the restoring user",
        },
        InputSpec { name: "without_privileges", kind: InputKind::Flag, required: false, help: "Leave grants out" },
    ],
    outputs: &["database", "sha256", "bytes", "tables", "rows", "jobs"],
    idempotent: true,
    undo: "pg.drop-side removes the database with everything in it",
    programs: &["psql", "pg_restore"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(flatten)]
    target: Target,
    side: String,
    source: Source,
    #[serde(default)]
    jobs: Option<u32>,
    #[serde(default)]
    without_owners: Option<bool>,
    #[serde(default)]
    without_privileges: Option<bool>,
}

impl Input {
    fn without(&self) -> Without {
        Without { owners: self.without_owners.unwrap_or(false), privileges: self.without_privileges.unwrap_or(false) }
    }
}

/// What a loader brings back.
struct Loaded {
    /// SHA-256 of the stored bytes.
    sha256: String,
    bytes: u64,
    inventory: Inventory,
    jobs: u32,
}

#[async_trait::async_trait]
impl Module for Restore {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(restore(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        look(cx, input).await.unwrap_or_else(Reality::from)
    }
}

async fn restore(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (session, server) = input.target.open(cx).await?;
    let side = empty::found(cx, &session, server, &input.side).await?;
    let side = match empty::emptied(cx, &session, server, side.clone()).await {
        Ok(side) => side,
        Err(stop) => return Err(stopped(cx, &input, &side, stop).await),
    };
    drop(session);
    let loaded = match load(cx, server, &input).await {
        Ok(loaded) => loaded,
        Err(stop) => return Err(stopped(cx, &input, &side, stop).await),
    };
    if let Some(expected) =
        input.source.sha256.as_ref().filter(|expected| !expected.eq_ignore_ascii_case(&loaded.sha256))
    {
        return Err(Failure::new(format!("the backup's bytes have SHA-256 {}, not {expected}", loaded.sha256))
            .means("the copy is not the one that was proven; the side database was filled but is not used")
            .next("choose another copy or an older backup, and make a new plan")
            .into());
    }
    finish(cx, server, &input, loaded).await
}

async fn load(cx: &TaskContext, server: &Server, input: &Input) -> Result<Loaded, Stop> {
    let small = input.source.size_bytes < SMALL;
    let jobs = input.jobs.filter(|jobs| *jobs > 0).unwrap_or_else(|| if small { 1 } else { default_jobs() });
    let ((text, of_dump), psql, ready) = tokio::try_join!(
        begun(cx, server, input, jobs),
        Psql::find(cx, server, input),
        ready(cx, server, input, jobs)
    )?;
    let meter = text.meter.clone();
    let (inventory, jobs) = match of_dump.zip(ready) {
        Some((of_dump, (session, quicker))) => {
            let settings = of_dump + &quicker;
            let crew = Crew::new(cx, (server, &input.side), &settings, jobs as usize, session);
            (Box::pin(parallel::load(cx, input, (text, psql), crew)).await?, jobs)
        }
        None => (whole::load(cx, input, text, psql).await?, 1),
    };
    Ok(Loaded { sha256: meter.sha256(), bytes: meter.bytes(), inventory, jobs })
}

/// The text, and the settings at its beginning where several sessions may load it.
async fn begun<'a>(
    cx: &'a TaskContext,
    server: &Server,
    input: &Input,
    jobs: u32,
) -> Result<(Text<'a>, Option<String>), Stop> {
    let mut text = text::open(cx, server, input).await?;
    let settings = if jobs == 1 { None } else { beginning(cx, &mut text).await? };
    Ok((text, settings))
}

/// The first of several sessions, and what makes each of them quicker.
async fn ready(cx: &TaskContext, server: &Server, input: &Input, jobs: u32) -> Result<Option<(Session, String)>, Stop> {
    if jobs == 1 {
        return Ok(None);
    }
    let session = Session::open(cx, server, &input.side).await?;
    let quicker = settings::quicker(&session, jobs as usize).await?;
    Ok(Some((session, quicker)))
}

fn default_jobs() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MOST_JOBS) as u32)
}

/// The settings at the beginning of a dump, which stays in the text.
async fn beginning(cx: &TaskContext, text: &mut Text<'_>) -> Result<Option<String>, Stop> {
    let mut head = Vec::new();
    let reading = async {
        while !settings::is_enough(&head) {
            match text.feed.next().await {
                Some(bytes) => head.extend_from_slice(&bytes?),
                None => break,
            }
        }
        Ok::<_, Failure>(())
    };
    tokio::select! {
        done = reading => done?,
        stop = &mut text.making => return Err(stop),
        reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
    }
    let settings = settings::of(&head);
    let rest = std::mem::replace(&mut text.feed, futures::stream::empty().boxed());
    text.feed = futures::stream::once(futures::future::ready(Ok(Bytes::from(head)))).chain(rest).boxed();
    Ok(settings)
}

/// Why a dump that was read to its end is none.
fn unfinished(scanner: &Scanner) -> Option<Failure> {
    (scanner.inventory.header && !scanner.inventory.finished).then(|| {
        Failure::new(format!("the dump ends at line {} without its end marker", scanner.line_number()))
            .means("the dump was cut off when it was made or copied; the side database will not be used")
            .next("choose another copy or an older backup")
    })
}

/// Statistics, the mark, and the inventory for the validation that follows.
async fn finish(cx: &TaskContext, server: &Server, input: &Input, loaded: Loaded) -> Result<Values, Stop> {
    let about_itself = loaded.inventory.about_itself;
    if about_itself > 0 {
        let line =
            "statements about the database itself were left out: this run makes it, and the swap keeps its settings";
        cx.feed.line(format!("{about_itself} {line}"));
    }
    if loaded.jobs == 1 {
        analyse(cx, server, input).await?;
    }
    inventory::keep(cx, &input.source, &loaded.inventory)?;
    let (session, _) = input.target.open(cx).await?;
    let mark = Mark { run: cx.owner.run.clone(), state: MarkState::Restored(loaded.sha256.clone()) };
    database::mark(&session, &input.side, &mark).await?;
    Ok(values(json!({
        "database": input.side,
        "sha256": loaded.sha256,
        "bytes": loaded.bytes,
        "tables": loaded.inventory.tables.len(),
        "rows": loaded.inventory.rows(),
        "jobs": loaded.jobs,
    })))
}

/// Without statistics the first hours of a restored database are its slowest. Several sessions gather them as they go.
async fn analyse(cx: &TaskContext, server: &Server, input: &Input) -> Result<(), Stop> {
    let inside = Session::open(cx, server, &input.side).await?;
    inside.rows("gathering statistics", "ANALYZE", &[]).await.map(drop)
}

/// After a stop, ends what still works on the side database, with a context that is not cancelled.
async fn stopped(cx: &TaskContext, input: &Input, side: &Database, stop: Stop) -> Stop {
    let calm = TaskContext { cancel: Cancel::default(), ..cx.clone() };
    let ending = async {
        let (session, _) = input.target.open(&calm).await?;
        database::end_orphans(&session, side.oid, &cx.owner.run, Duration::from_secs(10)).await
    };
    match ending.await {
        Ok(_) => stop,
        Err(problem) => stop.evidence(format!("afterwards: {}", problem.what())),
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Reality, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.target.server)?;
    let (session, _) = input.target.open(cx).await?;
    let Some(side) = database::find(&session, &input.side).await? else {
        if empty::is_between(cx, &input.side) {
            return Ok(Reality::NotDone("it was removed to be made anew; a new attempt makes it".to_owned()));
        }
        return Ok(Reality::Partial(format!("database `{}` is not there any more", input.side)));
    };
    let state = match side.mark() {
        Some(mark) if mark.run == cx.owner.run => mark.state,
        None if empty::is_unmarked(cx, server, &side).await? => {
            return Ok(Reality::NotDone("it was made anew, and is empty; a new attempt fills it".to_owned()));
        }
        _ => {
            return Ok(Reality::Unknown(
                Failure::new(format!("database `{}` does not carry this run's mark", side.name))
                    .means("someone replaced it")
                    .next("find out whose it is before going on"),
            ));
        }
    };
    if let MarkState::Restored(sha256) | MarkState::Aside(sha256) = state {
        return Ok(Reality::Done(values(
            json!({ "database": side.name, "sha256": sha256, "bytes": input.source.size_bytes }),
        )));
    }
    let ended = database::end_orphans(&session, side.oid, &cx.owner.run, Duration::from_secs(30)).await?;
    let filled = if empty::is_pristine(cx, server, &side).await? { "empty" } else { "partly filled" };
    Ok(Reality::NotDone(format!(
        "`{}` is {filled} and carries no mark of completion; {ended} sessions of the earlier attempt were ended; a new attempt starts from an empty database",
        escaped(&side.name)
    )))
}
