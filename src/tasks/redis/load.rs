//! `redis.load`: a snapshot becomes a data folder beside the live one, by a Redis that loads it; and
//! `redis.load-here`: the same on this machine, to try it.

use super::look::Info;
use super::note::{Held, Note};
use super::room;
use super::scratch::{Names, Side, folder_id};
use super::snapshot::read_along;
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::proof::forms::rdb::Snapshot;
use crate::tasks::context::TaskContext;
use crate::tasks::decode;
use crate::tasks::host::Command;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::reach::{Makes, Reach};
use crate::tasks::restored;
use crate::tasks::source::Source;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Load {
    here: bool,
}

impl Load {
    pub const BESIDE: Self = Self { here: false };
    pub const HERE: Self = Self { here: true };
}

const SOURCE: InputSpec =
    InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" };
const OUTPUTS: &[&str] = &["side", "keys", "expiring", "databases", "sha256", "version"];

static SPEC_HERE: ModuleSpec = ModuleSpec {
    name: "redis.load-here",
    summary: "Try a snapshot on this machine: a Redis of its own loads and counts it in a scratch folder",
    effect: Effect::Costly,
    inputs: &[super::SERVER, super::SIDE, SOURCE],
    outputs: OUTPUTS,
    idempotent: true,
    undo: "redis.remove-here removes the folder",
    programs: &["redis-server", "redis-cli", "setsid"],
};

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.load",
    summary: "Make a data folder beside the live one from a snapshot, loaded and counted by a Redis of its own",
    effect: Effect::Costly,
    inputs: &[
        super::SERVER,
        super::SIDE,
        InputSpec { name: "like", kind: InputKind::Text, required: true, help: "Folder whose owner and mode it takes" },
        InputSpec {
            name: "names",
            kind: InputKind::Table,
            required: true,
            help: "What the server calls its files: rdb_name, aof_name, aof_dir, databases",
        },
        SOURCE,
    ],
    outputs: OUTPUTS,
    idempotent: true,
    undo: "redis.remove-side removes the folder",
    programs: &["ssh", "redis-server", "redis-cli", "setsid", "setpriv"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    side: String,
    #[serde(default)]
    like: Option<String>,
    #[serde(default)]
    names: Names,
    source: Source,
}

/// The step has its own limit.
const COPYING: Duration = Duration::from_hours(24);

#[async_trait::async_trait]
impl Module for Load {
    fn spec(&self) -> &'static ModuleSpec {
        if self.here { &SPEC_HERE } else { &SPEC }
    }

    fn reach(&self) -> Option<Reach> {
        self.here.then_some(Reach::Folders { paths: &["side"] })
    }

    fn makes(&self) -> Option<Makes> {
        let (remove, probe) = ("redis.remove-here", "redis.here-gone");
        self.here.then_some(Makes { what: "folder", named_by: "side", remove, probe })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(load(cx, input, self.here).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::at(cx, self.here, &input.server, &input.side)?;
            let found = folder_id(&side.home(), &input.side).await?;
            let note = Note::read(cx, &input.side).filter(|note| note.owns(found.as_ref()));
            Ok::<_, Stop>(match note.and_then(|note| note.complete) {
                Some(held) => Reality::Done(output(&input, &held)),
                None => Reality::NotDone("it is not complete; what there is of it is cleared and made anew".to_owned()),
            })
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

fn output(input: &Input, held: &Held) -> Values {
    values(json!({
        "side": input.side,
        "keys": held.keys,
        "expiring": held.expiring,
        "databases": held.databases,
        "sha256": held.sha256,
        "version": held.version,
    }))
}

async fn load(cx: &TaskContext, input: &Values, here: bool) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let side = Side::at(cx, here, &input.server, &input.side)?;
    clear(cx, &side).await?;
    let mut note = make(cx, &side).await?;
    room::on_disk(&side, &input.source).await?;
    let rdb = side.file(&input.names.rdb_name);
    let (snapshot, sha256) = copy(cx, &side, &input.source, &rdb).await?;
    if expected(&snapshot).max(snapshot.keys) == 0 {
        return Err(Failure::new("the snapshot holds no keys")
            .means("restoring it would empty the live server; nothing of that was touched")
            .next("choose an older backup; to empty a server on purpose, do it by hand")
            .into());
    }
    room::in_memory(&side, &snapshot).await?;
    let as_owner = match &input.like {
        Some(like) => owned_like(&side, like).await?,
        None => Vec::new(),
    };
    let info = side.start(&input.names, &as_owner).await?;
    let loaded = compare(&snapshot, &info)?;
    cx.feed.line(format!("{} keys of {} are loaded", info.total().keys, expected(&snapshot)));
    side.write_log().await?;
    side.end().await?;
    let held = Held { sha256, version: info.get("redis_version").to_owned(), ..loaded };
    let detail = format!("a Redis {} loaded all {} keys of it", held.version, held.keys);
    restored::record(cx, &input.source, None, &detail)?;
    note.complete = Some(held.clone());
    note.write(cx)?;
    Ok(output(&input, &held))
}

/// Gives the folder the owner and mode of `like`; words that make a command run as that owner.
async fn owned_like(side: &Side<'_>, like: &str) -> Result<Vec<String>, Stop> {
    let home = side.home();
    home.must("giving the folder its owner", &["chown", "-R", "--reference", like, "--", side.folder()]).await?;
    home.must("giving the folder its mode", &["chmod", "--reference", like, "--", side.folder()]).await?;
    side.owner(like).await
}

/// Removes what an earlier attempt of this run left; anything else under this name is left alone.
async fn clear(cx: &TaskContext, side: &Side<'_>) -> Result<(), Stop> {
    let Some(found) = folder_id(&side.home(), side.folder()).await? else { return Ok(()) };
    super::remove_side::remove(cx, side, &found).await
}

async fn make(cx: &TaskContext, side: &Side<'_>) -> Result<Note, Stop> {
    let mut note = Note { side: side.folder().to_owned(), id: None, complete: None };
    note.write(cx)?;
    side.home().must("making the new data folder", &["mkdir", "-m", "700", "--", side.folder()]).await?;
    note.id = folder_id(&side.home(), side.folder()).await?;
    note.write(cx)?;
    Ok(note)
}

/// The plain snapshot on its host, read through on the way; what arrived is compared with what was sent.
async fn copy(cx: &TaskContext, side: &Side<'_>, source: &Source, to: &str) -> Result<(Snapshot, String), Stop> {
    let (feed, meter) = decode::open(cx, source).await?;
    let (feed, reading) = read_along(feed);
    let home = side.home();
    let into = format!("of={to}");
    let command = Command::new(["dd", &into, "bs=256K", "iflag=fullblock", "conv=excl,fsync", "status=none"]);
    let look = || Progress {
        done: meter.bytes(),
        total: Some(source.size_bytes),
        unit: Unit::Bytes,
        note: format!("copying {}", ByteCount(source.size_bytes)),
    };
    let said = telling(cx, look, home.run(command.feed(feed).within(COPYING))).await?;
    said.success("writing the snapshot", home.host)?;
    let (snapshot, sha256) = reading.verdict().await?;
    let there = home.run(Command::new(["sha256sum", "--", to]).within(COPYING)).await?;
    let there = there.success("reading the snapshot back", home.host)?.text();
    // Names with odd characters make sha256sum put a backslash in front.
    if there.trim_start_matches('\\').split_whitespace().next() != Some(sha256.as_str()) {
        return Err(Failure::new(format!("{} is not what was sent there", escaped(to)))
            .means("the copy on that host is not the backup; the live server was not touched")
            .next("look for a full or failing disk there, then retry")
            .into());
    }
    Ok((snapshot, sha256))
}

const fn expected(snapshot: &Snapshot) -> u64 {
    // Past a type that this program cannot walk, the snapshot's own announcement stands.
    if snapshot.unknown_type.is_some() { snapshot.announced } else { snapshot.keys }
}

/// What a Redis loaded against what the snapshot's bytes hold: nothing may be missing but what has expired.
fn compare(snapshot: &Snapshot, info: &Info) -> Result<Held, Failure> {
    let (keys, total) = (expected(snapshot), info.total());
    let missing = |what: String| {
        Failure::new(what)
            .means("the snapshot was not loaded as it is; the live server was not touched")
            .next("choose another backup, and look at this one with redis-check-rdb")
    };
    if let Some((loaded, expired)) = info.loaded()
        && loaded + expired != keys
    {
        return Err(missing(format!("{loaded} keys were loaded and {expired} had expired, of {keys} in the snapshot")));
    }
    if total.keys > keys {
        return Err(missing(format!("{} keys are there, more than the {keys} of the snapshot", total.keys)));
    }
    let lasting = (total.keys - total.expiring.min(total.keys), keys - snapshot.expiring.min(keys));
    if snapshot.unknown_type.is_none() && lasting.0 != lasting.1 {
        let what = format!("{} keys that do not expire are there, of {} in the snapshot", lasting.0, lasting.1);
        return Err(missing(what));
    }
    for (number, count) in info.databases() {
        let held = snapshot.databases.get(&number).copied().unwrap_or(0);
        if snapshot.unknown_type.is_none() && count.keys > held {
            return Err(missing(format!("database {number} has {} keys, and {held} in the snapshot", count.keys)));
        }
    }
    let expiring = snapshot.expiring;
    Ok(Held { keys, expiring, databases: info.databases(), sha256: String::new(), version: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(loaded: u64, expired: u64, keyspace: &str) -> Info {
        Info::parse(&format!("rdb_last_load_keys_loaded:{loaded}\nrdb_last_load_keys_expired:{expired}\n{keyspace}"))
    }

    #[test]
    fn a_key_may_be_missing_only_because_it_expired() {
        let snapshot = Snapshot { keys: 5, expiring: 2, databases: [(0, 5)].into(), ..Snapshot::default() };
        assert!(compare(&snapshot, &seen(5, 0, "db0:keys=5,expires=2")).is_ok());
        assert!(compare(&snapshot, &seen(4, 1, "db0:keys=4,expires=1")).is_ok());
        assert!(compare(&snapshot, &seen(4, 0, "db0:keys=4,expires=1")).is_err(), "one was not loaded");
        assert!(compare(&snapshot, &seen(5, 0, "db0:keys=4,expires=2")).is_err(), "one that lasts is gone");
        assert!(compare(&snapshot, &seen(5, 0, "db1:keys=5,expires=2")).is_err(), "they are elsewhere");
        assert!(compare(&snapshot, &Info::parse("db0:keys=4,expires=1")).is_ok(), "older servers tell less");
        assert!(compare(&snapshot, &Info::parse("db0:keys=2,expires=0")).is_err());
    }
}
