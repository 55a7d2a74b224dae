//! PgBouncer: new queries wait at its admin console while its file of databases is replaced, and go on to the
//! other server. What it then leads to is asked of it, not assumed.

use super::file::Place;
use crate::model::estate::{Server, TrafficPooler};
use crate::model::task::{Failure, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, values};
use crate::tasks::module::Reality;
use crate::tasks::pg::connect::{self, Session, sql_failure};
use serde_json::json;
use std::time::Duration;
use tokio_postgres::SimpleQueryMessage;

/// How long running queries may hold up the change. With the old server gone they have no end.
const PAUSE: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(20);

pub struct Pooler<'a> {
    cx: &'a TaskContext,
    to: &'a TrafficPooler,
    file: Place<'a>,
    database: &'a str,
}

impl<'a> Pooler<'a> {
    /// `database` is the asset's, where the configuration does not name the pooler's.
    pub fn of(cx: &'a TaskContext, to: &'a TrafficPooler, database: &'a str, stamp: &str) -> Result<Self, Failure> {
        let database = to.database.as_deref().unwrap_or(database);
        Ok(Self { cx, to, file: Place::of(cx, &to.file, stamp)?, database })
    }

    pub async fn point(&self, server: &Server) -> Result<Values, Stop> {
        // Before anything is changed: a console that lets nobody in can neither reload nor tell.
        self.leads_to().await?;
        self.while_paused(self.file.write(server)).await?;
        let leads = self.leads_to().await?;
        if leads.as_deref() != Some(&target(server)) {
            return Err(Failure::new(format!("PgBouncer leads `{}` to {}", escaped(self.database), shown(leads)))
                .means(format!("its file says {}, and its clients are not led there", connect::address(server)))
                .next("check that `path` is the file that PgBouncer's %include reads, then retry")
                .into());
        }
        let mut told = self.file.told(server).await?;
        told.insert("pooler".to_owned(), json!(format!("leads `{}` to {}", escaped(self.database), target(server))));
        Ok(told)
    }

    pub async fn back(&self) -> Result<Values, Stop> {
        self.leads_to().await?;
        self.while_paused(self.file.restore()).await?;
        let leads = shown(self.leads_to().await?);
        Ok(values(json!({ "traffic": format!("PgBouncer leads `{}` to {leads} again", escaped(self.database)) })))
    }

    pub async fn reality(&self, server: &Server) -> Result<Reality, Stop> {
        let leads = self.leads_to().await?;
        Ok(if leads.as_deref() == Some(&target(server)) {
            // Only whoever was stopped between pause and resume would leave it paused.
            self.resume().await?;
            Reality::NotDone("it leads there; it is told again".to_owned())
        } else {
            Reality::NotDone(format!("it leads to {}", shown(leads)))
        })
    }

    /// Holds new queries back, does the work, reloads, and lets them go on, whatever became of the work.
    async fn while_paused(&self, work: impl Future<Output = Result<(), Stop>>) -> Result<(), Stop> {
        let pause = format!("PAUSE {}", quoted(self.database));
        match tokio::time::timeout(PAUSE, self.say(&pause)).await {
            Ok(Ok(_)) => {}
            // What was paused before stays for the reload; `resume` below lets it go on.
            Ok(Err(Stop::Failed(failure))) => self.cx.feed.line(format!("not paused: {}", failure.what)),
            Ok(Err(stop)) => return Err(stop),
            Err(_) => self
                .cx
                .feed
                .line(format!("not paused: queries still run after {} s; theirs may be cut off", PAUSE.as_secs())),
        }
        let worked = async {
            work.await?;
            self.say("RELOAD").await.map(|_| ())
        };
        let worked = worked.await;
        let resumed = self.resume().await;
        worked.and(resumed)
    }

    async fn resume(&self) -> Result<(), Stop> {
        match self.say(&format!("RESUME {}", quoted(self.database))).await {
            Ok(_) => Ok(()),
            Err(Stop::Failed(failure)) if failure.what.contains("not paused") => Ok(()),
            Err(Stop::Failed(failure)) => Err(Stop::Unknown(
                failure
                    .means("queries may be held back at PgBouncer")
                    .next("RESUME at its admin console, then look again"),
            )),
            Err(stop) => Err(stop),
        }
    }

    /// `host:port` of the database, as the pooler itself tells; `None` where it does not know it.
    async fn leads_to(&self) -> Result<Option<String>, Stop> {
        let said = self.say("SHOW DATABASES").await?;
        let rows = said.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        for row in rows {
            if row.try_get("name").ok().flatten() == Some(self.database) {
                let field = |name| row.try_get(name).ok().flatten().unwrap_or_default();
                return Ok(Some(format!("{}:{}", field("host"), field("port"))));
            }
        }
        Ok(None)
    }

    /// One command at the console, over a line of its own.
    async fn say(&self, command: &str) -> Result<Vec<SimpleQueryMessage>, Stop> {
        let console = Session::console(self.cx, &self.to.console).await?;
        let doing = || format!("`{command}` at PgBouncer's console");
        match tokio::time::timeout(ANSWER, console.client().simple_query(command)).await {
            Ok(Ok(said)) => Ok(said),
            Ok(Err(error)) => Err(sql_failure(&doing(), &error).into()),
            Err(_) => Err(Stop::Unknown(
                Failure::new(format!("{} got no answer within {} s", doing(), ANSWER.as_secs()))
                    .means("it may have done it")
                    .next("look again at what it leads to"),
            )),
        }
    }
}

fn target(server: &Server) -> String {
    format!("{}:{}", server.host, server.port)
}

fn shown(leads: Option<String>) -> String {
    leads.map_or_else(|| "nowhere: it does not know that database".to_owned(), |to| escaped(&to).into_owned())
}

/// As the console's own parser reads names.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
