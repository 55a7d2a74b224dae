//! `pg.create-side`: an empty database beside the live one, marked as this run's.

use super::database::{self, Shape};
use super::names::{MarkState, check_name};
use super::target::{CLUSTER, SERVER, Target};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::{Makes, Reach};
use serde::Deserialize;
use serde_json::json;

pub struct CreateSide;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.create-side",
    summary: "Create an empty database beside the live one",
    effect: Effect::Reversible,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Name of the new database" },
        InputSpec {
            name: "shape",
            kind: InputKind::Table,
            required: false,
            help: "Owner, encoding and locale; absent: as template0",
        },
    ],
    outputs: &["database", "oid"],
    idempotent: false,
    undo: "pg.drop-side removes the database, which carries this run's mark",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    side: String,
    #[serde(default)]
    shape: Option<Shape>,
}

#[async_trait::async_trait]
impl Module for CreateSide {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["side"] })
    }

    fn makes(&self) -> Option<Makes> {
        Some(Makes { what: "database", named_by: "side", remove: "pg.remove-made", probe: "pg.made-gone" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(create(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        look(cx, input).await.unwrap_or_else(Reality::from)
    }
}

async fn create(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    check_name(&input.side)?;
    let (session, _) = input.target.open(cx).await?;
    if database::find(&session, &input.side).await?.is_some() {
        return Err(Failure::new(format!("database `{}` is already there", input.side))
            .means("it is not this step's, so it was left alone")
            .next("make a new plan; it gets a new name")
            .into());
    }
    let shape = if let Some(shape) = input.shape {
        shape
    } else {
        let template = database::find(&session, "template0").await?;
        let mut shape = template.ok_or_else(|| Failure::new("the server has no template0"))?.shape;
        let row = session.row("reading our user's name", "SELECT current_user::text", &[]).await?;
        shape.owner = row.get(0);
        shape
    };
    database::create(&session, &input.side, &shape, &cx.owner.run).await?;
    let made = database::ours(&session, &input.side, &cx.owner.run).await?;
    Ok(values(json!({ "database": made.name, "oid": made.oid })))
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Reality, Stop> {
    let input: Input = read(input)?;
    let (session, _) = input.target.open(cx).await?;
    let Some(found) = database::find(&session, &input.side).await? else {
        return Ok(Reality::NotDone(format!("database `{}` is not there", input.side)));
    };
    Ok(match found.mark() {
        Some(mark) if mark.run == cx.owner.run && mark.state == MarkState::Made => {
            Reality::Done(values(json!({ "database": found.name, "oid": found.oid })))
        }
        Some(mark) if mark.run == cx.owner.run => Reality::Partial("it is there and already filled".to_owned()),
        // Creating and marking are two statements; the name was fixed by this plan and was free before.
        None if found.comment.is_none() && is_empty(cx, &input, &found.name).await? => {
            database::mark(&session, &found.name, &super::names::Mark::made(&cx.owner.run)).await?;
            Reality::Done(values(json!({ "database": found.name, "oid": found.oid })))
        }
        _ => Reality::Unknown(
            Failure::new(format!("database `{}` is there, but does not carry this run's mark", found.name))
                .means("it may have been made by someone else")
                .next("find out whose it is before going on"),
        ),
    })
}

async fn is_empty(cx: &TaskContext, input: &Input, name: &str) -> Result<bool, Stop> {
    let server = super::connect::server(cx, &input.target.server)?;
    let session = super::connect::Session::open(cx, server, name).await?;
    let row = session
        .row("counting what the database holds", "SELECT count(*) FROM pg_class WHERE oid >= 16384", &[])
        .await?;
    Ok(row.get::<_, i64>(0) == 0)
}
