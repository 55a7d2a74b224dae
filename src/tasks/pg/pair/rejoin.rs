//! `pg.rejoin`: brings a former primary back as the standby of the one that took its place.

use super::home::{Home, MARK, listed};
use super::look::{BETWEEN, Seen, look, primary_of, standby_of};
use crate::model::estate::Server;
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::host::Command;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::patience::Patience;
use crate::tasks::pg::connect::{self, Session};
use crate::tasks::pg::names::literal;
use crate::tasks::pg::target::CLUSTER;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Rejoin;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.rejoin",
    summary: "Make a former primary follow the new one: as it is, rewound, or from a fresh copy",
    effect: Effect::Irreversible,
    inputs: &[
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "The former primary, stopped" },
        InputSpec { name: "primary", kind: InputKind::Text, required: true, help: "The new one" },
        CLUSTER,
        InputSpec {
            name: "method",
            kind: InputKind::Text,
            required: true,
            help: "`follow` (after a clean handover), `rewind` (pg_rewind; what only it has is overwritten) or `fresh` \
                   (pg_basebackup aside; the old data folder is renamed and kept)",
        },
        InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "Names what is set aside" },
    ],
    outputs: &["follows", "method", "kept"],
    idempotent: true,
    undo: "there is none: a fresh copy keeps the old data folder under a dated name, a rewind overwrites",
    programs: &["ssh", "pg_ctl", "pg_rewind", "pg_basebackup"],
};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Method {
    Follow,
    Rewind,
    Fresh,
}

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    primary: ServerId,
    system_identifier: String,
    method: Method,
    stamp: String,
}

/// A copy of a large cluster takes hours; the step has its own limit.
const COPYING: Duration = Duration::from_hours(72);
const START: Duration = Duration::from_mins(10);

#[async_trait::async_trait]
impl Module for Rejoin {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(rejoin(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        reality(cx, input).await.unwrap_or_else(Reality::from)
    }
}

async fn reality(cx: &TaskContext, input: &Values) -> Result<Reality, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.server)?;
    match look(cx, server).await? {
        Seen::Up(live) if live.standby && live.system_identifier == input.system_identifier => {
            Ok(Reality::Done(output(&input)))
        }
        Seen::Up(live) => Ok(Reality::NotDone(format!("`{}` answers as {}", server.id, live.role()))),
        _ => {
            let processes = Home::of(cx, server)?.processes().await;
            match processes {
                Ok(processes) if processes.is_empty() => {
                    Ok(Reality::NotDone("it is stopped; it can be begun again".to_owned()))
                }
                Ok(processes) => {
                    Err(Failure::new(format!("it runs and does not answer yet: {}", listed(&processes))).into())
                }
                Err(stop) => Err(stop),
            }
        }
    }
}

fn output(input: &Input) -> Values {
    let kept = (input.method == Method::Fresh).then(|| format!("the data folder's name and .before_{}", input.stamp));
    let method = format!("{:?}", input.method).to_lowercase();
    values(json!({ "follows": input.primary, "method": method, "kept": kept }))
}

async fn rejoin(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if input.stamp.is_empty() || !input.stamp.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Failure::new("the stamp is not one: letters, digits and `_` only").into());
    }
    let (server, primary) = (connect::server(cx, &input.server)?, connect::server(cx, &input.primary)?);
    let new = primary_of(primary, look(cx, primary).await?, &input.system_identifier)?;
    match look(cx, server).await? {
        Seen::Up(live)
            if live.standby && live.system_identifier == input.system_identifier && live.receiver.is_some() =>
        {
            return Ok(output(&input));
        }
        Seen::Up(live) if !live.standby => {
            return Err(Failure::new(format!("`{}` answers as a primary", server.id))
                .means("it takes writes: there are two primaries now; nothing was done")
                .next("fence it first, and compare what was written")
                .into());
        }
        _ => {}
    }
    let home = Home::of(cx, server)?;
    let processes = home.processes().await.or_else(|stop| match stop {
        // A runner that ended between two renames left no data folder under its own name.
        Stop::Failed(_) if input.method == Method::Fresh => Ok(Vec::new()),
        stop => Err(stop),
    })?;
    if !processes.is_empty() {
        cx.feed.line(format!("stopping `{}`", server.id));
        home.mark().await?;
        let left = home.end("fast", START).await?;
        if !left.is_empty() {
            return Err(Failure::new(format!("`{}` does not stop: {}", server.id, listed(&left))).into());
        }
    }
    let data = &home.place.data_dir;
    let side = side_of(data, &input.stamp);
    // Its name carries the run's stamp: whoever fills it does so for an attempt of this run that is over.
    home.end_copies(&side).await?;
    home.left_alone(&[data, &side]).await?;
    match input.method {
        Method::Follow => clean(&home).await?,
        Method::Rewind => {
            own_checkpoint(cx, primary).await?;
            rewind(&home, primary, new.checksums_or_hints).await?;
        }
        Method::Fresh => fresh(&home, primary, &input.stamp).await?,
    }
    home.mark().await?;
    let setting = format!("\nprimary_conninfo = {}\n", literal(&conninfo(primary, Some(server))).trim_start());
    let append = Command::new(["tee", "-a", "--", &home.file("postgresql.auto.conf")]).stdin(setting);
    home.run(append).await?.success("saying whom to follow", home.host)?;
    home.start(START).await?;
    standby_of(server, look(cx, server).await?, &input.system_identifier)?;
    Ok(output(&input))
}

fn side_of(data: &str, stamp: &str) -> String {
    format!("{data}.rejoin_{stamp}")
}

/// How one server logs in to the other. No password: that is in a file of the host that logs in.
pub fn conninfo(primary: &Server, by: Option<&Server>) -> String {
    let value = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let user = primary.home.as_ref().and_then(|home| home.replication_user.as_deref()).unwrap_or(&primary.user);
    let mut text = format!("host={} port={} user={}", value(&primary.host), primary.port, value(user));
    if let Some(by) = by {
        text.push_str(&format!(" application_name={}", value(by.id.as_str())));
    }
    text
}

/// Only a server that was shut down in order, and whose every record the other has, may simply follow.
async fn clean(home: &Home<'_>) -> Result<(), Stop> {
    let control = home.control().await?;
    if matches!(control.state.as_str(), "shut down" | "shut down in recovery") {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` was not shut down in order: `{}`", home.server.id, control.state))
        .means("it may have records that the new primary never saw, and would not be able to follow")
        .next("use failback-postgres with method rewind or fresh")
        .into())
}

/// Until a promoted server has written a checkpoint on its new timeline, its control file tells of the old one,
/// and `pg_rewind` (before PostgreSQL 16) finds nothing to rewind.
async fn own_checkpoint(cx: &TaskContext, primary: &Server) -> Result<(), Stop> {
    let mut patience = Patience::new(cx, Some("10m"), BETWEEN)?;
    let session = Session::open(cx, primary, &primary.maintenance_db).await?;
    if let Err(Stop::Failed(failure)) = session.change("writing a checkpoint", "CHECKPOINT").await {
        // Without the right to order one, the one that every promotion asks for has to come by itself.
        cx.feed.line(failure.what);
    }
    loop {
        let sql = "SELECT c.timeline_id, ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int \
                   FROM pg_control_checkpoint() c";
        let row = session.row("reading the new primary's control file", sql, &[]).await?;
        let (told, own): (i32, i32) = (row.get(0), row.get(1));
        if told == own {
            return Ok(());
        }
        let missing = format!("`{}` writes timeline {own}, and its last checkpoint is of timeline {told}", primary.id);
        if !patience.again(&missing).await? {
            return Err(Failure::new(missing)
                .means("pg_rewind would find nothing to rewind; nothing was done")
                .next("order a CHECKPOINT there as a superuser, then retry")
                .into());
        }
    }
}

async fn rewind(home: &Home<'_>, primary: &Server, able: bool) -> Result<(), Stop> {
    if !able {
        return Err(Failure::new("neither data checksums nor wal_log_hints are on")
            .means("pg_rewind cannot tell which pages differ; nothing was done")
            .next("make a new plan with the method `fresh`")
            .into());
    }
    let control = home.control().await?;
    if control.state == "in archive recovery" {
        // A rewind says so as the last thing that it does: one whose runner died has come to its end.
        home.cx.feed.line(format!("`{}` has been rewound, or followed before; it is started as it is", home.server.id));
        return Ok(());
    }
    if !control.state.starts_with("shut down") {
        // pg_rewind lets the server recover by itself first, which a marked one refuses.
        home.cx.feed.line(format!("`{}` was not shut down in order; it recovers before it is rewound", home.server.id));
        home.unmark().await?;
    }
    // A replication user may not read files, and need not: the administrator may.
    let source = format!("{} dbname='{}'", admin(primary), primary.maintenance_db);
    let args = ["--target-pgdata", &home.place.data_dir, "--source-server", &source, "--progress"];
    let said = home.run(home.program("pg_rewind", &args).within(COPYING)).await?;
    said.success("pg_rewind", home.host).map_err(|failure| {
        failure
            .means("the data folder may be half rewound: it is no copy of anything now, and must not be started")
            .next("make a new plan with the method `fresh`, which keeps this folder under another name")
    })?;
    Ok(())
}

fn admin(primary: &Server) -> String {
    let value = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    format!("host={} port={} user={}", value(&primary.host), primary.port, value(&primary.user))
}

async fn fresh(home: &Home<'_>, primary: &Server, stamp: &str) -> Result<(), Stop> {
    let data = &home.place.data_dir;
    let (side, aside) = (side_of(data, stamp), format!("{data}.before_{stamp}"));
    let is = async |path: &str| home.run(Command::new(["test", "-e", path])).await.map(|said| said.status == 0);
    if !is(&aside).await? {
        if is(&side).await? {
            // Begun by an earlier attempt of this very run: its name carries the run's stamp.
            home.must("removing an unfinished copy", &["rm", "-rf", "--", &side]).await?;
        }
        let source = conninfo(primary, None);
        let args = ["-D", &side, "-d", &source, "-X", "stream", "-c", "fast", "--no-password", "--progress"];
        let said = home.run(home.program("pg_basebackup", &args).within(COPYING)).await?;
        said.success("pg_basebackup", home.host)
            .map_err(|failure| failure.means("nothing was changed: the old data folder is as it was"))?;
        home.must("marking the copy as a standby", &["touch", "--", &format!("{side}/{MARK}")]).await?;
        home.must("setting the old data folder aside", &["mv", "-T", "--", data, &aside]).await?;
    }
    if is(&side).await? {
        home.must("putting the copy in place", &["mv", "-T", "--", &side, data]).await?;
    }
    Ok(())
}
