//! `pg.cluster`: the live cluster as its own host sees it, held to the log that is to recover it: identity, programs, room.

use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect::address;
use crate::tasks::pg::pair::home::Home;
use crate::tasks::pg::pair::look::{Seen, look};
use crate::tasks::pg::target::of_asset;
use crate::tasks::pg::tools::Version;
use serde::Deserialize;
use serde_json::json;

pub struct ClusterLook;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.cluster",
    summary: "Look at the live cluster on its host: identity, programs, and room for a recovery beside it",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of kind postgresql" },
        InputSpec {
            name: "system_identifier",
            kind: InputKind::Text,
            required: true,
            help: "Cluster whose log is to recover it",
        },
        InputSpec { name: "version", kind: InputKind::Integer, required: false, help: "Major version of that log" },
        InputSpec { name: "need_bytes", kind: InputKind::Integer, required: true, help: "Bytes that will be written" },
    ],
    outputs: &[
        "server",
        "address",
        "database",
        "data_dir",
        "host",
        "there",
        "system_identifier",
        "state",
        "damage",
        "seen",
        "free_bytes",
        "health_url",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "pg_controldata", "pg_ctl", "postgres", "df"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    system_identifier: String,
    #[serde(default)]
    version: Option<u32>,
    need_bytes: u64,
}

#[async_trait::async_trait]
impl Module for ClusterLook {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(inspect(cx, input).await)
    }
}

async fn inspect(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (server, database) = of_asset(cx, &input.asset)?;
    let home = Home::of(cx, server)?;
    let data = &home.place.data_dir;
    let there = home.run(Command::new(["test", "-e", data])).await?.status == 0;
    programs(&home, input.version).await?;
    let (mut control, mut damage) = (None, None);
    if there {
        match home.control().await {
            Ok(read) => control = Some(read),
            // What is to be recovered may be damaged to its control file; it is set aside, whatever it is.
            Err(Stop::Failed(failure)) => damage = Some(failure.evidence.last().cloned().unwrap_or(failure.what)),
            Err(stop) => return Err(stop),
        }
    }
    let seen = look(cx, server).await?;
    let answers = if let Seen::Up(live) = &seen { Some(&live.system_identifier) } else { None };
    if let Some(other) = control.as_ref().map(|control| &control.system_identifier).or(answers)
        && *other != input.system_identifier
    {
        return Err(another(data, other, &input.system_identifier).into());
    }
    let free = free(&home, data).await?;
    let need = input.need_bytes.saturating_add(input.need_bytes / 10);
    if free < need {
        return Err(Failure::new(format!("beside {} there are {} free", escaped(data), ByteCount(free)))
            .means(format!("the base backup and its log need {}; nothing was done", ByteCount(need)))
            .next("make room on that file system, and make a new plan")
            .into());
    }
    let health_url = cx.estate.asset(&input.asset).and_then(|asset| asset.health_url.clone());
    Ok(values(json!({
        "server": server.id,
        "address": address(server),
        "database": database,
        "data_dir": data,
        "host": home.host.id,
        "there": there,
        "system_identifier": input.system_identifier,
        "state": control.map(|control| control.state),
        "damage": damage,
        "seen": seen.words(),
        "free_bytes": free,
        "health_url": health_url,
    })))
}

fn another(data: &str, found: &str, wanted: &str) -> Failure {
    Failure::new(format!("{} holds cluster {found}, and the archived log is of cluster {wanted}", escaped(data)))
        .means("what would be recovered is another cluster than the live one; nothing was done")
        .next("find out whose archive this is (a cluster that was made anew starts an archive of its own), then plan again")
}

/// The programs of the steps that follow, of which a host may have some in its path and others not.
async fn programs(home: &Home<'_>, wanted: Option<u32>) -> Result<(), Stop> {
    let named = "name their folder as `bin_dir` in [servers.home]; on Debian it is /usr/lib/postgresql/VERSION/bin";
    for name in ["postgres", "pg_ctl", "pg_controldata"] {
        let said = home.run(home.program(name, &["--version"])).await?;
        // As `env` says it.
        if matches!(said.status, 126 | 127) {
            return Err(Failure::new(format!("`{name}` was not found on `{}`", home.host.id))
                .means("the recovery could not go on where it is needed; nothing was done")
                .next(named)
                .into());
        }
        let text = said.success("asking a program for its version", home.host)?.text();
        let found = Version::find(&text).map(|version| version.major);
        if let (Some(wanted), Some(found)) = (wanted, found)
            && wanted != found
        {
            return Err(Failure::new(format!(
                "the log is of PostgreSQL {wanted}, `{name}` on `{}` is of {found}",
                home.host.id
            ))
            .means("only programs of the same major version can recover it; nothing was done")
            .next(format!("install PostgreSQL {wanted} there, and {named}"))
            .into());
        }
    }
    Ok(())
}

async fn free(home: &Home<'_>, data: &str) -> Result<u64, Stop> {
    let holder = data.rsplit_once('/').map_or("/", |(holder, _)| if holder.is_empty() { "/" } else { holder });
    host::free_bytes(home.cx, home.host, holder).await?.ok_or_else(|| {
        Stop::Unknown(
            Failure::new(format!("the free space beside {} cannot be read", escaped(data)))
                .means("whether the recovery has room is not known; nothing was done")
                .next("look at `df` on that host"),
        )
    })
}
