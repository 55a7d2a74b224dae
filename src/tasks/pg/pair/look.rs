//! One look at one server from this machine: what it said, or exactly how it said nothing.

use crate::model::estate::Server;
use crate::model::task::Failure;
use crate::model::time::Timestamp;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::pg::connect::{Session, address};
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;

const KNOCK_LIMIT: Duration = Duration::from_secs(4);
const ANSWER_LIMIT: Duration = Duration::from_secs(6);
/// Between two looks of whoever waits for a server.
pub const BETWEEN: Duration = Duration::from_millis(500);

/// A position in the write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(pub u64);

impl Lsn {
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.trim().split_once('/')?;
        let (high, low) = (u32::from_str_radix(high, 16).ok()?, u32::from_str_radix(low, 16).ok()?);
        Some(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// What a server that answers says of itself.
#[derive(Clone, Debug)]
pub struct Live {
    pub system_identifier: String,
    pub version: String,
    /// In recovery: it takes no writes.
    pub standby: bool,
    pub timeline: i32,
    /// A primary's end of log; how far a standby has applied it.
    pub position: Lsn,
    /// How far a standby has the log.
    pub received: Option<Lsn>,
    /// Commit time of the last transaction that a standby applied.
    pub last_commit: Option<Timestamp>,
    /// State of a standby's receiver; absent while it has no line to its primary.
    pub receiver: Option<String>,
    pub checksums_or_hints: bool,
}

impl Live {
    pub const fn role(&self) -> &'static str {
        if self.standby { "standby" } else { "primary" }
    }
}

#[derive(Clone, Debug)]
pub enum Seen {
    Up(Live),
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
            Seen::Up(live) => format!("answers as {}", live.role()),
            Seen::Refused => "refuses connections: nothing listens there".to_owned(),
            Seen::Closed(failure) => format!("listens and lets nobody in ({})", failure.what),
            Seen::Silent(how) => format!("gives no answer ({how}): dead, paused or cut off, nobody can tell from here"),
        }
    }

    pub fn writable(&self) -> bool {
        matches!(self, Seen::Up(live) if !live.standby)
    }
}

/// Looks once. Only a cancellation stops it: everything else is an observation.
pub async fn look(cx: &TaskContext, server: &Server) -> Result<Seen, Stop> {
    let knock = TcpStream::connect((server.host.as_str(), server.port));
    let knocked = tokio::select! {
        knocked = tokio::time::timeout(KNOCK_LIMIT, knock) => knocked,
        reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
    };
    match knocked {
        Err(_) => return Ok(Seen::Silent(format!("no connection within {} s", KNOCK_LIMIT.as_secs()))),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => return Ok(Seen::Refused),
        Ok(Err(error)) => return Ok(Seen::Silent(error.to_string())),
        Ok(Ok(_)) => {}
    }
    match tokio::time::timeout(ANSWER_LIMIT, ask(cx, server)).await {
        Err(_) => Ok(Seen::Silent(format!("it takes connections and says nothing for {} s", ANSWER_LIMIT.as_secs()))),
        Ok(Ok(live)) => Ok(Seen::Up(live)),
        Ok(Err(cancelled @ Stop::Cancelled(_))) => Err(cancelled),
        Ok(Err(Stop::Failed(failure) | Stop::Unknown(failure))) => Ok(Seen::Closed(failure)),
    }
}

async fn ask(cx: &TaskContext, server: &Server) -> Result<Live, Stop> {
    let session = Session::open(cx, server, &server.maintenance_db).await?;
    let row = session
        .row(
            "reading the server's role",
            "SELECT s.system_identifier::text, current_setting('server_version'), pg_is_in_recovery(), \
             CASE WHEN pg_is_in_recovery() THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), c.timeline_id) \
                  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END, \
             (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text, \
             pg_last_wal_receive_lsn()::text, \
             CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() END, \
             (SELECT status FROM pg_stat_wal_receiver), \
             current_setting('wal_log_hints') = 'on' OR current_setting('data_checksums') = 'on' \
             FROM pg_control_system() s, pg_control_checkpoint() c",
            &[],
        )
        .await?;
    let position: Option<String> = row.get(4);
    let received: Option<String> = row.get(5);
    Ok(Live {
        system_identifier: row.get(0),
        version: row.get(1),
        standby: row.get(2),
        timeline: row.get(3),
        position: position.as_deref().and_then(Lsn::parse).unwrap_or(Lsn(0)),
        received: received.as_deref().and_then(Lsn::parse),
        last_commit: row.get(6),
        receiver: row.get(7),
        checksums_or_hints: row.get(8),
    })
}

/// The server as a standby of the planned cluster, or why it is not that.
pub fn standby_of(server: &Server, seen: Seen, system_identifier: &str) -> Result<Live, Failure> {
    let live = of_cluster(server, seen, system_identifier)?;
    if live.standby {
        return Ok(live);
    }
    Err(Failure::new(format!("server `{}` at {} is no standby: it takes writes", server.id, address(server)))
        .means("the roles are not what the plan saw; nothing was done")
        .next("look at both servers, then make a new plan"))
}

/// The server as the writable half of the planned cluster, or why it is not that.
pub fn primary_of(server: &Server, seen: Seen, system_identifier: &str) -> Result<Live, Failure> {
    let live = of_cluster(server, seen, system_identifier)?;
    if !live.standby {
        return Ok(live);
    }
    Err(Failure::new(format!("server `{}` at {} is a standby, not the primary", server.id, address(server)))
        .means("the roles are not what the plan saw; nothing was done")
        .next("look at both servers, then make a new plan"))
}

pub fn of_cluster(server: &Server, seen: Seen, system_identifier: &str) -> Result<Live, Failure> {
    match seen {
        Seen::Up(live) if live.system_identifier == system_identifier => Ok(live),
        Seen::Up(live) => Err(Failure::new(format!(
            "server `{}` at {} is cluster {}, not {system_identifier} as planned",
            server.id,
            address(server),
            live.system_identifier
        ))
        .means("another PostgreSQL cluster answers there; nothing was done")
        .next("find out what changed, then make a new plan")),
        other => Err(Failure::new(format!("server `{}` at {} {}", server.id, address(server), other.words()))
            .means("its state is not known from here")
            .next("look at the server and the network between, then try again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_and_write_alike() {
        for text in ["0/0", "0/3000148", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(Lsn::parse(text).unwrap().to_string(), text);
        }
        assert!(Lsn::parse("0/3000148").unwrap() < Lsn::parse("1/0").unwrap());
        assert!(Lsn::parse("3000148").is_none() && Lsn::parse("0/x").is_none());
    }
}
