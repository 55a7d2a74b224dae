//! `pg.rows-merge`: rows of the restored database into the live tables, in one transaction, with what was
//! there before kept beside them.

use super::stage::{Both, Counts, count, fill, sessions, staged};
use super::table::{Table, names};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::connect::{Session, server, sql_failure};
use crate::tasks::pg::database;
use crate::tasks::pg::names::{ident, literal};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct RowsMerge;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.rows-merge",
    summary: "Bring rows of the restored database back into the live tables, in one transaction",
    effect: Effect::Irreversible,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
        InputSpec { name: "live_oid", kind: InputKind::Integer, required: true, help: "Object id in the plan" },
        InputSpec {
            name: "side",
            kind: InputKind::Text,
            required: true,
            help: "Database that the backup was restored to",
        },
        InputSpec {
            name: "tables",
            kind: InputKind::Text,
            required: true,
            help: "Tables to bring back, with commas between, parents before children",
        },
        InputSpec {
            name: "overwrite",
            kind: InputKind::Text,
            required: false,
            help: "Those of them whose changed rows get the backup's content; default none: only missing rows come back",
        },
        InputSpec { name: "kept", kind: InputKind::Text, required: true, help: "New schema for what was there before" },
        InputSpec { name: "max_rows", kind: InputKind::Integer, required: true, help: "Most rows that it may touch" },
    ],
    outputs: &["inserted", "overwritten", "kept"],
    idempotent: false,
    undo: "pg.rows-unmerge, from what the merge kept beside the rows",
    programs: &[],
};

#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(flatten)]
    pub both: Both,
    #[serde(default)]
    pub overwrite: Option<String>,
    pub kept: String,
    max_rows: u64,
}

#[async_trait::async_trait]
impl Module for RowsMerge {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["database"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(merge(cx, input).await)
    }

    /// The schema comes into being with the rows, or not at all.
    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let live = open_live(cx, &input.both).await?;
            database::end_orphans(&live, input.both.live_oid, &cx.owner.run, Duration::from_secs(30)).await?;
            Ok::<_, Stop>(is_merged(cx, &live, &input.kept).await?.then_some(input.kept))
        };
        match look.await {
            Ok(Some(kept)) => Reality::Done(values(json!({ "kept": kept }))),
            Ok(None) => Reality::NotDone("the transaction did not come to its end; no row was touched".to_owned()),
            Err(stop) => stop.into(),
        }
    }
}

pub(super) async fn open_live(cx: &TaskContext, both: &Both) -> Result<Session, Stop> {
    drop(both.target.open(cx).await?);
    Session::open(cx, server(cx, &both.target.server)?, &both.database).await
}

fn mark(cx: &TaskContext) -> String {
    format!("relight run={} rows-merge", cx.owner.run)
}

/// Whether this run's schema is there; someone else's of that name is refused.
pub(super) async fn is_merged(cx: &TaskContext, live: &Session, kept: &str) -> Result<bool, Stop> {
    let sql = "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = $1";
    match live.maybe("looking for what a merge kept", sql, &[&kept]).await? {
        None => Ok(false),
        Some(row) if row.get::<_, String>(0) == mark(cx) => Ok(true),
        Some(_) => Err(Failure::new(format!("schema `{}` is there, and not of this run", escaped(kept)))
            .means("it was left alone")
            .next("find out whose it is, then make a new plan")
            .into()),
    }
}

/// An audit trail only ever gains rows.
fn overwritten(input: &Input, tables: &[(String, String)]) -> Result<Vec<(String, String)>, Failure> {
    let Some(text) = input.overwrite.as_deref().filter(|text| !text.trim().is_empty()) else { return Ok(Vec::new()) };
    let wanted = names(text)?;
    for pair @ (schema, name) in &wanted {
        let shown = escaped(&format!("{schema}.{name}")).into_owned();
        if !tables.contains(pair) {
            return Err(Failure::new(format!("`{shown}` is to be overwritten and is not among the tables"))
                .means("nothing was done")
                .next("name it under the tables too, and make a new plan"));
        }
        if name.to_lowercase().contains("audit") {
            return Err(Failure::new(format!("`{shown}` is an audit trail: its rows are never overwritten"))
                .means("nothing was done")
                .next("leave it out of `overwrite`; rows that it lost still come back"));
        }
    }
    Ok(wanted)
}

async fn merge(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let names = names(&input.both.tables)?;
    let overwrite = overwritten(&input, &names)?;
    let (live, side) = sessions(cx, &input.both).await?;
    if is_merged(cx, &live, &input.kept).await? {
        return Err(Failure::new("this run has merged already").means("nothing was done again").into());
    }
    live.change("opening a transaction", "BEGIN; SET LOCAL lock_timeout = '30s'").await?;
    let keep = format!("CREATE SCHEMA {0}; COMMENT ON SCHEMA {0} IS {1}", ident(&input.kept), literal(&mark(cx)));
    live.change("making room for what was there before", &keep).await?;
    let (mut inserted, mut changed, mut left) = (0, 0, input.max_rows);
    for (index, name) in names.iter().enumerate() {
        let table = Table::of_both(&live, &side, name).await?;
        let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table.full());
        live.change(&format!("keeping writers off {}", table.shown()), &lock).await?;
        fill(cx, &live, &side, &table, index).await?;
        let counts = count(&live, &table, index).await?;
        let over = overwrite.contains(name);
        left = within(&table, counts, over, left)?;
        let place = Place { live: &live, table: &table, index, kept: &input.kept };
        inserted += place.insert(counts.missing).await?;
        if over {
            changed += place.overwrite(counts.changed).await?;
        }
        place.raise_sequences().await?;
        cx.feed.line(format!("{}: {counts}", table.shown()));
    }
    if let Some(reason) = cx.cancel.reason() {
        return Err(Stop::Cancelled(reason));
    }
    live.change("committing the merge", "COMMIT").await?;
    Ok(values(json!({ "inserted": inserted, "overwritten": changed, "kept": input.kept })))
}

fn within(table: &Table, counts: Counts, over: bool, left: u64) -> Result<u64, Failure> {
    let touched = counts.missing + if over { counts.changed } else { 0 };
    left.checked_sub(touched).ok_or_else(|| {
        Failure::new(format!("{} would get {touched} rows, more than the {left} that are left to touch", table.shown()))
            .means("everything was taken back; no row was touched")
            .next("look at the comparison; allow more rows in a new plan if that is meant")
    })
}

/// One table within the transaction.
struct Place<'a> {
    live: &'a Session,
    table: &'a Table,
    index: usize,
    kept: &'a str,
}

impl Place<'_> {
    async fn insert(&self, expected: u64) -> Result<u64, Stop> {
        let Self { table, .. } = self;
        let (stage, full, same) = (staged(self.index), table.full(), table.same_key());
        let missing = format!("FROM {stage} s WHERE NOT EXISTS (SELECT FROM {full} t WHERE {same})");
        let keys = format!("CREATE TABLE {} AS SELECT {} {missing}", self.beside("inserted"), table.key_list("s."));
        self.live.change("noting the rows that come back", &keys).await?;
        let sql = format!(
            "INSERT INTO {full} ({}) OVERRIDING SYSTEM VALUE SELECT {} {missing}",
            table.list(""),
            table.list("s.")
        );
        self.counted("bringing rows back", &sql, expected).await
    }

    async fn overwrite(&self, expected: u64) -> Result<u64, Stop> {
        let Self { table, .. } = self;
        let (stage, full) = (staged(self.index), table.full());
        let (same, differs) = (table.same_key(), table.differs());
        let before = format!(
            "CREATE TABLE {} AS SELECT {} FROM {full} t JOIN {stage} s ON {same} WHERE {differs}",
            self.beside("before"),
            table.list("t.")
        );
        self.live.change("keeping what was there before", &before).await?;
        let Some(set) = set_list(table) else { return Ok(0) };
        let sql = format!("UPDATE {full} t SET {set} FROM {stage} s WHERE {same} AND {differs}");
        self.counted("overwriting rows", &sql, expected).await
    }

    fn beside(&self, what: &str) -> String {
        beside(self.kept, self.index, what)
    }

    /// A trigger that turns rows away must not pass for a merge.
    async fn counted(&self, doing: &str, sql: &str, expected: u64) -> Result<u64, Stop> {
        let doing = format!("{doing} in {}", self.table.shown());
        let done = self.live.client().execute(sql, &[]).await.map_err(|error| {
            sql_failure(&doing, &error).means("everything was taken back; no row was touched").next(
                "look at the conflict; name the tables that these rows need before this one, or choose other tables",
            )
        })?;
        if done == expected {
            return Ok(done);
        }
        Err(Failure::new(format!("{doing} took {done} rows where {expected} were meant"))
            .means("a trigger or a rule of the table turned rows away; everything was taken back")
            .next("look at the table's triggers and rules")
            .into())
    }

    /// So that new rows do not collide with those that came back.
    async fn raise_sequences(&self) -> Result<(), Stop> {
        let full = self.table.full();
        for column in self.table.stored() {
            let name = ident(&column.name);
            let sql = format!("SELECT pg_get_serial_sequence({}, {})", literal(&full), literal(&column.name));
            let sequence: Option<String> = self.live.row("looking for a sequence", &sql, &[]).await?.get(0);
            let Some(sequence) = sequence else { continue };
            let raise = format!(
                "SELECT setval({}, m.top) FROM (SELECT max({name}) AS top FROM {full}) m, {sequence} q WHERE m.top > q.last_value",
                literal(&sequence)
            );
            self.live.rows("raising a sequence", &raise, &[]).await?;
        }
        Ok(())
    }
}

/// Where what was there before is kept: by the table's place in the list.
pub(super) fn beside(kept: &str, index: usize, what: &str) -> String {
    format!("{}.{}", ident(kept), ident(&format!("{}_{what}", index + 1)))
}

/// `None` where a row is nothing but its key.
pub(super) fn set_list(table: &Table) -> Option<String> {
    let open = table.stored().filter(|column| !column.key && !column.always).map(|column| ident(&column.name));
    let pairs: Vec<String> = open.map(|name| format!("{name} = s.{name}")).collect();
    (!pairs.is_empty()).then(|| pairs.join(", "))
}
