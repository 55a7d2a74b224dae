//! `pg.swap-back`: the old database gets its name back; the restored one its name of before the swap.

use super::exchange::{Exchange, Scene, calm_session, lock, reopen};
use super::names::{Mark, MarkState};
use super::swap::Input;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use crate::tasks::reach::Reach;
use serde_json::json;

pub struct SwapBack;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.swap-back",
    summary: "Take a swap back: the old database gets the live name again",
    effect: Effect::Irreversible,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
        InputSpec {
            name: "live_oid",
            kind: InputKind::Integer,
            required: false,
            help: "Object id of the old database; absent: there was none",
        },
        InputSpec {
            name: "side",
            kind: InputKind::Text,
            required: true,
            help: "Name that the restored database had before the swap",
        },
        InputSpec { name: "aside", kind: InputKind::Text, required: true, help: "Name that the old database has now" },
        InputSpec {
            name: "within_seconds",
            kind: InputKind::Integer,
            required: false,
            help: "How long sessions may take to leave; default 30",
        },
    ],
    outputs: &["database", "oid"],
    idempotent: true,
    undo: "none; swap again with a new run",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for SwapBack {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["database", "side", "aside"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(back(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let session = calm_session(cx, &input.target).await?;
            lock(cx, &session, &input.database).await?;
            reopen(cx, &input.target).await?;
            let scene = Scene::read(&session, &input.database, &input.side, &input.aside).await?;
            Ok::<_, Stop>(if is_back(&input, &scene) {
                Reality::Done(done(&input))
            } else {
                Reality::NotDone(scene.describe())
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

/// The old database holds its name, or (where there was none) nothing of ours does.
fn is_back(input: &Input, scene: &Scene) -> bool {
    match input.live_oid {
        Some(oid) => scene.live.as_ref().is_some_and(|live| live.oid == oid),
        None => scene.live.is_none(),
    }
}

fn done(input: &Input) -> Values {
    values(json!({ "database": input.database, "oid": input.live_oid }))
}

async fn back(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (session, _) = input.target.open(cx).await?;
    lock(cx, &session, &input.database).await?;
    reopen(cx, &input.target).await?;
    let scene = Scene::read(&session, &input.database, &input.side, &input.aside).await?;
    if is_back(&input, &scene) {
        return Ok(done(&input));
    }
    let refuse = |what: &str| {
        Failure::new(format!("the swap cannot be taken back: {what}"))
            .means("nothing was done")
            .next("look at the databases by their object ids and rename them by hand")
            .evidence(scene.describe())
    };
    if scene.side.is_some() {
        return Err(refuse(&format!("the name `{}` is taken", input.side)).into());
    }
    let Some(restored) = &scene.live else {
        return take_only(cx, &input, &session, &scene).await;
    };
    match (&scene.aside, input.live_oid) {
        (Some(old), Some(oid)) if old.oid == oid => {
            let Some(MarkState::Aside(sha256)) = old.mark().map(|mark| mark.state) else {
                return Err(refuse("the old database does not carry this run's mark").into());
            };
            let mark = Mark { run: cx.owner.run.clone(), state: MarkState::Restored(sha256) };
            let exchange = Exchange {
                target: &input.target,
                name: &input.database,
                out: Some((restored, &input.side)),
                coming: old,
                then: Vec::new(),
                comment_on_coming: restored.comment.clone(),
                comment_on_out: Some(mark.to_string()),
                within: input.within(),
            };
            exchange.run(cx, &session).await?;
        }
        (_, None) if restored.mark().is_some_and(|mark| mark.run == cx.owner.run) => {
            let rename = format!(
                "ALTER DATABASE {} RENAME TO {}",
                super::names::ident(&input.database),
                super::names::ident(&input.side)
            );
            super::database::expel(&session, &[restored.oid], input.within()).await?;
            session.change("renaming the restored database", &rename).await?;
        }
        _ => return Err(refuse("the old database is not under its dated name").into()),
    }
    Ok(done(&input))
}

/// The live name is free and the old database lies aside: it only gets its name back.
async fn take_only(
    cx: &TaskContext,
    input: &Input,
    session: &super::connect::Session,
    scene: &Scene,
) -> Result<Values, Stop> {
    match (&scene.aside, input.live_oid) {
        (Some(old), Some(oid)) if old.oid == oid => {
            let exchange = Exchange {
                target: &input.target,
                name: &input.database,
                out: None,
                coming: old,
                then: Vec::new(),
                comment_on_coming: None,
                comment_on_out: None,
                within: input.within(),
            };
            exchange.run(cx, session).await?;
            Ok(done(input))
        }
        _ => Err(Failure::new("the swap cannot be taken back: the old database is not under its dated name")
            .means("nothing was done")
            .next("look at the databases by their object ids")
            .evidence(scene.describe())
            .into()),
    }
}
