//! The guarded exchange of names: close, empty, rename in one transaction, open; or everything as before.

use super::connect::{self, Session};
use super::database::{self, Database, comment_sql};
use super::names::ident;
use super::target::Target;
use crate::model::task::Failure;
use crate::tasks::context::{Cancel, TaskContext};
use crate::tasks::input::Stop;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Who takes which name.
#[derive(Debug)]
pub struct Exchange<'a> {
    pub target: &'a Target,
    /// The name that is taken over.
    pub name: &'a str,
    /// Holds the name now, and the name that it gets. `None`: the name is free.
    pub out: Option<(&'a Database, &'a str)>,
    pub coming: &'a Database,
    /// Further statements of the same transaction, after the renames.
    pub then: Vec<String>,
    pub comment_on_coming: Option<String>,
    pub comment_on_out: Option<String>,
    pub within: Duration,
}

/// What was closed, on disk before it is closed, so that a later look can open it again.
#[derive(Debug, Serialize, Deserialize)]
struct Closed {
    databases: Vec<(u32, bool)>,
}

/// How long to wait for the lock: a session of our own that was just closed may hold it a moment longer.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// One exchange of this name at a time, held as long as the session lives. A session that a dead runner of
/// this run left behind is ended first: it may still wait for something, and would go on with the exchange
/// at any later time.
pub async fn lock(cx: &TaskContext, session: &Session, name: &str) -> Result<(), Stop> {
    let key = format!("relight swap {name}");
    let deadline = tokio::time::Instant::now() + LOCK_PATIENCE;
    loop {
        let row = session
            .row("taking the swap lock", "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", &[&key])
            .await?;
        if row.get(0) {
            return Ok(());
        }
        let holders = holders(session, &key, &format!("relight:{}:", cx.owner.run)).await?;
        if tokio::time::Instant::now() >= deadline {
            let failure = Failure::new(format!("another swap of `{name}` is going on"))
                .means("someone else holds the lock; nothing was done")
                .next("look who it is (pg_locks, application name), and wait for them");
            return Err(holders.into_iter().fold(failure, Failure::evidence).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Who holds the lock; those whose application name begins with `own` are ended.
async fn holders(session: &Session, key: &str, own: &str) -> Result<Vec<String>, Stop> {
    let rows = session
        .rows(
            "looking who holds the swap lock",
            "SELECT 'pid ' || pid || ' application `' || coalesce(application_name, '') || '`', \
             CASE WHEN starts_with(application_name, $2) THEN pg_terminate_backend(pid) END \
             FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND pid IN (SELECT pid FROM pg_locks \
             WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
             AND (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0))",
            &[&key, &own],
        )
        .await?;
    Ok(rows.iter().map(|row| crate::model::text::escaped(&row.get::<_, String>(0)).into_owned()).collect())
}

impl Exchange<'_> {
    fn databases(&self) -> Vec<&Database> {
        self.out.iter().map(|(database, _)| *database).chain([self.coming]).collect()
    }

    /// Does it, or puts everything back and says why. Returns the sessions that were ended.
    pub async fn run(&self, cx: &TaskContext, session: &Session) -> Result<Vec<String>, Stop> {
        refuse_held(session, &self.databases()).await?;
        note(cx, &self.databases())?;
        match self.attempt(cx, session).await {
            Ok(ended) => {
                forget(cx);
                Ok(ended)
            }
            Err(stop @ Stop::Unknown(_)) => Err(stop),
            Err(stop) => Err(self.back(cx, session, stop).await),
        }
    }

    async fn attempt(&self, cx: &TaskContext, session: &Session) -> Result<Vec<String>, Stop> {
        let mut ended = Vec::new();
        for database in self.databases() {
            cx.feed.line(format!("closing {} to new sessions", crate::model::text::escaped(&database.name)));
            session
                .change(&format!("closing `{}` to new sessions", database.name), &allow(&database.name, false))
                .await?;
        }
        let oids: Vec<u32> = self.databases().iter().map(|database| database.oid).collect();
        for guest in database::expel(session, &oids, self.within).await? {
            cx.feed.line(format!("ended session: {guest}"));
            ended.push(guest);
        }
        cx.feed.line("renaming in one transaction");
        session.change("the exchange of names", &self.transaction()).await?;
        Ok(ended)
    }

    fn transaction(&self) -> String {
        let mut sql = vec!["BEGIN".to_owned()];
        if let Some((out, new_name)) = self.out {
            sql.push(format!("ALTER DATABASE {} RENAME TO {}", ident(&out.name), ident(new_name)));
            sql.push(comment_sql(new_name, self.comment_on_out.as_deref()));
            sql.push(allow(new_name, out.allow_connections));
        }
        sql.push(format!("ALTER DATABASE {} RENAME TO {}", ident(&self.coming.name), ident(self.name)));
        sql.push(comment_sql(self.name, self.comment_on_coming.as_deref()));
        sql.extend(self.then.iter().cloned());
        let open = self.out.is_none_or(|(out, _)| out.allow_connections);
        sql.push(allow(self.name, open));
        sql.push("COMMIT".to_owned());
        sql.join("; ")
    }

    /// Everything as it was: the transaction is rolled back, and both databases take sessions again.
    async fn back(&self, cx: &TaskContext, session: &Session, stop: Stop) -> Stop {
        // Fails only where there is no transaction or no line; the look below tells the truth either way.
        let _ = session.change("rolling back", "ROLLBACK").await;
        match reopen(cx, self.target).await {
            Ok(_) => match stop {
                Stop::Failed(failure) => Stop::Failed(if failure.meaning.is_empty() {
                    failure.means("both databases have their names and take sessions as before")
                } else {
                    failure.evidence("both databases have their names and take sessions as before")
                }),
                other => other,
            },
            Err(problem) => Stop::Unknown(
                Failure::new(format!(
                    "the swap failed ({}) and could not be taken back: {}",
                    stop.what(),
                    problem.what()
                ))
                .means(format!("`{}` may be closed to new sessions", self.name))
                .next(format!("look again; by hand: {}", allow(self.name, true))),
            ),
        }
    }
}

fn allow(name: &str, yes: bool) -> String {
    format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {yes}", ident(name))
}

/// Opens again what an unfinished exchange of this run closed. Returns how many databases that were.
pub async fn reopen(cx: &TaskContext, target: &Target) -> Result<usize, Stop> {
    let Some(closed) = noted(cx) else { return Ok(0) };
    let calm = TaskContext { cancel: Cancel::default(), ..cx.clone() };
    let (session, _) = target.open(&calm).await?;
    let mut opened = 0;
    for (oid, allowed) in closed.databases {
        let Some(found) = database::find_oid(&session, oid).await? else { continue };
        if found.allow_connections != allowed {
            session.change(&format!("opening `{}` again", found.name), &allow(&found.name, allowed)).await?;
            opened += 1;
        }
    }
    forget(cx);
    Ok(opened)
}

/// A rename is refused by the server while these exist; better to say so before closing anything.
async fn refuse_held(session: &Session, databases: &[&Database]) -> Result<(), Stop> {
    let names: Vec<&str> = databases.iter().map(|database| database.name.as_str()).collect();
    let held = session
        .rows(
            "looking for prepared transactions",
            "SELECT gid || ' in ' || database FROM pg_prepared_xacts WHERE database::text = ANY($1)",
            &[&names],
        )
        .await?;
    if held.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(format!("{} prepared transactions hold the database", held.len()))
        .means("the server would refuse the rename; nothing was done")
        .next("commit or roll back these transactions, then try again");
    for row in held {
        failure = failure.evidence(crate::model::text::escaped(&row.get::<_, String>(0)).into_owned());
    }
    Err(failure.into())
}

fn place(cx: &TaskContext) -> PathBuf {
    cx.work_dir.join("closed-databases.json")
}

fn note(cx: &TaskContext, databases: &[&Database]) -> Result<(), Failure> {
    if noted(cx).is_some() {
        return Err(Failure::new("an earlier exchange of this run was not settled")
            .means("databases may still be closed; nothing was done")
            .next("look again first"));
    }
    let closed =
        Closed { databases: databases.iter().map(|database| (database.oid, database.allow_connections)).collect() };
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(place(cx))?;
        file.write_all(&serde_json::to_vec(&closed)?)?;
        file.sync_all()?;
        std::fs::File::open(&cx.work_dir)?.sync_all()
    };
    write().map_err(|error| {
        Failure::new(format!("the state before the swap could not be written down: {error}")).means("nothing was done")
    })
}

fn noted(cx: &TaskContext) -> Option<Closed> {
    serde_json::from_slice(&std::fs::read(place(cx)).ok()?).ok()
}

fn forget(cx: &TaskContext) {
    // A stale note only makes a later look compare states that already agree.
    let _ = std::fs::remove_file(place(cx));
}

/// The two databases and the free name, as they are now.
#[derive(Debug)]
pub struct Scene {
    pub live: Option<Database>,
    pub side: Option<Database>,
    pub aside: Option<Database>,
}

impl Scene {
    pub async fn read(session: &Session, live: &str, side: &str, aside: &str) -> Result<Self, Stop> {
        Ok(Self {
            live: database::find(session, live).await?,
            side: database::find(session, side).await?,
            aside: database::find(session, aside).await?,
        })
    }

    pub fn describe(&self) -> String {
        let one =
            |found: &Option<Database>| found.as_ref().map_or("absent".to_owned(), |found| format!("oid {}", found.oid));
        format!("live {}, side {}, aside {}", one(&self.live), one(&self.side), one(&self.aside))
    }
}

/// Opens a session that a cancellation does not touch, for the look after an exchange of unknown end.
pub async fn calm_session(cx: &TaskContext, target: &Target) -> Result<Session, Stop> {
    let calm = TaskContext { cancel: Cancel::default(), ..cx.clone() };
    connect::server(&calm, &target.server)?;
    Ok(target.open(&calm).await?.0)
}
