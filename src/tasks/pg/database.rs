//! One database as the catalogs of its server show it.

use super::connect::Session;
use super::names::{Mark, MarkState, ident, literal};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::input::Stop;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Where new databases lie unless they say otherwise.
pub const DEFAULT_TABLESPACE: &str = "pg_default";

/// How a database is made: everything that `CREATE DATABASE` fixes for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub owner: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `c`, `i` or `b`; absent before PostgreSQL 15.
    #[serde(default)]
    pub provider: Option<String>,
    /// Locale of the provider, where it is not the C library.
    #[serde(default)]
    pub locale: Option<String>,
    pub tablespace: String,
}

impl Shape {
    /// The statement that makes an empty database of this shape.
    pub fn create(&self, name: &str) -> String {
        let mut sql = format!(
            "CREATE DATABASE {} WITH TEMPLATE template0 OWNER {} ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            ident(name),
            ident(&self.owner),
            literal(&self.encoding),
            literal(&self.collate),
            literal(&self.ctype)
        );
        // Naming the default asks for a right on it that only superusers have.
        if self.tablespace != DEFAULT_TABLESPACE {
            sql.push_str(&format!(" TABLESPACE {}", ident(&self.tablespace)));
        }
        match (self.provider.as_deref(), &self.locale) {
            (Some("i"), Some(locale)) => sql.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(locale))),
            (Some("b"), Some(locale)) => {
                sql.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale)));
            }
            _ => {}
        }
        sql
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub name: String,
    pub oid: u32,
    pub shape: Shape,
    pub allow_connections: bool,
    pub connection_limit: i64,
    pub comment: Option<String>,
}

impl Database {
    pub fn mark(&self) -> Option<Mark> {
        Mark::parse(self.comment.as_deref()?)
    }
}

/// Whole rows travel as JSON, because the columns differ between server versions.
const SELECT: &str = "SELECT to_jsonb(d) || jsonb_build_object('owner', pg_get_userbyid(d.datdba), \
     'encoding_name', pg_encoding_to_char(d.encoding), 'tablespace', t.spcname, \
     'comment', shobj_description(d.oid, 'pg_database'), 'oid_number', d.oid::bigint) \
     FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE ";

/// The database of this name, if there is one.
pub async fn find(session: &Session, name: &str) -> Result<Option<Database>, Stop> {
    let row = session.maybe("reading the list of databases", &format!("{SELECT} d.datname = $1"), &[&name]).await?;
    row.map(|row| parse(&row.get::<_, Value>(0))).transpose().map_err(Stop::from)
}

/// The database with this object id, whatever it is called now.
pub async fn find_oid(session: &Session, oid: u32) -> Result<Option<Database>, Stop> {
    let row = session.maybe("reading the list of databases", &format!("{SELECT} d.oid = $1"), &[&oid]).await?;
    row.map(|row| parse(&row.get::<_, Value>(0))).transpose().map_err(Stop::from)
}

/// All databases but templates, by name.
pub async fn all(session: &Session) -> Result<Vec<Database>, Stop> {
    let all = format!("{SELECT} NOT d.datistemplate ORDER BY d.datname");
    let rows = session.rows("reading the list of databases", &all, &[]).await?;
    let all: Result<Vec<Database>, Failure> = rows.iter().map(|row| parse(&row.get::<_, Value>(0))).collect();
    Ok(all?)
}

/// Every database that carries the mark of this run as its maker, whatever it is called now.
pub async fn made_by(session: &Session, run: &str) -> Result<Vec<Database>, Stop> {
    let marked = format!("{SELECT} shobj_description(d.oid, 'pg_database') LIKE 'relight run=%'");
    let rows = session.rows("reading the list of databases", &marked, &[]).await?;
    let all: Result<Vec<Database>, Failure> = rows.iter().map(|row| parse(&row.get::<_, Value>(0))).collect();
    let made = |database: &Database| {
        database.mark().is_some_and(|mark| mark.run == run && !matches!(mark.state, MarkState::Aside(_)))
    };
    Ok(all?.into_iter().filter(made).collect())
}

fn parse(row: &Value) -> Result<Database, Failure> {
    let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
    let need =
        |key: &str| text(key).ok_or_else(|| Failure::new(format!("the server's row of a database has no `{key}`")));
    Ok(Database {
        name: need("datname")?,
        oid: row
            .get("oid_number")
            .and_then(Value::as_u64)
            .and_then(|oid| u32::try_from(oid).ok())
            .ok_or_else(|| Failure::new("the server's row of a database has no object id"))?,
        shape: Shape {
            owner: need("owner")?,
            encoding: need("encoding_name")?,
            collate: need("datcollate")?,
            ctype: need("datctype")?,
            provider: text("datlocprovider"),
            locale: text("daticulocale").or_else(|| text("datlocale")),
            tablespace: need("tablespace")?,
        },
        allow_connections: row.get("datallowconn").and_then(Value::as_bool).unwrap_or(false),
        connection_limit: row.get("datconnlimit").and_then(Value::as_i64).unwrap_or(-1),
        comment: text("comment"),
    })
}

/// Makes an empty database and marks it as this run's.
pub async fn create(session: &Session, name: &str, shape: &Shape, run: &str) -> Result<(), Stop> {
    session.change(&format!("creating database `{name}`"), &shape.create(name)).await?;
    mark(session, name, &Mark::made(run)).await
}

pub async fn mark(session: &Session, name: &str, mark: &Mark) -> Result<(), Stop> {
    comment(session, name, Some(&mark.to_string())).await
}

pub async fn comment(session: &Session, name: &str, text: Option<&str>) -> Result<(), Stop> {
    let sql = comment_sql(name, text);
    session.change(&format!("marking database `{name}`"), &sql).await
}

pub fn comment_sql(name: &str, text: Option<&str>) -> String {
    format!("COMMENT ON DATABASE {} IS {}", ident(name), text.map_or_else(|| "NULL".to_owned(), literal))
}

/// The database of this name, if it is there and carries this run's mark. Anything else is refused.
pub async fn ours(session: &Session, name: &str, run: &str) -> Result<Database, Stop> {
    let Some(found) = find(session, name).await? else {
        return Err(Failure::new(format!("database `{name}` is not there"))
            .means("an earlier step did not make it, or someone removed or renamed it")
            .next("look at the list of databases on the server; make a new plan if it is gone")
            .into());
    };
    match found.mark() {
        Some(mark) if mark.run == run && !matches!(mark.state, MarkState::Aside(_)) => Ok(found),
        _ => Err(Failure::new(format!("database `{name}` was not made by this run"))
            .means("it does not carry this run's mark, so it is left alone")
            .next("find out whose it is; rename it or make a new plan")
            .into()),
    }
}

/// One session that is or was connected to a database.
pub struct Guest {
    pub pid: i32,
    pub title: String,
    /// Nobody's session but a process of the server, such as autovacuum.
    background: bool,
}

/// Sessions on these databases, other than our own.
pub async fn guests(session: &Session, oids: &[u32]) -> Result<Vec<Guest>, Stop> {
    let rows = session
        .rows(
            "listing sessions",
            "SELECT pid, coalesce(usename::text, '-'), coalesce(application_name, ''), \
             coalesce(host(client_addr), 'local'), coalesce(backend_type, ''), coalesce(state, ''), usesysid IS NULL \
             FROM pg_stat_activity WHERE datid = ANY($1) AND pid <> pg_backend_pid() ORDER BY pid",
            &[&oids],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let text = |index: usize| row.get::<_, String>(index);
            let title = format!(
                "pid {} user {} from {} application `{}` {} {}",
                row.get::<_, i32>(0),
                text(1),
                text(3),
                text(2),
                text(4),
                text(5)
            );
            let title = escaped(&title).into_owned();
            Guest { pid: row.get(0), title, background: row.get(6) }
        })
        .collect())
}

/// Ends every session on a database, and removes it.
pub async fn remove(session: &Session, database: &Database) -> Result<(), Stop> {
    expel(session, &[database.oid], Duration::from_secs(30)).await?;
    let doing = format!("removing database `{}`", escaped(&database.name));
    session.change(&doing, &format!("DROP DATABASE {}", ident(&database.name))).await
}

/// Ends every session on these databases and waits until none is left. Returns whom it ended.
pub async fn expel(session: &Session, oids: &[u32], within: Duration) -> Result<Vec<String>, Stop> {
    let deadline = Instant::now() + within;
    let (mut ended, mut asked) = (Vec::new(), std::collections::BTreeSet::new());
    loop {
        let left = guests(session, oids).await?;
        if left.is_empty() {
            return Ok(ended);
        }
        let mut only_background = true;
        for guest in &left {
            let told = session.rows("ending a session", "SELECT pg_terminate_backend($1)", &[&guest.pid]).await;
            match told {
                // Only superusers may end the server's own processes; a rename ends autovacuum by itself.
                Err(Stop::Failed(_)) if guest.background => continue,
                Err(Stop::Failed(failure)) => {
                    return Err(failure
                        .means("our user may not end this session")
                        .next("ask its owner to leave, or configure a superuser for this server, then try again")
                        .evidence(guest.title.clone())
                        .into());
                }
                told => drop(told?),
            }
            only_background = false;
            if asked.insert(guest.pid) {
                ended.push(guest.title.clone());
            }
        }
        if only_background {
            return Ok(ended);
        }
        if Instant::now() >= deadline {
            let mut failure =
                Failure::new(format!("{} sessions did not leave within {}s", left.len(), within.as_secs()))
                    .means("the database is still in use")
                    .next("stop these clients (pooler, exporter, application), then try again");
            for guest in left {
                failure = failure.evidence(guest.title);
            }
            return Err(failure.into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Ends sessions that carry this run's label on one database: what a dead runner's programs left behind.
pub async fn end_orphans(session: &Session, oid: u32, run: &str, within: Duration) -> Result<u64, Stop> {
    let prefix = format!("relight:{run}:");
    let deadline = Instant::now() + within;
    let mut ended = 0;
    loop {
        let row = session
            .row(
                "ending sessions that an earlier attempt left behind",
                "SELECT count(*), count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datid = $1 AND pid <> pg_backend_pid() AND starts_with(application_name, $2)",
                &[&oid, &prefix],
            )
            .await?;
        let left: i64 = row.get(0);
        ended = ended.max(left as u64);
        if left == 0 {
            return Ok(ended);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("{left} sessions of an earlier attempt do not end"))
                .means("something of the earlier attempt still works on the database")
                .next("end them by hand, then look again")
                .into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
