//! The rows of the backup beside those of the live database, in one transaction that nobody else sees.

use super::table::Table;
use crate::model::task::{Failure, Progress, Unit};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::module::{InputKind, InputSpec};
use crate::tasks::pg::connect::{Session, sql_failure};
use crate::tasks::pg::database;
use crate::tasks::pg::target::{CLUSTER, SERVER, Target};
use crate::tasks::progress::telling;
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Input of the modules that work on rows of two databases.
#[derive(Deserialize)]
pub struct Both {
    #[serde(flatten)]
    pub target: Target,
    pub database: String,
    pub live_oid: u32,
    pub side: String,
    pub tables: String,
}

/// Rows of these modules' inputs.
pub const BOTH: [InputSpec; 6] = [
    SERVER,
    CLUSTER,
    InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
    InputSpec { name: "live_oid", kind: InputKind::Integer, required: true, help: "Object id in the plan" },
    InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Database that the backup was restored to" },
    InputSpec {
        name: "tables",
        kind: InputKind::Text,
        required: true,
        help: "Tables to bring back, with commas between, parents before children",
    },
];

/// What the backup's rows of one table are to the live ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub in_backup: u64,
    /// In the backup, and not in the live table.
    pub missing: u64,
    /// In both, with other content.
    pub changed: u64,
    /// In the live table alone; never touched.
    pub only_live: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { in_backup, missing, changed, only_live } = self;
        write!(f, "{in_backup} in the backup, {missing} missing, {changed} changed, {only_live} only in the live table")
    }
}

/// Sessions on the live and on the restored database, both held to the plan.
pub async fn sessions(cx: &TaskContext, input: &Both) -> Result<(Session, Session), Stop> {
    let (session, server) = input.target.open(cx).await?;
    let live = database::find(&session, &input.database).await?;
    if live.map(|live| live.oid) != Some(input.live_oid) {
        return Err(Failure::new(format!("`{}` is not the database of the plan any more", escaped(&input.database)))
            .means("nothing was done")
            .next("look what happened on the server, then make a new plan")
            .into());
    }
    database::ours(&session, &input.side, &cx.owner.run).await?;
    Ok((Session::open(cx, server, &input.database).await?, Session::open(cx, server, &input.side).await?))
}

/// Name of the staged rows of the table at this place of the list.
pub fn staged(index: usize) -> String {
    format!("pg_temp.relight_stage_{index}")
}

/// Copies the backup's rows into a temporary table of the open transaction.
pub async fn fill(cx: &TaskContext, live: &Session, side: &Session, table: &Table, index: usize) -> Result<(), Stop> {
    let (stage, list, full) = (staged(index), table.list(""), table.full());
    let bare = stage.trim_start_matches("pg_temp.").to_owned();
    let made = format!("CREATE TEMP TABLE {bare} ON COMMIT DROP AS SELECT {list} FROM {full} WITH NO DATA");
    live.change("making room for the backup's rows", &made).await?;
    let passed = AtomicU64::new(0);
    let look = || Progress {
        done: passed.load(Ordering::Relaxed),
        total: None,
        unit: Unit::Bytes,
        note: format!("reading {}", table.shown()),
    };
    let copying = async {
        let doing = format!("copying the rows of {}", table.shown());
        let failed = |error: tokio_postgres::Error| sql_failure(&doing, &error);
        let from = format!("COPY (SELECT {list} FROM {full}) TO STDOUT");
        let into = format!("COPY {stage} ({list}) FROM STDIN");
        let rows = side.client().copy_out(from.as_str()).await.map_err(failed)?;
        let sink = live.client().copy_in(into.as_str()).await.map_err(failed)?;
        futures::pin_mut!(rows, sink);
        while let Some(chunk) = rows.next().await {
            let chunk = chunk.map_err(failed)?;
            passed.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            sink.as_mut().feed(chunk).await.map_err(failed)?;
        }
        sink.as_mut().finish().await.map(drop).map_err(failed)
    };
    tokio::select! {
        done = telling(cx, look, copying) => done?,
        reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
    }
    live.change(
        "preparing the comparison",
        &format!("CREATE INDEX ON {stage} ({}); ANALYZE {stage}", table.key_list("")),
    )
    .await
}

pub async fn count(live: &Session, table: &Table, index: usize) -> Result<Counts, Stop> {
    let (stage, full, same) = (staged(index), table.full(), table.same_key());
    let sql = format!(
        "SELECT (SELECT count(*) FROM {stage}), \
         (SELECT count(*) FROM {stage} s WHERE NOT EXISTS (SELECT FROM {full} t WHERE {same})), \
         (SELECT count(*) FROM {stage} s JOIN {full} t ON {same} WHERE {}), \
         (SELECT count(*) FROM {full} t WHERE NOT EXISTS (SELECT FROM {stage} s WHERE {same}))",
        table.differs()
    );
    let row = live.row(&format!("comparing {}", table.shown()), &sql, &[]).await?;
    let number = |index: usize| row.get::<_, i64>(index) as u64;
    Ok(Counts { in_backup: number(0), missing: number(1), changed: number(2), only_live: number(3) })
}
