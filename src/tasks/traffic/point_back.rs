//! `traffic.point-back`: says again what was said before `traffic.point`.

use super::point::{ASSET, NOT_MOVED, OF, of};
use super::{dns, file, pooler};
use crate::model::estate::Traffic;
use crate::model::id::{AssetId, ServerId};
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

/// Under its name of today, or under that of plans from when there were only files.
pub struct PointBack(&'static ModuleSpec);

impl PointBack {
    pub const NOW: Self = Self(&SPEC);
    pub const BEFORE: Self = Self(&FORMER);
}

static SPEC: ModuleSpec = spec("traffic.point-back");
static FORMER: ModuleSpec = spec("traffic.file-back");

const fn spec(name: &'static str) -> ModuleSpec {
    ModuleSpec {
        name,
        summary: "Tell clients again what they were told before, by a file, a DNS record or PgBouncer",
        effect: Effect::Reversible,
        inputs: INPUTS,
        outputs: &["traffic"],
        idempotent: true,
        undo: "traffic.point points clients at a server again",
        programs: &["ssh", "tee", "mv"],
    }
}

const INPUTS: &[InputSpec] = &[
    ASSET,
    OF,
    InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "The stamp under which it was kept" },
];

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    #[serde(default)]
    of: Option<ServerId>,
    stamp: String,
}

#[async_trait::async_trait]
impl Module for PointBack {
    fn spec(&self) -> &'static ModuleSpec {
        self.0
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Traffic { of: "of" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(back(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("saying the same again does no harm".to_owned())
    }
}

async fn back(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    match of(cx, &input.asset, input.of.as_ref(), &input.stamp)? {
        None => Ok(values(json!({ "traffic": NOT_MOVED }))),
        Some((_, Traffic::File(to))) => file::Place::of(cx, to, &input.stamp)?.back().await,
        Some((_, Traffic::Dns(to))) => dns::Record::of(cx, to, &input.stamp)?.back().await,
        Some((database, Traffic::PgBouncer(to))) => pooler::Pooler::of(cx, to, database, &input.stamp)?.back().await,
    }
}
