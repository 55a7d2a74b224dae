//! `pg.preflight`: everything that would stop a restore in the middle, looked for before it begins.

use super::connect::Session;
use super::database;
use super::inventory;
use super::names::check_name;
use super::script::Inventory;
use super::target::{CLUSTER, SERVER, Target};
use super::tools::{self, Version};
use crate::model::content::Form;
use crate::model::estate::Server;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::source::Source;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub struct Preflight;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.preflight",
    summary: "Check space, versions, connections, names, roles and extensions before a restore",
    effect: Effect::Observe,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Name for the restored database" },
        InputSpec { name: "aside", kind: InputKind::Text, required: true, help: "Dated name for the old database" },
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
        InputSpec {
            name: "without_owners",
            kind: InputKind::Flag,
            required: false,
            help: "Missing roles are only reported",
        },
        InputSpec {
            name: "space_checked",
            kind: InputKind::Flag,
            required: false,
            help: "Space that cannot be read from here was checked by hand",
        },
    ],
    outputs: &["notes", "need_bytes", "free_bytes", "missing_roles"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["psql", "pg_restore", "pg_dump"],
};

/// Text read of a plain dump to find its roles and extensions.
const HEAD: u64 = 64 << 20;
/// Connections that the restore takes at most, beside those of its jobs.
const SPARE_CONNECTIONS: i64 = 12;
/// What loaded data may take compared with the stored bytes of a compressed dump.
const COMPRESSED: u64 = 8;
const PLAIN: u64 = 2;

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    database: String,
    side: String,
    aside: String,
    source: Source,
    #[serde(default)]
    without_owners: Option<bool>,
    #[serde(default)]
    space_checked: Option<bool>,
}

#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    notes: Vec<String>,
    missing_roles: Vec<String>,
    need: u64,
    free: Option<u64>,
}

#[async_trait::async_trait]
impl Module for Preflight {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(preflight(cx, input).await)
    }
}

async fn preflight(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (session, server) = input.target.open(cx).await?;
    let mut findings = Findings::default();
    names(&session, &input, &mut findings).await?;
    let (dump, whole) = inventory::head(cx, server, &input.source, HEAD).await?;
    if !whole {
        findings.notes.push("only the beginning of the dump was searched for roles and extensions".to_owned());
    }
    versions(cx, &session, server, &input, &dump, &mut findings).await?;
    connections(&session, &mut findings).await?;
    roles(&session, &input, &dump, &mut findings).await?;
    owners(&session, &server.user, &input, &dump, &mut findings).await?;
    extensions(&session, &dump, &mut findings).await?;
    space(cx, &session, server, &input, &mut findings).await?;
    for line in findings.problems.iter().chain(&findings.notes) {
        cx.feed.line(line.clone());
    }
    if !findings.problems.is_empty() {
        let what = match findings.problems.len() {
            1 => "one thing stands against this restore".to_owned(),
            count => format!("{count} things stand against this restore"),
        };
        let mut failure = Failure::new(what)
            .means("the restore would stop in the middle or harm the server; nothing was done")
            .next("mend each of them, then retry");
        for problem in findings.problems {
            failure = failure.evidence(escaped(&problem).into_owned());
        }
        return Err(failure.into());
    }
    Ok(values(json!({
        "notes": findings.notes, "need_bytes": findings.need, "free_bytes": findings.free, "missing_roles": findings.missing_roles,
    })))
}

async fn names(session: &Session, input: &Input, findings: &mut Findings) -> Result<(), Stop> {
    for name in [&input.side, &input.aside] {
        check_name(name)?;
        if database::find(session, name).await?.is_some() {
            findings.problems.push(format!("the name `{name}` is already taken on the server"));
        }
    }
    if input.side == input.aside || input.side == input.database || input.aside == input.database {
        findings.problems.push("the three database names are not different".to_owned());
    }
    Ok(())
}

async fn versions(
    cx: &TaskContext,
    session: &Session,
    server: &Server,
    input: &Input,
    dump: &Inventory,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let row = session
        .row("reading the server's version", "SELECT current_setting('server_version_num')::int / 10000", &[])
        .await?;
    let major = row.get::<_, i32>(0) as u32;
    match dump.server_version.as_deref().and_then(Version::find) {
        Some(from) if from.major > major => {
            findings.problems.push(format!("the dump comes from PostgreSQL {from}, the server is the older {major}"));
        }
        Some(_) => {}
        None => findings.notes.push("the dump does not tell from which server version it comes".to_owned()),
    }
    let loader = if input.source.content.form == Form::PgCustom { "pg_restore" } else { "psql" };
    let (path, dumper_path) = (tools::find(server, loader)?, tools::find(server, "pg_dump")?);
    let (tool, dumper) = tokio::try_join!(tools::version(cx, &path), tools::version(cx, &dumper_path))?;
    if let Some(by) = dump.tool_version.as_deref().and_then(Version::find).filter(|by| by.major > tool.major) {
        findings.problems.push(format!("the dump was made by pg_dump {by}, but {loader} here is {tool}"));
    }
    if dumper.major < major {
        findings.problems.push(format!("pg_dump here is {dumper}, too old to dump a server of version {major}"));
    }
    Ok(())
}

async fn connections(session: &Session, findings: &mut Findings) -> Result<(), Stop> {
    let row = session
        .row(
            "counting connections",
            "SELECT current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint \
             - (SELECT coalesce(sum(numbackends), 0)::bigint FROM pg_stat_database)",
            &[],
        )
        .await?;
    let free: i64 = row.get(0);
    if free < SPARE_CONNECTIONS {
        findings
            .problems
            .push(format!("the server has {free} free connections, the restore may need {SPARE_CONNECTIONS}"));
    }
    Ok(())
}

async fn roles(session: &Session, input: &Input, dump: &Inventory, findings: &mut Findings) -> Result<(), Stop> {
    let rows = session.rows("listing roles", "SELECT rolname::text FROM pg_roles", &[]).await?;
    let known: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    findings.missing_roles = dump.roles.difference(&known).map(|role| escaped(role).into_owned()).collect();
    if findings.missing_roles.is_empty() {
        return Ok(());
    }
    let list = findings.missing_roles.join(", ");
    if input.without_owners.unwrap_or(false) {
        findings
            .notes
            .push(format!("roles of the dump that the server lacks (their ownership and grants are left out): {list}"));
    } else {
        findings.problems.push(format!(
            "roles of the dump that the server lacks: {list}; restore the globals or create them first, or leave owners and grants out"
        ));
    }
    Ok(())
}

/// Only superusers give things to roles that they are not members of, and work on them afterwards.
async fn owners(
    session: &Session,
    user: &str,
    input: &Input,
    dump: &Inventory,
    findings: &mut Findings,
) -> Result<(), Stop> {
    if input.without_owners.unwrap_or(false) {
        return Ok(());
    }
    // Whoever owns a database is a member of `pg_database_owner` in it.
    let wanted: Vec<&str> =
        dump.owners.iter().map(String::as_str).filter(|role| *role != "pg_database_owner").collect();
    let rows = session
        .rows(
            "looking which roles our user is a member of",
            "SELECT rolname::text FROM pg_roles WHERE rolname::text = ANY($1) AND NOT pg_has_role(oid, 'USAGE') ORDER BY 1",
            &[&wanted],
        )
        .await?;
    let foreign: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if !foreign.is_empty() {
        findings.problems.push(format!(
            "user `{user}` has not inherited the rights of roles that own parts of the dump: {}; make it a member of them, or leave owners and grants out",
            foreign.join(", ")
        ));
    }
    Ok(())
}

async fn extensions(session: &Session, dump: &Inventory, findings: &mut Findings) -> Result<(), Stop> {
    // As JSON, because not every server version has the column `trusted`.
    let rows = session
        .rows(
            "listing extensions",
            "SELECT e.name::text, NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \
             AND coalesce((to_jsonb(v) ->> 'superuser')::boolean, false) \
             AND NOT coalesce((to_jsonb(v) ->> 'trusted')::boolean, false) \
             FROM pg_available_extensions e \
             LEFT JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version",
            &[],
        )
        .await?;
    let known: BTreeMap<String, bool> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for name in &dump.extensions {
        match known.get(name) {
            None => findings.problems.push(format!("extension `{name}` of the dump is not installed on the server")),
            Some(true) => {
                findings.problems.push(format!("extension `{name}` of the dump can only be made by a superuser"));
            }
            Some(false) => {}
        }
    }
    Ok(())
}

async fn space(
    cx: &TaskContext,
    session: &Session,
    server: &Server,
    input: &Input,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let live = database::find(session, &input.database).await?;
    let live_size = match &live {
        Some(live) => match session.row("reading the size", "SELECT pg_database_size($1::oid)", &[&live.oid]).await {
            Ok(row) => row.get::<_, i64>(0) as u64,
            Err(Stop::Failed(_)) => 0,
            Err(stop) => return Err(stop),
        },
        None => 0,
    };
    let dense = input.source.content.form == Form::PgCustom || !input.source.content.wrapped.is_empty();
    let from_dump = input.source.size_bytes.saturating_mul(if dense { COMPRESSED } else { PLAIN });
    // The live size is the better guess where the dump's is only a bound, and the other way round.
    let need = live_size.max(if live_size == 0 { from_dump } else { from_dump.min(live_size.saturating_mul(2)) });
    findings.need = need + need / 5;
    findings.free = server_space(session, server, live.as_ref().map(|live| live.shape.tablespace.as_str())).await?;
    match findings.free {
        Some(free) if free < findings.need => findings.problems.push(format!(
            "the server's disk has {} free, the restored database needs about {}",
            ByteCount(free),
            ByteCount(findings.need)
        )),
        Some(_) => {}
        None if input.space_checked.unwrap_or(false) => {
            findings.notes.push("the server's free space cannot be read from here; it was checked by hand".to_owned());
        }
        None => findings.problems.push(format!(
            "the server's free space cannot be read from here; about {} are needed: check it there and say so (space_checked)",
            ByteCount(findings.need)
        )),
    }
    let here = free_bytes(&cx.work_dir).unwrap_or(0);
    let dump_here = (live_size / 2).max(1 << 20);
    if here < dump_here {
        findings.problems.push(format!(
            "this machine has {} free for the safety dump, which may take {}",
            ByteCount(here),
            ByteCount(dump_here)
        ));
    }
    Ok(())
}

/// Free bytes where the new database will lie; `None` where that disk is not this machine's.
pub(super) async fn server_space(
    session: &Session,
    server: &Server,
    tablespace: Option<&str>,
) -> Result<Option<u64>, Stop> {
    let local = server.host.starts_with('/')
        || server.host == "localhost"
        || server.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if !local {
        return Ok(None);
    }
    let asked = session
        .row(
            "reading where the data lies",
            "SELECT current_setting('data_directory'), \
             (SELECT nullif(pg_tablespace_location(oid), '') FROM pg_tablespace WHERE spcname = $1)",
            &[&tablespace.unwrap_or("pg_default")],
        )
        .await;
    let row = match asked {
        Ok(row) => row,
        // The right to read the setting is missing: unknown, which the caller treats as a no.
        Err(Stop::Failed(_)) => return Ok(None),
        Err(stop) => return Err(stop),
    };
    let (data, place): (String, Option<String>) = (row.get(0), row.get(1));
    let data = PathBuf::from(data);
    // Loopback may be a tunnel or a container: the folder must really hold this cluster.
    if !data.join("PG_VERSION").is_file() {
        return Ok(None);
    }
    Ok(free_bytes(&place.map_or(data, PathBuf::from)).ok())
}
