//! `pg.leftovers`: the databases on a server that nobody lives in: made or set aside by a run, or named like the
//! scratch databases of the estate.

use super::connect::{self, Session};
use super::database;
use super::inspect::size_of;
use super::names::MarkState;
use super::target::SERVER;
use crate::catalog::pattern::Pattern;
use crate::model::estate::{Estate, Server};
use crate::model::id::ServerId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::model::time::Timestamp;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub struct Leftovers;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.leftovers",
    summary: "List the scratch and set-aside databases of a server",
    effect: Effect::Observe,
    inputs: &[SERVER],
    outputs: &["left"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
}

/// One database that is left over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    pub database: String,
    pub why: Why,
    /// `None` where it cannot be read.
    pub size_bytes: Option<u64>,
    /// When it was made, as its files tell; `None` where our user may not look at them.
    pub made_at: Option<Timestamp>,
    pub sessions: u64,
}

/// How it is known to be left over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Why {
    /// A run made it and did not bring it into use.
    Made { run: String },
    /// A run loaded it from a backup and did not swap it in.
    Restored { run: String },
    /// The former live database, kept by the run that swapped another one in.
    Aside { run: String },
    /// Its name fits one of the server's `leftovers`.
    Named { pattern: String },
}

#[async_trait::async_trait]
impl Module for Leftovers {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(look(cx, input).await)
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.server)?;
    let session = Session::open(cx, server, &server.maintenance_db).await?;
    let mut left = Vec::new();
    for found in database::all(&session).await? {
        if is_live(&cx.estate, server, &found.name) {
            continue;
        }
        let by_mark = found.mark().map(|mark| match mark.state {
            MarkState::Made => Why::Made { run: mark.run },
            MarkState::Restored(_) => Why::Restored { run: mark.run },
            MarkState::Aside(_) => Why::Aside { run: mark.run },
        });
        let Some(why) = by_mark.or_else(|| by_name(server, &found.name)) else { continue };
        left.push(Leftover {
            why,
            size_bytes: size_of(&session, found.oid).await?,
            made_at: made_at(&session, found.oid).await?,
            sessions: database::guests(&session, &[found.oid]).await?.len() as u64,
            database: found.name,
        });
    }
    Ok(values(json!({ "left": left })))
}

fn is_live(estate: &Estate, server: &Server, name: &str) -> bool {
    // Halves of a pair hold the same databases, whichever of them the asset names.
    let half = |id: &ServerId| *id == server.id || server.standby.as_ref() == Some(id);
    let lives = |asset: &crate::model::estate::Asset| {
        asset.server.as_ref().is_some_and(half) && asset.database.as_deref() == Some(name)
    };
    name == server.maintenance_db || estate.assets.iter().any(lives)
}

fn by_name(server: &Server, name: &str) -> Option<Why> {
    let fits = |text: &&String| Pattern::parse(text).is_ok_and(|pattern| pattern.matches(name).is_some());
    server.leftovers.iter().find(fits).map(|pattern| Why::Named { pattern: pattern.clone() })
}

/// Every database keeps a file from its making that nothing ever writes again. Looking at it is a right of
/// superusers, who may grant it.
async fn made_at(session: &Session, oid: u32) -> Result<Option<Timestamp>, Stop> {
    const SQL: &str = "SELECT extract(epoch FROM CASE WHEN has_function_privilege('pg_stat_file(text,boolean)', 'EXECUTE') \
        THEN (pg_stat_file('base/' || $1::oid || '/PG_VERSION', true)).modification END)::bigint";
    let row = session.row("looking when a database was made", SQL, &[&oid]).await?;
    Ok(row.get::<_, Option<i64>>(0).and_then(|seconds| Timestamp::from_timestamp(seconds, 0)))
}
