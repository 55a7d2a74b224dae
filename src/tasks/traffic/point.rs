//! `traffic.point`: points clients at a server in the way that the configuration names, and keeps what was
//! said before.

use super::{dns, file, pooler};
use crate::model::estate::Traffic;
use crate::model::id::{AssetId, ServerId};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::{connect, target};
use crate::tasks::reach::{Makes, Reach};
use serde::Deserialize;
use serde_json::json;

/// Under its name of today, or under that of plans from when there were only files.
pub struct Point(&'static ModuleSpec);

impl Point {
    pub const NOW: Self = Self(&SPEC);
    pub const BEFORE: Self = Self(&FORMER);
}

static SPEC: ModuleSpec = spec("traffic.point", "traffic.point-back says again what was said before");
static FORMER: ModuleSpec = spec("traffic.file", "traffic.file-back says again what was said before");

const fn spec(name: &'static str, undo: &'static str) -> ModuleSpec {
    ModuleSpec {
        name,
        summary: "Tell clients where the writable server is, by a file, a DNS record or PgBouncer",
        effect: Effect::Reversible,
        inputs: INPUTS,
        outputs: &["traffic", "kept", "pooler"],
        idempotent: true,
        undo,
        programs: &["ssh", "tee", "mv"],
    }
}

/// Whose clients are told.
pub const ASSET: InputSpec = InputSpec {
    name: "asset",
    kind: InputKind::Text,
    required: true,
    help: "Asset whose server describes its traffic",
};
pub const OF: InputSpec = InputSpec {
    name: "of",
    kind: InputKind::Text,
    required: false,
    help: "The server that describes the traffic; default the asset's",
};

const INPUTS: &[InputSpec] = &[
    ASSET,
    OF,
    InputSpec { name: "server", kind: InputKind::Text, required: true, help: "Where clients are to go" },
    InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "Names what is kept" },
];

/// What is told where nothing says how clients find the server.
pub const NOT_MOVED: &str = "not moved: no [servers.traffic] is configured";

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    #[serde(default)]
    of: Option<ServerId>,
    server: ServerId,
    stamp: String,
}

#[async_trait::async_trait]
impl Module for Point {
    fn spec(&self) -> &'static ModuleSpec {
        self.0
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Traffic { of: "of" })
    }

    fn makes(&self) -> Option<Makes> {
        Some(Makes { what: "traffic file of", named_by: "of", remove: "traffic.remove", probe: "traffic.gone" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(point(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        reality(cx, input).await.unwrap_or_else(Reality::from)
    }
}

/// How clients find the asset's server, where that is configured, and the asset's database.
pub fn of<'a>(
    cx: &'a TaskContext,
    asset: &AssetId,
    of: Option<&ServerId>,
    stamp: &str,
) -> Result<Option<(&'a str, &'a Traffic)>, Failure> {
    let (own, database) = target::of_asset(cx, asset)?;
    let server = of.map_or(Ok(own), |of| connect::server(cx, of))?;
    if stamp.is_empty() || !stamp.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Failure::new("the stamp is not one: letters, digits and `_` only"));
    }
    Ok(server.traffic.as_ref().map(|traffic| (database, traffic)))
}

async fn point(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let Some((database, traffic)) = of(cx, &input.asset, input.of.as_ref(), &input.stamp)? else {
        cx.feed.line(NOT_MOVED);
        return Ok(values(json!({ "traffic": NOT_MOVED })));
    };
    let server = connect::server(cx, &input.server)?;
    match traffic {
        Traffic::File(to) => file::Place::of(cx, to, &input.stamp)?.point(server).await,
        Traffic::Dns(to) => dns::Record::of(cx, to, &input.stamp)?.point(server).await,
        Traffic::PgBouncer(to) => pooler::Pooler::of(cx, to, database, &input.stamp)?.point(server).await,
    }
}

async fn reality(cx: &TaskContext, input: &Values) -> Result<Reality, Stop> {
    let input: Input = read(input)?;
    let Some((database, traffic)) = of(cx, &input.asset, input.of.as_ref(), &input.stamp)? else {
        return Ok(Reality::Done(values(json!({ "traffic": NOT_MOVED }))));
    };
    let server = connect::server(cx, &input.server)?;
    match traffic {
        Traffic::File(to) => file::Place::of(cx, to, &input.stamp)?.reality(server).await,
        Traffic::Dns(to) => dns::Record::of(cx, to, &input.stamp)?.reality(server).await,
        Traffic::PgBouncer(to) => pooler::Pooler::of(cx, to, database, &input.stamp)?.reality(server).await,
    }
}
