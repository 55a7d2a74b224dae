//! `pg.validate`: the restored database against what its dump carries, row by row counts, no statistics.

use super::connect::Session;
use super::database;
use super::inventory;
use super::names::MarkState;
use super::script::{Inventory, full_name};
use super::target::{CLUSTER, SERVER, Target};
use crate::model::estate::Server;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::restored;
use crate::tasks::source::Source;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub struct Validate;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.validate",
    summary: "Compare the restored database with its dump: tables, row counts, constraints, indexes, sequences",
    effect: Effect::Observe,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Restored database" },
        InputSpec {
            name: "database",
            kind: InputKind::Text,
            required: true,
            help: "Live database, for a comparison that is shown and does not decide",
        },
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
        InputSpec {
            name: "min_tables",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable tables; default 1",
        },
        InputSpec {
            name: "min_rows",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable rows in all; default 0",
        },
    ],
    outputs: &["tables", "rows", "indexes", "constraints", "live_rows", "differences_to_live"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["pg_restore"],
};

/// Differences named one by one; more are only counted.
const SHOWN: usize = 40;

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    side: String,
    database: String,
    source: Source,
    #[serde(default)]
    min_tables: Option<u64>,
    #[serde(default)]
    min_rows: Option<u64>,
}

#[async_trait::async_trait]
impl Module for Validate {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(validate(cx, input).await)
    }
}

async fn validate(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (session, server) = input.target.open(cx).await?;
    let side = database::ours(&session, &input.side, &cx.owner.run).await?;
    let Some(MarkState::Restored(sha256)) = side.mark().map(|mark| mark.state) else {
        return Err(Failure::new(format!("`{}` carries no mark of a completed restore", escaped(&input.side)))
            .means("there is nothing to validate yet")
            .next("run the restore step first")
            .into());
    };
    let expected = inventory::of_source(cx, server, &input.source).await?;
    let inside = Session::open(cx, server, &input.side).await?;
    let counted = count_all(cx, &inside, Some(&expected)).await?;
    let mut problems = compare_tables(&expected, &counted);
    problems.extend(compare_rest(&inside, &expected).await?);
    let rows: u64 = counted.values().sum();
    let (min_tables, min_rows) = (input.min_tables.unwrap_or(1), input.min_rows.unwrap_or(0));
    if (counted.len() as u64) < min_tables {
        problems.push(format!("{} tables, fewer than the {min_tables} that are believable", counted.len()));
    }
    if rows < min_rows {
        problems.push(format!("{rows} rows, fewer than the {min_rows} that are believable"));
    }
    if !problems.is_empty() {
        return Err(differs(&problems).into());
    }
    let detail = format!("restored to PostgreSQL and compared: {} tables, {rows} rows", counted.len());
    restored::record(cx, &input.source, Some(sha256), &detail)?;
    let live = live_counts(cx, server, &input.database).await?;
    Ok(values(json!({
        "tables": counted.len(),
        "rows": rows,
        "indexes": expected.indexes,
        "constraints": expected.constraints,
        "live_rows": live.as_ref().map(|live| live.values().sum::<u64>()),
        "differences_to_live": live.map(|live| differences(&live, &counted)),
    })))
}

fn differs(problems: &[String]) -> Failure {
    let mut failure = Failure::new(format!("the restored database differs from its dump in {} points", problems.len()))
        .means("it is not a faithful copy and must not become the live one")
        .next("retry the restore, or choose another backup; nothing live was touched");
    for problem in problems.iter().take(SHOWN) {
        failure = failure.evidence(escaped(problem).into_owned());
    }
    if problems.len() > SHOWN {
        failure = failure.evidence(format!("and {} more", problems.len() - SHOWN));
    }
    failure
}

/// Every ordinary table with its real number of rows; partitioned parents hold none themselves.
async fn count_all(
    cx: &TaskContext,
    session: &Session,
    expected: Option<&Inventory>,
) -> Result<BTreeMap<String, u64>, Stop> {
    let tables = session
        .rows(
            "listing tables",
            "SELECT n.nspname::text, c.relname::text, \
             EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
             ORDER BY 1, 2",
            &[],
        )
        .await?;
    let mut counted = BTreeMap::new();
    for (done, row) in tables.iter().enumerate() {
        let name = full_name(&row.get::<_, String>(0), &row.get::<_, String>(1));
        // An extension makes its own tables; a dump carries the rows of some of them.
        if row.get::<_, bool>(2) && !expected.is_some_and(|expected| expected.tables.contains_key(&name)) {
            continue;
        }
        cx.feed.progress(Progress {
            done: done as u64,
            total: Some(tables.len() as u64),
            unit: Unit::Tables,
            note: name.clone(),
        });
        let count = session.row(&format!("counting {name}"), &format!("SELECT count(*) FROM ONLY {name}"), &[]).await?;
        counted.insert(name, count.get::<_, i64>(0) as u64);
    }
    Ok(counted)
}

fn compare_tables(expected: &Inventory, counted: &BTreeMap<String, u64>) -> Vec<String> {
    let mut problems = Vec::new();
    for (table, rows) in &expected.tables {
        match (counted.get(table), rows) {
            (None, _) => problems.push(format!("table {table} is in the dump, but not in the database")),
            (Some(found), Some(rows)) if found != rows => {
                problems.push(format!("table {table} has {found} rows, the dump {rows}"));
            }
            // How many a dump of inserts brings is not counted; that it brings some is known.
            (Some(0), None) if expected.header => {
                problems.push(format!("table {table} has no rows, and the dump inserts some"));
            }
            _ => {}
        }
    }
    for table in counted.keys().filter(|table| !expected.tables.contains_key(*table)) {
        problems.push(format!("table {table} is in the database, but not in the dump"));
    }
    problems
}

async fn compare_rest(session: &Session, expected: &Inventory) -> Result<Vec<String>, Stop> {
    let mut problems = Vec::new();
    let row = session
        .row(
            "reading constraints and indexes",
            "SELECT (SELECT count(*) FROM pg_constraint WHERE NOT convalidated), \
             (SELECT coalesce(string_agg(indexrelid::regclass::text, ', '), '') FROM pg_index WHERE NOT indisvalid OR NOT indisready)",
            &[],
        )
        .await?;
    let (unchecked, broken): (i64, String) = (row.get(0), row.get(1));
    if unchecked as u64 > expected.not_valid {
        problems.push(format!("{unchecked} constraints are not validated, the dump leaves {} so", expected.not_valid));
    }
    if !broken.is_empty() {
        problems.push(format!("invalid indexes: {broken}"));
    }
    let installed = session.rows("listing extensions", "SELECT extname::text FROM pg_extension", &[]).await?;
    let installed: BTreeSet<String> = installed.iter().map(|row| row.get(0)).collect();
    problems.extend(expected.extensions.difference(&installed).map(|name| format!("extension {name} is missing")));
    for (sequence, value) in &expected.sequences {
        match session.row("reading a sequence", &format!("SELECT last_value FROM {sequence}"), &[]).await {
            Ok(row) if row.get::<_, i64>(0) == *value => {}
            Ok(row) => {
                problems.push(format!("sequence {sequence} is at {}, the dump sets {value}", row.get::<_, i64>(0)));
            }
            Err(Stop::Failed(failure)) => problems.push(failure.what),
            Err(stop) => return Err(stop),
        }
    }
    Ok(problems)
}

/// The live database's counts where it can be read; it is allowed to be damaged.
async fn live_counts(cx: &TaskContext, server: &Server, database: &str) -> Result<Option<BTreeMap<String, u64>>, Stop> {
    let counting = async {
        let session = Session::open(cx, server, database).await?;
        count_all(cx, &session, None).await
    };
    match counting.await {
        Ok(counts) => Ok(Some(counts)),
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => {
            cx.feed.line(format!("the live database cannot be compared: {}", failure.what));
            Ok(None)
        }
        Err(stop) => Err(stop),
    }
}

fn differences(live: &BTreeMap<String, u64>, restored: &BTreeMap<String, u64>) -> Vec<String> {
    let tables: BTreeSet<&String> = live.keys().chain(restored.keys()).collect();
    let show = |count: Option<&u64>| count.map_or("absent".to_owned(), u64::to_string);
    tables
        .into_iter()
        .filter(|table| live.get(*table) != restored.get(*table))
        .take(SHOWN)
        .map(|table| {
            escaped(&format!("{table}: live {}, restored {}", show(live.get(table)), show(restored.get(table))))
                .into_owned()
        })
        .collect()
}
