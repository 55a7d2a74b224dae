//! `pg.rows-diff`: what the backup has and the live tables lack, counted by their keys.

use super::stage::{BOTH, Both, Counts, count, fill, sessions};
use super::table::{Table, names};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde_json::json;

pub struct RowsDiff;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.rows-diff",
    summary: "Compare tables of the restored database with the live ones, row by row",
    effect: Effect::Observe,
    inputs: &BOTH,
    outputs: &["tables", "missing", "changed"],
    idempotent: true,
    undo: "nothing to take back: its temporary tables end with its session",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for RowsDiff {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(diff(cx, input).await)
    }
}

async fn diff(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Both = read(input)?;
    let names = names(&input.tables)?;
    let (live, side) = sessions(cx, &input).await?;
    live.change("opening a transaction", "BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
    let (mut all, mut sum) = (Vec::new(), Counts::default());
    for (index, name) in names.iter().enumerate() {
        let table = Table::of_both(&live, &side, name).await?;
        fill(cx, &live, &side, &table, index).await?;
        let counts = count(&live, &table, index).await?;
        cx.feed.line(format!("{}: {counts}", table.shown()));
        sum.missing += counts.missing;
        sum.changed += counts.changed;
        all.push(json!({
            "table": table.shown(), "in_backup": counts.in_backup, "missing": counts.missing,
            "changed": counts.changed, "only_live": counts.only_live,
        }));
    }
    live.change("ending the transaction", "ROLLBACK").await?;
    if sum.missing + sum.changed == 0 {
        return Err(Failure::new("the live tables lack nothing that the backup has")
            .means("there is nothing to bring back")
            .next("choose an older backup, or other tables")
            .into());
    }
    Ok(values(json!({ "tables": all, "missing": sum.missing, "changed": sum.changed })))
}
