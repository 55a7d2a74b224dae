//! `pg.base-look`: everything about a cluster that a base backup of it needs, its archiving first.

use super::archiver::Archiver;
use crate::model::backup::BackupKind;
use crate::model::estate::Server;
use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect::{Session, address};
use crate::tasks::pg::target::{cluster, of_asset, standby_refused};
use serde::Deserialize;
use serde_json::json;

pub struct BaseLook;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.base-look",
    summary: "Look whether a base backup of an asset's cluster can be made, and whether its log reaches the archive",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of kind postgresql" },
        InputSpec {
            name: "own_log",
            kind: InputKind::Flag,
            required: false,
            help: "The backup's own log is enough: trouble with the archive is told and does not stop; default false",
        },
    ],
    outputs: &[
        "server",
        "address",
        "title",
        "version",
        "system_identifier",
        "database",
        "bytes",
        "size",
        "archive",
        "archived",
        "tablespaces",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    #[serde(default)]
    own_log: bool,
}

/// What the server says of itself.
#[derive(Deserialize)]
struct About {
    version: String,
    number: u32,
    wal_level: String,
    senders: i64,
    slots: i64,
    may: bool,
    tablespaces: Vec<String>,
    bytes: u64,
}

const SQL: &str = "SELECT jsonb_build_object('version', split_part(current_setting('server_version'), ' ', 1), \
    'number', current_setting('server_version_num')::int, 'wal_level', current_setting('wal_level'), \
    'senders', current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication), \
    'slots', current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots), \
    'may', (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user), \
    'tablespaces', (SELECT coalesce(jsonb_agg(spcname), '[]') FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')), \
    'bytes', (SELECT sum(CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) ELSE 0 END)::bigint FROM pg_database))";

#[async_trait::async_trait]
impl Module for BaseLook {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(look(cx, input).await)
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (server, database) = of_asset(cx, &input.asset)?;
    let session = Session::open(cx, server, &server.maintenance_db).await?;
    let (system_identifier, standby) = cluster(&session).await?;
    if standby {
        return Err(standby_refused(server).into());
    }
    let row = session.row("reading what a base backup needs", SQL, &[]).await?;
    let about: About = serde_json::from_value(row.get(0))
        .map_err(|error| Failure::new(format!("what the server says of itself is not understood: {error}")))?;
    possible(server, &about)?;
    let sources = cx.estate.asset(&input.asset).map(|asset| asset.sources.as_slice()).unwrap_or_default();
    let archived = sources.iter().any(|source| source.kind == BackupKind::Log);
    let archive = if archived {
        let archiver = Archiver::of(&session).await?;
        if let Some(trouble) = archiver.trouble().filter(|_| !input.own_log) {
            return Err(no_archive(server, trouble).into());
        }
        archiver.title()
    } else {
        "no source of the asset is a log archive: the backup can be restored to its own end, and no further".to_owned()
    };
    for space in &about.tablespaces {
        cx.feed.line(format!("tablespace `{}` is backed up, too, and recovered by hand only", escaped(space)));
    }
    Ok(values(json!({
        "server": server.id,
        "address": address(server),
        "title": format!("PostgreSQL {} at {}", about.version, address(server)),
        "version": about.version,
        "system_identifier": system_identifier,
        "database": database,
        "bytes": about.bytes,
        "size": ByteCount(about.bytes).to_string(),
        "archive": archive,
        "archived": archived,
        "tablespaces": about.tablespaces,
    })))
}

fn possible(server: &Server, about: &About) -> Result<(), Failure> {
    let lacking: Vec<String> = [
        (
            about.number < 130_000,
            format!("it is PostgreSQL {}: before 13 a base backup has no manifest", about.version),
        ),
        (about.wal_level == "minimal", "its `wal_level` is minimal".to_owned()),
        (!about.may, format!("user `{}` is neither superuser nor has it REPLICATION", server.user)),
        (about.senders < 2, format!("{} of `max_wal_senders` are free, two are needed", about.senders.max(0))),
        (about.slots < 1, "none of `max_replication_slots` is free".to_owned()),
    ]
    .into_iter()
    .filter_map(|(lacks, what)| lacks.then_some(what))
    .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(format!("no base backup can be made of the server at {}", address(server)))
        .means("it would be refused, or could not be checked; nothing was done")
        .next("change what is named on the server; until then `backup-postgres` makes a dump");
    Err(lacking.into_iter().fold(failure, Failure::evidence))
}

fn no_archive(server: &Server, trouble: String) -> Failure {
    Failure::new(format!("the log of the server at {} does not reach the archive", address(server)))
        .means("a base backup of now could be restored to its own end, and to no later point; nothing was done")
        .next("mend the archiving first; if the backup is wanted all the same, say own_log=true")
        .evidence(trouble)
}
