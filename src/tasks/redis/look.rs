//! One look at one Redis server: what it says of itself, or exactly how it said nothing.

use super::wire::{Reply, Session, Shut};
use crate::model::estate::Server;
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Between two looks of whoever waits for a server.
pub(super) const BETWEEN: Duration = Duration::from_millis(200);

/// Answer of `INFO`, by field.
#[derive(Clone, Debug, Default)]
pub struct Info(BTreeMap<String, String>);

/// Keys of one database, and how many of them will expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub keys: u64,
    pub expiring: u64,
}

impl Info {
    pub fn parse(text: &str) -> Self {
        let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(field).collect())
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.parse().ok()
    }

    pub fn is_on(&self, name: &str) -> bool {
        self.number(name).is_some_and(|number| number != 0)
    }

    /// Databases with keys in them.
    pub fn databases(&self) -> BTreeMap<u64, Count> {
        let one = |(name, value): (&String, &String)| {
            let number = name.strip_prefix("db")?.parse().ok()?;
            let part = |wanted: &str| value.split(',').find_map(|part| part.strip_prefix(wanted)?.parse().ok());
            Some((number, Count { keys: part("keys=")?, expiring: part("expires=").unwrap_or(0) }))
        };
        self.0.iter().filter_map(one).collect()
    }

    pub fn total(&self) -> Count {
        let sum = |sum: Count, one: &Count| Count { keys: sum.keys + one.keys, expiring: sum.expiring + one.expiring };
        self.databases().values().fold(Count::default(), sum)
    }

    pub fn is_replica(&self) -> bool {
        self.get("role") == "slave"
    }

    /// Keys that the load at its start took in, and those that had expired by then; servers before 7 do not tell.
    pub fn loaded(&self) -> Option<(u64, u64)> {
        Some((self.number("rdb_last_load_keys_loaded")?, self.number("rdb_last_load_keys_expired")?))
    }
}

#[derive(Debug)]
pub enum Seen {
    Up(Info),
    /// Nobody listens there; the machine itself said so.
    Refused,
    /// Someone listens and lets nobody in.
    Closed(Failure),
    /// Nothing came back. It may be dead, paused, or only unreachable from here.
    Silent(String),
}

impl Seen {
    pub fn words(&self) -> String {
        match self {
            Seen::Up(info) if info.is_on("loading") => "loads its data".to_owned(),
            Seen::Up(info) => format!("answers with {} keys", info.total().keys),
            Seen::Refused => "refuses connections: nothing listens there".to_owned(),
            Seen::Closed(failure) => format!("listens and lets nobody in ({})", failure.what),
            Seen::Silent(how) => format!("gives no answer ({how}): dead, paused or cut off, nobody can tell from here"),
        }
    }
}

/// Looks once. Only a cancellation stops it: everything else is an observation.
pub async fn look(cx: &TaskContext, server: &Server) -> Result<Seen, Stop> {
    let mut session = match Session::open(cx, server).await {
        Ok(session) => session,
        Err(Shut::Refused) => return Ok(Seen::Refused),
        Err(Shut::Silent(how)) => return Ok(Seen::Silent(how)),
        Err(Shut::Closed(failure)) => return Ok(Seen::Closed(failure)),
        Err(Shut::Cancelled(reason)) => return Err(Stop::Cancelled(reason)),
    };
    match info(&mut session).await {
        Ok(info) => Ok(Seen::Up(info)),
        Err(cancelled @ Stop::Cancelled(_)) => Err(cancelled),
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => Ok(Seen::Closed(failure)),
    }
}

pub(super) async fn info(session: &mut Session) -> Result<Info, Stop> {
    let text = session.ask(&["INFO"]).await?.text().unwrap_or_default();
    let info = Info::parse(&text);
    if info.get("role").is_empty() {
        return Err(Failure::new("what answers INFO there tells no role: it is no Redis").into());
    }
    Ok(info)
}

/// One setting of a running server; absent where it has none of that name.
pub(super) async fn setting(session: &mut Session, name: &str) -> Result<Option<String>, Stop> {
    match session.ask(&["CONFIG", "GET", name]).await? {
        Reply::List(items) => Ok(items.into_iter().nth(1).and_then(Reply::text)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_the_server_means_it() {
        let info = Info::parse(
            "# Server\r\nrole:slave\r\nloading:0\r\ndb0:keys=4,expires=1,avg_ttl=0\r\ndb11:keys=2,expires=0\r\nrdb_last_load_keys_expired:1\r\nrdb_last_load_keys_loaded:6\r\n",
        );
        assert!(info.is_replica() && !info.is_on("loading"));
        assert_eq!(info.total(), Count { keys: 6, expiring: 1 });
        assert_eq!(info.databases()[&11], Count { keys: 2, expiring: 0 });
        assert_eq!(info.loaded(), Some((6, 1)));
        assert_eq!(Info::parse("garbage\nx").loaded(), None);
    }
}
