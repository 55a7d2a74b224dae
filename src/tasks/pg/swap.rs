//! `pg.swap`: gives the live name to the restored database and a dated name to the old one.

use super::database::Database;
use super::exchange::{Exchange, Scene, calm_session, lock, reopen};
use super::names::{Mark, MarkState, check_name};
use super::settings;
use super::target::{CLUSTER, SERVER, Target};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Swap;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.swap",
    summary: "Exchange the names of the live and the restored database in one guarded step",
    effect: Effect::Irreversible,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
        InputSpec {
            name: "live_oid",
            kind: InputKind::Integer,
            required: false,
            help: "Object id of the live database in the plan; absent: it was not there",
        },
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Name of the restored database" },
        InputSpec { name: "aside", kind: InputKind::Text, required: true, help: "Dated name for the old database" },
        InputSpec {
            name: "within_seconds",
            kind: InputKind::Integer,
            required: false,
            help: "How long sessions may take to leave; default 30",
        },
    ],
    outputs: &["database", "oid", "aside", "aside_oid", "sessions_ended"],
    idempotent: false,
    undo: "pg.swap-back exchanges the names again",
    programs: &[],
};

#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(flatten)]
    pub target: Target,
    pub database: String,
    #[serde(default)]
    pub live_oid: Option<u32>,
    pub side: String,
    pub aside: String,
    #[serde(default)]
    within_seconds: Option<u64>,
}

impl Input {
    pub fn within(&self) -> Duration {
        Duration::from_secs(self.within_seconds.unwrap_or(30))
    }
}

#[async_trait::async_trait]
impl Module for Swap {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["database", "side", "aside"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(swap(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async { look(cx, &read(input)?).await };
        look.await.unwrap_or_else(Reality::from)
    }
}

async fn swap(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    [&input.database, &input.side, &input.aside].into_iter().try_for_each(|name| check_name(name))?;
    let (session, _) = input.target.open(cx).await?;
    lock(cx, &session, &input.database).await?;
    // An earlier attempt that died between closing and renaming.
    reopen(cx, &input.target).await?;
    let scene = Scene::read(&session, &input.database, &input.side, &input.aside).await?;
    let (side, sha256) = check(cx, &input, &scene)?;
    let live = scene.live.as_ref();
    let aside_mark = Mark { run: cx.owner.run.clone(), state: MarkState::Aside(sha256) };
    let exchange = Exchange {
        target: &input.target,
        name: &input.database,
        out: live.map(|live| (live, input.aside.as_str())),
        coming: side,
        then: match live {
            Some(live) => settings::carried(&session, live, &input.database).await?,
            None => Vec::new(),
        },
        // Without an old database there is no comment to hand on, and the mark goes on telling.
        comment_on_coming: live.map_or_else(|| side.comment.clone(), |live| live.comment.clone()),
        comment_on_out: Some(aside_mark.to_string()),
        within: input.within(),
    };
    let ended = match exchange.run(cx, &session).await {
        Ok(ended) => ended,
        Err(Stop::Unknown(failure)) => return resolved(cx, &input, failure).await,
        Err(stop) => return Err(stop),
    };
    Ok(output(&input, side.oid, live.map(|live| live.oid), &ended))
}

fn output(input: &Input, oid: u32, aside_oid: Option<u32>, ended: &[String]) -> Values {
    let aside = aside_oid.map(|_| &input.aside);
    let shown: Vec<&String> = ended.iter().take(50).collect();
    values(json!({
        "database": input.database, "oid": oid, "aside": aside, "aside_oid": aside_oid,
        "sessions_ended": ended.len(), "sessions": shown,
    }))
}

/// Everything must be as planned: nothing is closed before this holds.
fn check<'a>(cx: &TaskContext, input: &Input, scene: &'a Scene) -> Result<(&'a Database, String), Failure> {
    let refuse = |what: String| {
        Failure::new(what)
            .means("the servers' databases are not as the plan saw them; nothing was done")
            .next("look what happened on the server, then make a new plan")
            .evidence(scene.describe())
    };
    match (&scene.live, input.live_oid) {
        (Some(live), Some(planned)) if live.oid != planned => {
            return Err(refuse(format!(
                "`{}` is another database now (oid {}, planned {planned})",
                input.database, live.oid
            )));
        }
        (None, Some(_)) => return Err(refuse(format!("`{}` is not there any more", input.database))),
        (Some(_), None) => return Err(refuse(format!("`{}` is there now; the plan saw none", input.database))),
        _ => {}
    }
    if scene.aside.is_some() {
        return Err(refuse(format!("the name `{}` is taken", input.aside)));
    }
    let Some(side) = &scene.side else { return Err(refuse(format!("`{}` is not there", input.side))) };
    match side.mark() {
        Some(Mark { run, state: MarkState::Restored(sha256) }) if run == cx.owner.run => Ok((side, sha256)),
        _ => Err(refuse(format!("`{}` carries no mark of a completed restore of this run", input.side))),
    }
}

/// After a line that broke in the middle: the names tell what happened.
async fn resolved(cx: &TaskContext, input: &Input, failure: Failure) -> Result<Values, Stop> {
    match look(cx, input).await {
        Ok(Reality::Done(output)) => Ok(output),
        Ok(Reality::NotDone(what)) => Err(Stop::Failed(failure.means(what).next("retry, or abort the run"))),
        _ => Err(Stop::Unknown(failure)),
    }
}

async fn look(cx: &TaskContext, input: &Input) -> Result<Reality, Stop> {
    let session = calm_session(cx, &input.target).await?;
    lock(cx, &session, &input.database).await?;
    reopen(cx, &input.target).await?;
    let scene = Scene::read(&session, &input.database, &input.side, &input.aside).await?;
    Ok(match (&scene.live, &scene.side, &scene.aside, input.live_oid) {
        (Some(live), None, Some(aside), Some(planned)) if aside.oid == planned && live.oid != planned => {
            Reality::Done(output(input, live.oid, Some(aside.oid), &[]))
        }
        (Some(live), None, None, None) if live.mark().is_some_and(|mark| mark.run == cx.owner.run) => {
            Reality::Done(output(input, live.oid, None, &[]))
        }
        (Some(live), Some(_), None, Some(planned)) if live.oid == planned => Reality::NotDone(format!(
            "both databases have their names as before the swap ({}), and take sessions",
            scene.describe()
        )),
        (None, Some(_), None, None) => Reality::NotDone(format!("the live name is still free ({})", scene.describe())),
        _ => Reality::Unknown(
            Failure::new(format!("the databases are neither as before nor as after the swap: {}", scene.describe()))
                .means("someone else changed names or made databases")
                .next("look at the server by hand; the object ids tell which database is which"),
        ),
    })
}
