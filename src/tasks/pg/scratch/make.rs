//! `pg.scratch-server`: brings a copy of a server up as one half of a pair for drills.

use super::place::Place;
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::Command;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::patience::Patience;
use crate::tasks::pg::connect;
use crate::tasks::pg::names::literal;
use crate::tasks::pg::pair::home::MARK;
use crate::tasks::pg::pair::look::{BETWEEN, Live, Seen, look, of_cluster};
use crate::tasks::pg::pair::rejoin::conninfo;
use crate::tasks::reach::{Makes, Reach};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct ScratchServer;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.scratch-server",
    summary: "Copy a running server into a folder for drills, and start the copy cut off from whom it was copied",
    effect: Effect::Costly,
    inputs: &[
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "The server for drills to make" },
        InputSpec { name: "from", kind: InputKind::Text, required: true, help: "The server to copy" },
        InputSpec {
            name: "role",
            kind: InputKind::Text,
            required: true,
            help: "`primary`: on a timeline of its own; `standby`: following `from`",
        },
        InputSpec {
            name: "system_identifier",
            kind: InputKind::Text,
            required: true,
            help: "The cluster that is copied",
        },
    ],
    outputs: &["server", "timeline"],
    idempotent: true,
    undo: "pg.scratch-remove removes it",
    programs: &["ssh", "pg_ctl", "pg_basebackup"],
};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Role {
    Primary,
    Standby,
}

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    from: ServerId,
    role: Role,
    system_identifier: String,
}

/// The step has its own limit.
const COPYING: Duration = Duration::from_hours(72);
const START: Duration = Duration::from_mins(10);

/// Of a copy: nothing in it reaches, follows, archives to or waits for anything of the original.
const CUT_OFF: &str = "primary_slot_name = ''\nrecovery_target = ''\nrecovery_target_name = ''\nrecovery_target_time = ''\nrecovery_target_xid = ''\n\
                       recovery_target_lsn = ''\nrecovery_end_command = ''\narchive_cleanup_command = ''\narchive_mode = off\n\
                       archive_command = ''\nsynchronous_standby_names = ''\nmax_logical_replication_workers = 0\n\
                       cron.launch_active_jobs = off\ncluster_name = 'relight_drill'\n";

#[async_trait::async_trait]
impl Module for ScratchServer {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    fn makes(&self) -> Option<Makes> {
        Some(Makes { what: "server", named_by: "server", remove: "pg.scratch-remove", probe: "pg.scratch-gone" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(make(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let place = Place::of(cx, &input.server)?;
            let live = is_ready(cx, &input).await?;
            let filling = place.home.filling(&[&place.home.place.data_dir]).await?;
            Ok::<_, Stop>((live, filling.is_empty(), input))
        };
        match looking.await {
            Ok((Ok(live), _, input)) => Reality::Done(output(&input, &live)),
            // Whoever received its log may wait for ever when its runner is gone: the next attempt ends it.
            Ok((Err(why), false, _)) => {
                Reality::NotDone(format!("{why}; a copy that was begun still runs, and is ended before the next"))
            }
            Ok((Err(why), true, _)) => Reality::NotDone(format!("{why}; it can be begun again")),
            Err(stop) => stop.into(),
        }
    }
}

fn output(input: &Input, live: &Live) -> Values {
    values(json!({ "server": input.server, "timeline": live.timeline }))
}

/// The server in its role, or what is missing.
async fn is_ready(cx: &TaskContext, input: &Input) -> Result<Result<Live, String>, Stop> {
    let server = connect::server(cx, &input.server)?;
    let live = match look(cx, server).await? {
        seen @ Seen::Up(_) => of_cluster(server, seen, &input.system_identifier)?,
        other => return Ok(Err(format!("`{}` {}", server.id, other.words()))),
    };
    Ok(match input.role {
        Role::Primary if live.standby => Err(format!("`{}` still recovers", server.id)),
        Role::Standby if !live.standby => return Err(Failure::new(format!("`{}` is no standby", server.id)).into()),
        Role::Standby if live.receiver.as_deref() != Some("streaming") => {
            Err(format!("`{}` does not stream yet", server.id))
        }
        _ => Ok(live),
    })
}

async fn make(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (place, from) = (Place::of(cx, &input.server)?, connect::server(cx, &input.from)?);
    let (home, data) = (&place.home, &place.home.place.data_dir);
    of_cluster(from, look(cx, from).await?, &input.system_identifier)?;
    place.clear().await?;
    if !place.is_mine().await? {
        home.must("marking the folder as this run's", &["mkdir", "--", &place.mark]).await?;
    }
    let source = conninfo(from, None);
    let args = ["-D", data, "-d", &source, "-X", "stream", "-c", "fast", "--no-password", "--progress"];
    let said = home.run(home.program("pg_basebackup", &args).within(COPYING)).await?;
    said.success("pg_basebackup", home.host).map_err(|failure| {
        failure
            .means("there is no copy to drill on; the server that was to be copied is as it was")
            .next(format!("see that this host may log in to `{}` for replication, then retry", from.id))
    })?;
    // A copy of a standby says whom to follow, which is production: before anything starts it, it forgets that.
    let signals = [home.file(MARK), home.file("recovery.signal")];
    home.must("making the copy forget whom it followed", &["rm", "-f", "--", &signals[0], &signals[1]]).await?;
    let append =
        Command::new(["tee", "-a", "--", &home.file("postgresql.auto.conf")]).stdin(settings(&input, &place, from));
    home.run(append).await?.success("cutting the copy off", home.host)?;
    let signal = if input.role == Role::Primary { &signals[1] } else { &signals[0] };
    home.must("giving the copy its role", &["touch", "--", signal]).await?;
    home.start(START).await?;
    let mut patience = Patience::new(cx, Some("10m"), BETWEEN)?;
    loop {
        let missing = match is_ready(cx, &input).await? {
            Ok(live) => return Ok(output(&input, &live)),
            Err(missing) => missing,
        };
        if !patience.again(&missing).await? {
            let next = format!("look at {} on that host", escaped(&place.log()));
            return Err(Failure::new(missing).means("there is no pair to drill on").next(next).into());
        }
    }
}

fn settings(input: &Input, place: &Place<'_>, from: &crate::model::estate::Server) -> String {
    let server = place.home.server;
    // At the end of the log that was copied with it, it begins a timeline of its own.
    let role = match input.role {
        Role::Primary => "primary_conninfo = ''\nrestore_command = '/bin/false'\n".to_owned(),
        Role::Standby => format!(
            "primary_conninfo = {}\nrestore_command = ''\nrecovery_target_timeline = 'latest'\n",
            literal(&conninfo(from, Some(server))).trim_start()
        ),
    };
    let address = literal(&server.host);
    format!("\nport = {}\nlisten_addresses = {}\n{CUT_OFF}{role}", server.port, address.trim_start())
}
