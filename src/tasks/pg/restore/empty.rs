//! The side database without anything in it, whatever an earlier attempt left of it.

use crate::model::estate::Server;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::notes;
use crate::tasks::pg::connect::Session;
use crate::tasks::pg::database::{self, Database, Shape};
use crate::tasks::pg::names::{Mark, MarkState};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const FILE: &str = "restore-side.json";

/// How the side database was made; there from before it is removed until it is made anew.
#[derive(Serialize, Deserialize)]
struct Note {
    side: String,
    shape: Shape,
}

fn note(cx: &TaskContext, side: &str) -> Option<Note> {
    notes::read(cx, FILE).filter(|note: &Note| note.side == side)
}

/// Whether an attempt ended after it had removed the side database, and before it had made it anew.
pub fn is_between(cx: &TaskContext, side: &str) -> bool {
    note(cx, side).is_some()
}

/// Whether an attempt ended after it had made the side database anew, and before it had marked it.
pub async fn is_unmarked(cx: &TaskContext, server: &Server, side: &Database) -> Result<bool, Stop> {
    Ok(side.comment.is_none() && is_between(cx, &side.name) && is_pristine(cx, server, side).await?)
}

/// A note that stays does no harm while the database is there.
fn forget(cx: &TaskContext) {
    let _ = std::fs::remove_file(cx.work_dir.join(FILE));
}

/// The side database of this run; made anew, or marked, where an attempt ended in between.
pub async fn found(cx: &TaskContext, session: &Session, server: &Server, name: &str) -> Result<Database, Stop> {
    if let Some(note) = note(cx, name) {
        match database::find(session, name).await? {
            None => {
                cx.feed.line(format!("making {} anew, which an earlier attempt removed", escaped(name)));
                database::create(session, name, &note.shape, &cx.owner.run).await?;
                forget(cx);
            }
            Some(side) if is_unmarked(cx, server, &side).await? => {
                database::mark(session, name, &Mark::made(&cx.owner.run)).await?;
                forget(cx);
            }
            Some(_) => {}
        }
    }
    database::ours(session, name, &cx.owner.run).await
}

/// Nothing is in it afterwards: it is made anew where an earlier attempt left something.
pub async fn emptied(cx: &TaskContext, session: &Session, server: &Server, side: Database) -> Result<Database, Stop> {
    database::end_orphans(session, side.oid, &cx.owner.run, Duration::from_secs(30)).await?;
    if is_pristine(cx, server, &side).await? {
        return Ok(side);
    }
    cx.feed.line(format!("emptying {} after an earlier attempt", escaped(&side.name)));
    let note = Note { side: side.name.clone(), shape: side.shape.clone() };
    notes::write(cx, FILE, &note).map_err(|error| {
        Failure::new(format!("the run's note of how the side database is made could not be written: {error}"))
            .means("nothing was removed")
            .next("make room or mend the state folder, then retry")
    })?;
    database::remove(session, &side).await?;
    database::create(session, &side.name, &side.shape, &cx.owner.run).await?;
    forget(cx);
    database::ours(session, &side.name, &cx.owner.run).await
}

pub async fn is_pristine(cx: &TaskContext, server: &Server, side: &Database) -> Result<bool, Stop> {
    if side.mark().is_some_and(|mark| mark.state != MarkState::Made) {
        return Ok(false);
    }
    let session = Session::open(cx, server, &side.name).await?;
    let row = session
        .row(
            "looking whether the side database is empty",
            "SELECT (SELECT count(*) FROM pg_class WHERE oid >= 16384) + (SELECT count(*) FROM pg_proc WHERE oid >= 16384) \
             + (SELECT count(*) FROM pg_type WHERE oid >= 16384) + (SELECT count(*) FROM pg_namespace WHERE oid >= 16384)",
            &[],
        )
        .await?;
    Ok(row.get::<_, i64>(0) == 0)
}
