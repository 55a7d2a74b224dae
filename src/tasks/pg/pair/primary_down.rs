//! `pg.primary-down`: asks several times and from several places whether a primary still answers. Silence is
//! told as silence, and lost is only what was seen down each time.

use super::look::Seen;
use crate::model::id::{AssetId, ServerId};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::pause;
use crate::tasks::vantage::{Look, State, Watched, look_around};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

pub struct PrimaryDown;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.primary-down",
    summary: "Ask three times, from here, its host, its standby, other hosts and the application, whether a primary answers",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "primary", kind: InputKind::Text, required: true, help: "The server that is believed lost" },
        InputSpec { name: "standby", kind: InputKind::Text, required: true, help: "The server that followed it" },
        InputSpec {
            name: "asset",
            kind: InputKind::Text,
            required: false,
            help: "Asset whose health_url is asked too",
        },
    ],
    outputs: &["looks", "places", "not_known"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh"],
};

#[derive(Deserialize)]
struct Input {
    primary: ServerId,
    standby: ServerId,
    #[serde(default)]
    asset: Option<AssetId>,
}

const TIMES: usize = 3;
const BETWEEN: Duration = Duration::from_secs(2);

#[async_trait::async_trait]
impl Module for PrimaryDown {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(ask(cx, input).await)
    }
}

async fn ask(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let url = input.asset.as_ref().and_then(|id| cx.estate.asset(id)).and_then(|asset| asset.health_url.as_deref());
    let watched = Watched::of(cx, &input.primary, Some(&input.standby), url)?;
    let mut looks = Vec::new();
    for time in 1..=TIMES {
        let around = look_around(cx, &watched).await?;
        for view in &around.look.views {
            cx.feed.line(format!("look {time} of {TIMES}: `{}` {view}", input.primary));
        }
        if let Seen::Up(live) = &around.here {
            return Err(not_lost(&input.primary, &format!("answers as {}", live.role())).into());
        }
        if around.look.state() == State::Up {
            return Err(not_lost(&input.primary, &format!("answers elsewhere: {}", around.look)).into());
        }
        looks.push(around.look);
        if time < TIMES {
            pause(cx, BETWEEN).await?;
        }
    }
    concluded(cx, &input.primary, &looks)
}

fn concluded(cx: &TaskContext, primary: &ServerId, looks: &[Look]) -> Result<Values, Stop> {
    let open = looks.last().map(Look::open).unwrap_or_default();
    for line in &open {
        cx.feed.line(format!("not known: {line}"));
    }
    let unclear = looks.iter().filter(|look| look.state() != State::Down).count();
    if unclear > 0 {
        let failure = Failure::new(format!("`{primary}` was not seen down in {unclear} of {TIMES} looks"))
            .means("it may live where nobody here sees it: silence is not down")
            .next("look again; skip this with a reason where you know by other means that it is lost");
        let lines = looks.iter().map(ToString::to_string).chain(open.iter().map(|line| format!("not known: {line}")));
        return Err(Stop::Unknown(lines.fold(failure, Failure::evidence)));
    }
    let places = looks.last().into_iter().flat_map(|look| &look.views);
    let places: Values =
        places.map(|view| (view.from.clone(), Value::from(format!("{}: {}", view.state, view.words)))).collect();
    Ok(values(json!({
        "looks": format!("down in {TIMES} of {TIMES} looks in a row"),
        "places": places,
        "not_known": open,
    })))
}

fn not_lost(primary: &ServerId, how: &str) -> Failure {
    Failure::new(format!("`{primary}` {how}"))
        .means("it is not lost; a failover would throw away what only it has")
        .next("use switchover-postgres, which loses nothing; skip this only if it must go all the same")
}
