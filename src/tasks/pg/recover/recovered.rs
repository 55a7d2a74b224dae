//! `pg.recovered`: what the cluster that stands still at its target holds.

use super::side::{SIDE, Side};
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::names::{ident, literal};
use crate::tasks::pg::target::SERVER;
use crate::tasks::restored;
use crate::tasks::source::Source;
use serde::Deserialize;
use serde_json::{Value, json};

pub struct Recovered;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.recovered",
    summary: "Look at what the recovered cluster holds: sizes, row counts, constraints, indexes",
    effect: Effect::Observe,
    inputs: &[
        SERVER,
        SIDE,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "The asset's database" },
        InputSpec {
            name: "source",
            kind: InputKind::Table,
            required: false,
            help: "Output of backup.resolve: the base backup, proven restorable where all is well",
        },
    ],
    outputs: &["last_commit", "databases", "tables", "rows", "locked", "not_valid", "invalid_indexes"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "psql"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    side: String,
    database: String,
    #[serde(default)]
    source: Option<Source>,
}

/// A table that is not to be had for this long is locked until the cluster goes on.
const LOCKED: &str = "5s";
/// Tables that one statement counts.
const AT_ONCE: usize = 50;
/// Tables that are named in the output; all are counted.
const SHOWN: usize = 200;

#[async_trait::async_trait]
impl Module for Recovered {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(look(cx, input).await)
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let side = Side::of(cx, &input.server, &input.side)?;
    side.must_be_mine().await?;
    let sql =
        "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1;";
    let text = side.told("reading the databases", "postgres", sql).await?;
    let databases = pairs(&text);
    if !databases.iter().any(|(name, _)| *name == input.database) {
        return Err(Failure::new(format!("database `{}` is not in the recovered cluster", escaped(&input.database)))
            .means("at the target it had not been made yet, or was dropped already; the live cluster was not touched")
            .next("choose another point, and make a new plan")
            .into());
    }
    for (name, bytes) in &databases {
        cx.feed.line(format!("database {}: {}", escaped(name), ByteCount(*bytes)));
    }
    let sql = "SELECT (SELECT count(*) FROM pg_constraint WHERE NOT convalidated), \
               (SELECT count(*) FROM pg_index WHERE NOT indisvalid), \
               pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC';";
    let text = side.told("reading constraints and indexes", &input.database, sql).await?;
    let fields: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let (not_valid, invalid) = (number(0), number(1));
    let Counted { tables, locked } = count(&side, &input.database).await?;
    if tables.is_empty() && locked.is_empty() {
        return Err(Failure::new(format!("database `{}` has no table at the target", escaped(&input.database)))
            .means("taken live, it would be an empty database; the live cluster was not touched")
            .next("choose another point, and make a new plan")
            .into());
    }
    let rows: u64 = tables.iter().map(|(_, rows)| rows).sum();
    let last = fields.get(2).filter(|at| !at.is_empty()).map(|at| format!("{at}+00"));
    let ended = last.as_deref().unwrap_or("none since the base backup");
    cx.feed.line(format!("{} tables, {rows} rows; last transaction: {ended}", tables.len()));
    for table in &locked {
        cx.feed.line(format!(
            "{table} is locked by a transaction that was open at the target: it can be read after the exchange"
        ));
    }
    if let Some(source) = input.source.filter(|_| not_valid == Some(0) && invalid == Some(0) && locked.is_empty()) {
        let detail = format!("recovered, and every row of {} tables read; last transaction: {ended}", tables.len());
        restored::record(cx, &source, None, &detail)?;
    }
    let table = |(name, rows): &(String, u64)| json!({ "table": name, "rows": rows });
    let shown: Vec<Value> = tables.iter().take(SHOWN).map(table).collect();
    let database = |(name, bytes): &(String, u64)| json!({ "database": name, "bytes": bytes });
    Ok(values(json!({
        "last_commit": last,
        "databases": databases.iter().map(database).collect::<Vec<_>>(),
        "tables": shown,
        "rows": rows,
        "locked": locked,
        "not_valid": not_valid,
        "invalid_indexes": invalid,
    })))
}

struct Counted {
    /// Each with its rows.
    tables: Vec<(String, u64)>,
    /// Nobody can read these while the cluster stands still.
    locked: Vec<String>,
}

/// Counts the rows of every table: a page that cannot be read ends this with the server's own words.
async fn count(side: &Side<'_>, database: &str) -> Result<Counted, Stop> {
    // As hexadecimal, so that no name can break a line.
    let sql = "SELECT encode(convert_to(n.nspname, 'UTF8'), 'hex'), encode(convert_to(c.relname, 'UTF8'), 'hex') \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'p' \
               AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast' ORDER BY 1, 2;";
    let text = side.told("reading the tables", database, sql).await?;
    let plain = |hex: &str| hex::decode(hex).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let names: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(schema, table)| Some((plain(schema)?, plain(table)?)))
        .collect();
    let listed = text.lines().count();
    if names.len() != listed {
        return Err(Failure::new(format!("of {listed} tables only {} can be named", names.len())).into());
    }
    let mut counted = Counted { tables: Vec::with_capacity(listed), locked: Vec::new() };
    for names in names.chunks(AT_ONCE) {
        match rows_of(side, database, names).await? {
            Some(rows) => counted.tables.extend(rows),
            // Which of them it is tells each by itself.
            None => {
                for name in names {
                    match rows_of(side, database, std::slice::from_ref(name)).await? {
                        Some(rows) => counted.tables.extend(rows),
                        None => counted.locked.push(shown(name)),
                    }
                }
            }
        }
        side.live.cx.feed.line(format!("{} tables counted", counted.tables.len()));
    }
    Ok(counted)
}

fn shown((schema, table): &(String, String)) -> String {
    escaped(&format!("{schema}.{table}")).into_owned()
}

/// Rows of a few tables; `None` where one of them is locked. Recovery holds the locks of open transactions until it goes on.
async fn rows_of(
    side: &Side<'_>,
    database: &str,
    names: &[(String, String)],
) -> Result<Option<Vec<(String, u64)>>, Stop> {
    let one = |(at, (schema, table)): (usize, &(String, String))| {
        format!("SELECT {}, count(*) FROM {}.{}", literal(&at.to_string()), ident(schema), ident(table))
    };
    let sql: Vec<String> = names.iter().enumerate().map(one).collect();
    let said = side.ask(database, &format!("SET lock_timeout = '{LOCKED}';\n{};", sql.join(" UNION ALL "))).await?;
    if said.status != 0 && said.stderr.iter().any(|line| line.contains("lock timeout")) {
        return Ok(None);
    }
    let text = said.success("counting rows", side.live.host)?.text();
    let rows: Vec<(String, u64)> = pairs(&text)
        .into_iter()
        .filter_map(|(at, rows)| Some((shown(names.get(at.parse::<usize>().ok()?)?), rows)))
        .collect();
    // One that is left out of the count would look like one that was never there.
    if rows.len() < names.len() {
        return Err(Failure::new("the server's counts cannot be told apart by their tables")
            .means("whether all tables came back is not known; the live cluster was not touched")
            .next("look again")
            .into());
    }
    Ok(Some(rows))
}

fn pairs(text: &str) -> Vec<(String, u64)> {
    let pair = |line: &str| {
        let (name, number) = line.rsplit_once('\t')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}
