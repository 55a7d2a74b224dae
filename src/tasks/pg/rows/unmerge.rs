//! `pg.rows-unmerge`: takes a merge of this run back, from what it kept beside the rows.

use super::merge::{Input, beside, is_merged, set_list};
use super::stage::sessions;
use super::table::{Table, names};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::connect::{Session, sql_failure};
use crate::tasks::pg::names::ident;
use crate::tasks::pg::target::{CLUSTER, SERVER};
use crate::tasks::reach::Reach;
use serde_json::json;

pub struct RowsUnmerge;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.rows-unmerge",
    summary: "Take the rows of a merge out again, and put back what they overwrote",
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
        InputSpec { name: "tables", kind: InputKind::Text, required: true, help: "As the merge had them" },
        InputSpec { name: "overwrite", kind: InputKind::Text, required: false, help: "As the merge had them" },
        InputSpec { name: "kept", kind: InputKind::Text, required: true, help: "Schema with what was there before" },
        InputSpec { name: "max_rows", kind: InputKind::Integer, required: true, help: "As the merge had it" },
    ],
    outputs: &["removed", "put_back"],
    idempotent: true,
    undo: "none: run the merge again",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for RowsUnmerge {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["database"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(unmerge(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let (live, _) = sessions(cx, &input.both).await?;
            is_merged(cx, &live, &input.kept).await
        };
        match look.await {
            Ok(true) => Reality::NotDone("the merge is still there".to_owned()),
            Ok(false) => Reality::Done(values(json!({}))),
            Err(stop) => stop.into(),
        }
    }
}

async fn unmerge(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (live, side) = sessions(cx, &input.both).await?;
    if !is_merged(cx, &live, &input.kept).await? {
        return Ok(values(json!({ "removed": 0, "put_back": 0 })));
    }
    let tables = names(&input.both.tables)?;
    let overwrite = input.overwrite.as_deref().filter(|text| !text.trim().is_empty()).map_or(Ok(Vec::new()), names)?;
    live.change("opening a transaction", "BEGIN; SET LOCAL lock_timeout = '30s'").await?;
    let (mut removed, mut put_back) = (0, 0);
    // Children first: they were brought back last.
    for (index, name) in tables.iter().enumerate().rev() {
        let table = Table::of_both(&live, &side, name).await?;
        let (full, same) = (table.full(), table.same_key());
        if overwrite.contains(name)
            && let Some(set) = set_list(&table)
        {
            let before = beside(&input.kept, index, "before");
            let sql = format!("UPDATE {full} t SET {set} FROM {before} s WHERE {same}");
            put_back += whole(&live, &table, &before, &sql).await?;
        }
        let inserted = beside(&input.kept, index, "inserted");
        let sql = format!("DELETE FROM {full} t USING {inserted} s WHERE {same}");
        removed += whole(&live, &table, &inserted, &sql).await?;
    }
    live.change("removing what was kept", &format!("DROP SCHEMA {} CASCADE", ident(&input.kept))).await?;
    live.change("committing", "COMMIT").await?;
    Ok(values(json!({ "removed": removed, "put_back": put_back })))
}

/// Every row that the merge touched, or none.
async fn whole(live: &Session, table: &Table, kept: &str, sql: &str) -> Result<u64, Stop> {
    let doing = format!("taking the merge of {} back", table.shown());
    let expected = live.row(&doing, &format!("SELECT count(*) FROM {kept}"), &[]).await?.get::<_, i64>(0) as u64;
    let refused = |failure: Failure| {
        failure
            .means("rows were changed since the merge; it stays as it is")
            .next("decide by hand, with what the merge kept beside the rows")
    };
    let done = live.client().execute(sql, &[]).await.map_err(|error| refused(sql_failure(&doing, &error)))?;
    if done == expected {
        return Ok(done);
    }
    Err(refused(Failure::new(format!("{doing} found {done} of {expected} rows"))).into())
}
