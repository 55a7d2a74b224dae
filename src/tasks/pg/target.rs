//! The server that a step works on, held to the one that the plan saw.

use super::connect::{self, Session, address};
use crate::model::estate::{AssetKind, Server};
use crate::model::id::{AssetId, ServerId};
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::module::{InputKind, InputSpec};
use serde::Deserialize;

/// Part of the input of every module that works on a server.
#[derive(Clone, Debug, Deserialize)]
pub struct Target {
    pub server: ServerId,
    /// As `pg.inspect` read it while planning: another cluster behind the same address is refused.
    pub system_identifier: String,
}

impl Target {
    /// A session on the maintenance database, after checking that this is the planned cluster and that it
    /// is not a standby.
    pub async fn open<'a>(&self, cx: &'a TaskContext) -> Result<(Session, &'a Server), Stop> {
        let server = connect::server(cx, &self.server)?;
        let session = Session::open(cx, server, &server.maintenance_db).await?;
        let (found, standby) = cluster(&session).await?;
        if found != self.system_identifier {
            return Err(Failure::new(format!(
                "the server at {} is cluster {found}, not {} as planned",
                address(server),
                self.system_identifier
            ))
            .means("the address now leads to another PostgreSQL cluster; nothing was done")
            .next("find out what changed (failover, address, configuration), then make a new plan")
            .into());
        }
        if standby {
            return Err(standby_refused(server).into());
        }
        Ok((session, server))
    }
}

/// Row of a module's inputs: see [`Target::server`].
pub const SERVER: InputSpec =
    InputSpec { name: "server", kind: InputKind::Text, required: true, help: "Server of the configuration" };

/// Row of a module's inputs: see [`Target::system_identifier`].
pub const CLUSTER: InputSpec =
    InputSpec { name: "system_identifier", kind: InputKind::Text, required: true, help: "Cluster that the plan saw" };

/// System identifier, and whether the server is in recovery.
pub async fn cluster(session: &Session) -> Result<(String, bool), Stop> {
    let row = session
        .row(
            "reading the cluster's identity",
            "SELECT system_identifier::text, pg_is_in_recovery() FROM pg_control_system()",
            &[],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}

pub fn standby_refused(server: &Server) -> Failure {
    Failure::new(format!("the server at {} is a standby", address(server)))
        .means("a standby takes no restore; its primary is elsewhere")
        .next("point this server's address at the primary, and make a new plan")
}

/// The server and the database name that drills of an asset work on.
pub fn of_drill<'a>(cx: &'a TaskContext, asset: &AssetId) -> Result<(&'a Server, String), Failure> {
    let (live, database) = of_asset(cx, asset)?;
    let place = cx.estate.asset(asset).and_then(|asset| asset.drill.as_ref());
    // A pair alone is made for failovers, and is gone between them.
    let place = place.filter(|place| place.server.is_some() || place.database.is_some() || place.pair.is_none());
    let place = place.ok_or_else(|| no_drill_place(asset))?;
    let server = place.server.as_ref().map_or(Ok(live), |server| connect::server(cx, server))?;
    let name = place.database.clone().unwrap_or_else(|| format!("{}_drill", super::inspect::stem(database)));
    super::names::check_name(&name)?;
    Ok((server, name))
}

fn no_drill_place(asset: &AssetId) -> Failure {
    Failure::new(format!("asset `{asset}` has no `drill` place in the configuration"))
        .means("a drill restores to a scratch place, never to the live one; nothing was done")
        .next("add `drill = { server = \"…\" }`, or `{ database = \"…\" }`, to the asset")
}

/// The server and the database name that an asset lives in.
pub fn of_asset<'a>(cx: &'a TaskContext, asset: &AssetId) -> Result<(&'a Server, &'a str), Failure> {
    let found = cx.estate.asset(asset).ok_or_else(|| Failure::new(format!("asset `{asset}` is not configured")))?;
    let lacking = |what: &str| {
        Failure::new(format!("asset `{asset}` has no `{what}` in the configuration"))
            .means("nobody knows where its live database is")
            .next(format!("add `{what}` to the asset, and make a new plan"))
    };
    if found.kind != AssetKind::PostgreSql {
        return Err(Failure::new(format!("asset `{asset}` is of kind {}, not postgresql", found.kind)));
    }
    let server = found.server.as_ref().ok_or_else(|| lacking("server"))?;
    let database = found.database.as_deref().ok_or_else(|| lacking("database"))?;
    Ok((connect::server(cx, server)?, database))
}
