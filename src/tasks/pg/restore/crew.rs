//! Sessions beside the one that keeps the order: they take chunks of rows, build indexes, check foreign keys and gather
//! statistics.

use super::build::{Build, Stage};
use super::parallel::MEANS;
use super::parts::Chunk;
use super::psql::{self, MEND};
use crate::model::estate::Server;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::pg::connect::{Session, sql_failure};
use crate::tasks::pg::script::full_name;
use bytes::Bytes;
use futures::SinkExt;
use tokio::sync::mpsc;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

/// How often a build that met another's locks is tried again.
const DEADLOCKS: usize = 5;

/// Only servers that know helpers, version 11 and later, have the setting.
const NO_HELPERS: &str = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'max_parallel_maintenance_workers'";
const HELPERS: &str = "SELECT pg_catalog.set_config(name, reset_val, false) FROM pg_catalog.pg_settings WHERE name = 'max_parallel_maintenance_workers'";

/// A check joins the two tables. The planner, which has no statistics yet, hashes the table that is pointed to; beyond
/// the processor's cache every look into the hash waits for memory, and sorting numbers and instants takes half the
/// time (measured on 300 000 to 20 000 000 rows). Values of other kinds are left to the planner.
const SORTED: &str = "SELECT pg_catalog.set_config('enable_hashjoin', 'off', false) FROM pg_catalog.pg_class referenced
    WHERE referenced.oid OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.regclass
        AND referenced.reltuples OPERATOR(pg_catalog.>) 200000
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_index key
            JOIN pg_catalog.pg_attribute part ON part.attrelid OPERATOR(pg_catalog.=) key.indexrelid
            WHERE key.indrelid OPERATOR(pg_catalog.=) referenced.oid AND key.indisunique AND NOT part.attbyval)";
const AS_BEFORE: &str = "RESET enable_hashjoin";

pub enum Piece {
    Rows(Bytes),
    /// All of the chunk was handed over; so many rows.
    End(u64),
}

/// Sessions that load and build, made as they are needed.
pub struct Crew<'a> {
    cx: &'a TaskContext,
    server: &'a Server,
    side: &'a str,
    /// Of the dump, and those by which a load is quicker; see [`super::settings`].
    settings: &'a str,
    /// Open already, and without its settings: `psql` is the first to try them, and names the line of a bad one.
    first: Option<Session>,
    hired: usize,
    pub most: usize,
    pub idle: Vec<Session>,
}

impl<'a> Crew<'a> {
    /// `most` sessions on the side database, with the `first` among them.
    pub fn new(
        cx: &'a TaskContext,
        (server, side): (&'a Server, &'a str),
        settings: &'a str,
        most: usize,
        first: Session,
    ) -> Self {
        Self { cx, server, side, settings, first: Some(first), hired: 0, most, idle: Vec::new() }
    }

    /// One that has nothing to do, if there is or may be one.
    pub async fn spare(&mut self) -> Result<Option<Session>, Stop> {
        if let Some(session) = self.idle.pop() {
            return Ok(Some(session));
        }
        if self.hired == self.most {
            return Ok(None);
        }
        let session = match self.first.take() {
            Some(session) => session,
            None => Session::open(self.cx, self.server, self.side).await?,
        };
        session.change("preparing a session for the load", self.settings).await?;
        self.hired += 1;
        Ok(Some(session))
    }
}

/// Quoted names of all that statistics are gathered of, each with its partitions behind it: those are gathered along
/// with it. Those of the catalogs come with every new database.
pub async fn with_statistics(session: &Session) -> Result<Vec<Vec<String>>, Stop> {
    // As JSON, because servers before version 10 have no partitions.
    let sql = "WITH RECURSIVE every (root, oid) AS (
            SELECT c.oid, c.oid FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
            WHERE c.relkind IN ('r', 'm', 'p') AND c.relpersistence <> 't' AND c.oid >= 16384
                AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
                AND NOT coalesce((pg_catalog.to_jsonb(c) ->> 'relispartition')::pg_catalog.bool, false)
            UNION ALL SELECT every.root, i.inhrelid FROM every
            JOIN pg_catalog.pg_inherits i ON i.inhparent OPERATOR(pg_catalog.=) every.oid
            JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.inhrelid
            WHERE coalesce((pg_catalog.to_jsonb(c) ->> 'relispartition')::pg_catalog.bool, false))
        SELECT every.root, n.nspname::pg_catalog.text, c.relname::pg_catalog.text FROM every
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) every.oid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        ORDER BY every.root, every.root <> every.oid";
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for row in session.rows("listing the tables that were restored", sql, &[]).await? {
        let (root, name) = (row.get::<_, u32>(0), full_name(row.get(1), row.get(2)));
        match found.last_mut().filter(|_| last == Some(root)) {
            Some(group) => group.push(name),
            None => found.push(vec![name]),
        }
        last = Some(root);
    }
    Ok(found)
}

/// One chunk of rows into its table, all or nothing.
pub async fn copy(session: &Session, chunk: &Chunk, mut pieces: mpsc::Receiver<Piece>) -> Result<(), Stop> {
    let failed = |error: &tokio_postgres::Error| Stop::Failed(copy_failure(chunk, error));
    let sink = session.client().copy_in(&*chunk.statement).await.map_err(|error| failed(&error))?;
    futures::pin_mut!(sink);
    let mut open = true;
    loop {
        match pieces.recv().await {
            // Why the server no longer listens is its answer to the end.
            Some(Piece::Rows(bytes)) if open => open = sink.feed(bytes).await.is_ok(),
            Some(Piece::Rows(_)) => {}
            Some(Piece::End(expected)) => {
                let rows = sink.as_mut().finish().await.map_err(|error| failed(&error))?;
                if rows == expected {
                    return Ok(());
                }
                let what = format!("the server took {rows} rows of {}, the dump has {expected} there", chunk.table);
                return Err(Failure::new(what).means(MEANS).next("retry, or choose another backup").into());
            }
            // Dropped without an end, the server forgets the chunk.
            None => return Err(Failure::new("the load was stopped in the middle of a table").into()),
        }
    }
}

fn copy_failure(chunk: &Chunk, error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else { return lost(&format!("loading rows of {}", chunk.table), error) };
    // `COPY items, line 3, column price: "x"`
    let place = db.where_().and_then(|at| at.split_once(", line ")?.1.split([',', ':']).next()?.parse::<u64>().ok());
    let failure = refused(chunk.line + place.unwrap_or(1).saturating_sub(1), db);
    db.where_().into_iter().fold(failure, |failure, place| failure.evidence(escaped(place).into_owned()))
}

/// One build. Two that wait for each other's locks are told apart by the server, and one of them comes again. Without
/// `helpers` the server's own processes do not help.
pub async fn make(session: &Session, build: &Build, helpers: bool) -> Result<(), Stop> {
    match (build.stage, build.locks.get(1)) {
        (Stage::Analyse, _) => {
            let table = escaped(build.table());
            let gathered = session.client().batch_execute(&build.sql).await;
            gathered.map_err(|error| lost(&format!("gathering statistics of {table}"), &error).into())
        }
        (Stage::Check, Some((referenced, _))) => {
            session.rows("saying how a foreign key is checked", SORTED, &[referenced]).await?;
            built(session, build).await?;
            session.change("planning as before", AS_BEFORE).await
        }
        _ => {
            session.change("saying how many processes may build", if helpers { HELPERS } else { NO_HELPERS }).await?;
            built(session, build).await
        }
    }
}

async fn built(session: &Session, build: &Build) -> Result<(), Stop> {
    for _ in 0..DEADLOCKS {
        match session.client().batch_execute(&build.sql).await {
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => {}
            Err(error) => return Err(build_failure(build, &error).into()),
            Ok(()) => return Ok(()),
        }
    }
    let what =
        format!("line {} of the dump failed: the locks that it needs were refused {DEADLOCKS} times", build.line);
    Err(Failure::new(what).means(MEANS).next("retry with `jobs` 1").into())
}

fn build_failure(build: &Build, error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else { return lost(&format!("line {} of the dump", build.line), error) };
    let before = if let Some(ErrorPosition::Original(at)) = db.position() {
        build.sql.chars().take(*at as usize).filter(|c| *c == '\n').count()
    } else {
        let is_code = |line: &str| !line.is_empty() && !line.starts_with("--");
        build.ahead + build.sql.lines().skip(build.ahead).take_while(|line| !is_code(line)).count()
    };
    refused(build.line + before.saturating_sub(build.ahead) as u64, db)
}

/// The server's no to a line of the dump.
fn refused(line: u64, db: &DbError) -> Failure {
    let failure = psql::failed_line(line, &format!("{}: {} ({})", db.severity(), db.message(), db.code().code()));
    let more = [db.detail(), db.hint()].into_iter().flatten();
    more.fold(failure, |failure, line| failure.evidence(escaped(line).into_owned())).means(MEANS).next(MEND)
}

fn lost(doing: &str, error: &tokio_postgres::Error) -> Failure {
    sql_failure(doing, error).means(MEANS).next(MEND)
}
