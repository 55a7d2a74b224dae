//! `pg.roles`: which half of a pair is what right now, as a plan needs it.

use super::look::{Live, Seen, look};
use crate::model::estate::Server;
use crate::model::id::AssetId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect::{self, address};
use crate::tasks::pg::target;
use serde::Deserialize;
use serde_json::{Value, json};

pub struct Roles;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.roles",
    summary: "Look at both servers of a pair: roles, cluster, timeline, positions",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset whose server has a standby" },
        InputSpec {
            name: "need",
            kind: InputKind::Text,
            required: true,
            help: "`both` (a primary and its standby), `standby` (the primary may be lost) or `primary` (the other half may be anything but a primary)",
        },
    ],
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
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Need {
    Both,
    Standby,
    Primary,
}

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    need: Need,
}

#[async_trait::async_trait]
impl Module for Roles {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(roles(cx, input).await)
    }
}

/// The two halves as configured; traffic is described at the first.
pub fn halves<'a>(cx: &'a TaskContext, asset: &AssetId) -> Result<(&'a Server, &'a Server), Failure> {
    let (first, _) = target::of_asset(cx, asset)?;
    let second = first.standby.as_ref().ok_or_else(|| {
        Failure::new(format!("server `{}` of asset `{asset}` has no standby in the configuration", first.id))
            .means("there is nothing to change roles with")
            .next(format!("add `standby = \"…\"` to server `{}`", first.id))
    })?;
    Ok((first, connect::server(cx, second)?))
}

async fn roles(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (first, second) = halves(cx, &input.asset)?;
    let (one, other) = (look(cx, first).await?, look(cx, second).await?);
    if one.writable() && other.writable() {
        return Err(Failure::new(format!("both `{}` and `{}` take writes", first.id, second.id))
            .means("the pair is split: each has, or may have, transactions that the other lacks")
            .next("stop the wrong one now, and compare what was written; no runbook here decides that")
            .into());
    }
    let (primary, standby) = match input.need {
        Need::Standby => match (&one, &other) {
            (_, Seen::Up(live)) if live.standby && !matches!(&one, Seen::Up(one) if one.standby) => {
                ((first, &one), (second, &other))
            }
            (Seen::Up(live), _) if live.standby && !matches!(&other, Seen::Up(other) if other.standby) => {
                ((second, &other), (first, &one))
            }
            _ => return Err(unfit((first, &one), (second, &other), "exactly one standby").into()),
        },
        Need::Both | Need::Primary if one.writable() => ((first, &one), (second, &other)),
        Need::Both | Need::Primary if other.writable() => ((second, &other), (first, &one)),
        Need::Both | Need::Primary => return Err(unfit((first, &one), (second, &other), "one primary").into()),
    };
    if input.need == Need::Both && !matches!(standby.1, Seen::Up(_)) {
        return Err(unfit((first, &one), (second, &other), "a primary and its standby").into());
    }
    let identifiers: Vec<&str> =
        [&one, &other].into_iter().filter_map(live).map(|live| live.system_identifier.as_str()).collect();
    let same = identifiers.windows(2).all(|two| two[0] == two[1]);
    let Some(system_identifier) = identifiers.first().filter(|_| same) else {
        return Err(Failure::new(format!("`{}` and `{}` are not the same cluster", first.id, second.id))
            .means("one is no copy of the other: their system identifiers differ")
            .next("mend `standby` in the configuration")
            .into());
    };
    let asset = cx.estate.asset(&input.asset);
    Ok(values(json!({
        "system_identifier": system_identifier,
        "scope": system_identifier,
        "database": asset.and_then(|asset| asset.database.clone()),
        "primary": half(primary.0, primary.1),
        "standby": half(standby.0, standby.1),
        "traffic": first.traffic.as_ref().map(ToString::to_string),
        "traffic_of": first.id,
        "scratch": false,
        "health_url": asset.and_then(|asset| asset.health_url.clone()),
    })))
}

fn live(seen: &Seen) -> Option<&Live> {
    match seen {
        Seen::Up(live) => Some(live),
        _ => None,
    }
}

pub fn half(server: &Server, seen: &Seen) -> Value {
    let live = live(seen);
    json!({
        "server": server.id.as_str(),
        "address": address(server),
        "seen": seen.words(),
        "host": server.home.as_ref().map(|home| home.host.as_str().to_owned()),
        "data_dir": server.home.as_ref().map(|home| home.data_dir.clone()),
        "version": live.map(|live| live.version.clone()),
        "timeline": live.map(|live| live.timeline),
        "position": live.map(|live| live.position.to_string()),
        "receiver": live.and_then(|live| live.receiver.clone()),
    })
}

fn unfit(one: (&Server, &Seen), other: (&Server, &Seen), wanted: &str) -> Failure {
    Failure::new(format!("`{}` {}, and `{}` {}", one.0.id, one.1.words(), other.0.id, other.1.words()))
        .means(format!("this needs {wanted}"))
        .next("switchover needs both halves, failover a standby that answers, failback a primary that answers")
}
