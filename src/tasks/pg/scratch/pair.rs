//! `pg.scratch-pair`: the pair on which drills of an asset work, free to be made, and the standby to copy.

use super::place::Place;
use crate::model::estate::{Server, Traffic};
use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect::{self, Session, address};
use crate::tasks::pg::pair::look::{Seen, look};
use crate::tasks::pg::pair::roles::{half, halves};
use crate::tasks::traffic::file::Place as TrafficPlace;
use serde::Deserialize;
use serde_json::json;

pub struct ScratchPair;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.scratch-pair",
    summary: "Look at the place where drills of an asset make their pair of servers, and at the standby to copy",
    effect: Effect::Observe,
    inputs: &[InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of the configuration" }],
    outputs: &[
        "system_identifier",
        "scope",
        "database",
        "primary",
        "standby",
        "traffic",
        "traffic_of",
        "health_url",
        "scratch",
        "source",
        "size",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "df"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
}

#[async_trait::async_trait]
impl Module for ScratchPair {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(find(cx, input).await)
    }
}

async fn find(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let asset = cx.estate.asset(&input.asset);
    let pair = asset.and_then(|asset| asset.drill.as_ref()?.pair.as_ref()).ok_or_else(|| {
        Failure::new(format!("asset `{}` has no pair of servers for drills in the configuration", input.asset))
            .means("a drill of a failover works on a pair of its own, never on the live one; nothing was done")
            .next("add two `[[servers]]` with `home`, one the `standby` of the other, and `drill = { pair = \"…\" }`")
    })?;
    let first = connect::server(cx, pair)?;
    let second = first.standby.as_ref().ok_or_else(|| {
        Failure::new(format!("server `{pair}` has no standby in the configuration"))
            .means("a failover takes two")
            .next(format!("add `standby = \"…\"` to server `{pair}`"))
    })?;
    let second = connect::server(cx, second)?;
    let (one, other) = halves(cx, &input.asset)?;
    let (source, live) = match (look(cx, one).await?, look(cx, other).await?) {
        (Seen::Up(live), _) if live.standby => (one, live),
        (_, Seen::Up(live)) if live.standby => (other, live),
        (left, right) => {
            let what = format!("`{}` {}, and `{}` {}", one.id, left.words(), other.id, right.words());
            return Err(Failure::new(what)
                .means("a drill copies the standby, so that the primary bears nothing of it; there is none to copy")
                .next("bring the standby back first")
                .into());
        }
    };
    let bytes = copied(cx, source).await?;
    for server in [first, second] {
        // What is production is told apart in the plan; here the place must be free.
        if super::wall::live_here(cx, server).is_ok() {
            free(cx, server, bytes).await?;
        }
    }
    if let Some(Traffic::File(file)) = &first.traffic
        && let Some(path) = TrafficPlace::of(cx, file, "plan")?.left().await?
    {
        return Err(Failure::new(format!("{path} is there already"))
            .means("a drill makes its own traffic file and removes it again; nothing was done")
            .next(format!("remove it, or give server `{}` another one for drills", first.id))
            .into());
    }
    let (seen, there) = (look(cx, first).await?, look(cx, second).await?);
    Ok(values(json!({
        "system_identifier": live.system_identifier,
        "scope": format!("drill on {}", first.id),
        "database": asset.and_then(|asset| asset.database.clone()),
        "primary": half(first, &seen),
        "standby": half(second, &there),
        "traffic": first.traffic.as_ref().map(ToString::to_string),
        "traffic_of": first.id,
        "health_url": null,
        "scratch": true,
        "source": half(source, &Seen::Up(live)),
        "size": ByteCount(bytes).to_string(),
    })))
}

/// How much a copy takes. What lies outside the data folder would be copied to the very same paths.
async fn copied(cx: &TaskContext, source: &Server) -> Result<u64, Stop> {
    let session = Session::open(cx, source, &source.maintenance_db).await?;
    let sql = "SELECT (SELECT coalesce(sum(pg_database_size(oid)), 0)::bigint FROM pg_database), \
               (SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()), \
               (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))";
    let row = session.row("measuring the standby", sql, &[]).await?;
    let (data, log, elsewhere): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    if elsewhere > 0 {
        return Err(Failure::new(format!("`{}` has {elsewhere} tablespaces outside its data folder", source.id))
            .means("a copy for a drill would write to their paths; nothing was done")
            .next("drill this pair on machines of its own, by hand")
            .into());
    }
    Ok(u64::try_from(data.saturating_add(log)).unwrap_or(u64::MAX))
}

/// Nothing there, nobody listening, and room for both copies.
async fn free(cx: &TaskContext, server: &Server, bytes: u64) -> Result<(), Stop> {
    let place = Place::of(cx, &server.id)?;
    let data = &place.home.place.data_dir;
    let taken = |what: String| {
        Failure::new(what)
            .means("a drill makes its servers anew; nothing was done")
            .next("end and remove what is there, or name another place in the configuration; `relight runs` lists what drills left")
    };
    if place.is(data).await? {
        return Err(taken(format!("{} is there already", escaped(data))).into());
    }
    let seen = look(cx, server).await?;
    if !matches!(seen, Seen::Refused) {
        return Err(taken(format!("{} is not free: `{}` {}", address(server), server.id, seen.words())).into());
    }
    let holder = data.rsplit_once('/').map_or("/", |(holder, _)| if holder.is_empty() { "/" } else { holder });
    let room = host::free_bytes(cx, place.home.host, holder).await?.unwrap_or(0);
    // Two copies may share it, and each writes log of its own.
    let wanted = bytes.saturating_mul(2).saturating_add(bytes / 5);
    if room < wanted {
        let what =
            format!("{} has {} free, and the drill may take {}", escaped(holder), ByteCount(room), ByteCount(wanted));
        return Err(taken(what).into());
    }
    Ok(())
}
