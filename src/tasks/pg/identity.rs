//! `pg.identity`: what a live database is right now, in facts that change only when it really changes.

use super::connect::{self, Session, address};
use super::database;
use super::target::cluster;
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::target::SERVER;
use serde::Deserialize;
use serde_json::json;

pub struct Identity;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.identity",
    summary: "Read the live identity of a database: cluster, role, name, object id, rows written",
    effect: Effect::Observe,
    inputs: &[
        SERVER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Name of the live database" },
    ],
    outputs: &["title", "facts", "shown"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    database: String,
}

#[async_trait::async_trait]
impl Module for Identity {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(identify(cx, input).await)
    }
}

async fn identify(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.server)?;
    let session = Session::open(cx, server, &server.maintenance_db).await?;
    let (system_identifier, standby) = cluster(&session).await?;
    let found = database::find(&session, &input.database).await?;
    let mut facts = vec![
        ("server", address(server)),
        ("cluster", system_identifier),
        ("role", if standby { "standby" } else { "primary" }.to_owned()),
        ("database", input.database.clone()),
    ];
    let mut shown = Vec::new();
    match &found {
        None => facts.push(("present", "no: there is no database of this name".to_owned())),
        Some(live) => {
            facts.extend([
                ("present", "yes".to_owned()),
                ("oid", live.oid.to_string()),
                ("owner", live.shape.owner.clone()),
            ]);
            let (written, layout) = writes(cx, server, &input.database).await?;
            facts.push(("rows written", written));
            facts.push(("tables", layout));
            shown = passing(&session, live.oid).await?;
        }
    }
    let absent = if found.is_none() { ", which is not there" } else { "" };
    Ok(values(json!({
        "title": format!("database {} on {}{absent}", input.database, address(server)),
        "facts": facts,
        "shown": shown,
    })))
}

/// Rows ever inserted, updated and deleted, and a fingerprint of the tables' files (a truncated or
/// rewritten table gets a new file). A database that cannot be opened says so; that too is a fact.
///
/// Sessions report their counts at the end of a transaction, at the latest ten seconds later when they
/// stay connected, and at once when they leave.
async fn writes(
    cx: &TaskContext,
    server: &crate::model::estate::Server,
    database: &str,
) -> Result<(String, String), Stop> {
    let session = match Session::open(cx, server, database).await {
        Ok(session) => session,
        Err(Stop::Failed(failure)) => return Ok(("unreadable".to_owned(), failure.what)),
        Err(stop) => return Err(stop),
    };
    let read = session
        .row(
            "reading what was written",
            "SELECT (SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::text FROM pg_stat_user_tables), \
             (SELECT count(*)::text || ' (' || left(md5(coalesce(string_agg(c.oid || ':' || c.relfilenode, ',' ORDER BY c.oid), '')), 8) || ')' \
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
              WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(temp|toast)')",
            &[],
        )
        .await;
    match read {
        Ok(row) => Ok((row.get(0), row.get(1))),
        Err(Stop::Failed(failure)) => Ok(("unreadable".to_owned(), failure.what)),
        Err(stop) => Err(stop),
    }
}

/// Figures that move by themselves: shown beside the facts, never compared.
async fn passing(session: &Session, oid: u32) -> Result<Vec<(&'static str, String)>, Stop> {
    let sessions = database::guests(session, &[oid]).await?;
    let mut shown = vec![("sessions", sessions.len().to_string())];
    if let Ok(row) = session.row("reading the size", "SELECT pg_database_size($1::oid)", &[&oid]).await {
        shown.push(("size", ByteCount(row.get::<_, i64>(0) as u64).to_string()));
    }
    // A server that crashed counts its rows anew: who is asked about that sees when it began.
    let began = "SELECT to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"')";
    if let Ok(row) = session.row("reading since when the server runs", began, &[]).await {
        shown.push(("server runs since", row.get(0)));
    }
    Ok(shown)
}
