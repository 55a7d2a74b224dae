//! A runbook as its author wrote it: typed parameters, what is resolved at plan time, ordered steps.

use crate::model::estate::AssetKind;
use crate::model::id::{RunbookId, StepId};
use crate::model::task::{Effect, Values};
use crate::runbook::commit::CommitPoint;
use crate::runbook::group::Group;
use crate::runbook::probe::Condition;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    pub id: RunbookId,
    pub title: String,
    /// When to reach for it, one or two sentences.
    pub summary: String,
    pub kind: RunbookKind,
    /// SHA-256 of the file's bytes, hexadecimal: the version that a plan pins.
    pub digest: String,
    /// File it came from, or `built in`.
    pub origin: String,
    pub params: Vec<Param>,
    /// Read-only looks at the world whose answers the plan pins.
    pub resolve: Vec<Resolve>,
    /// Names fixed once at plan time: `(name, template)`, in order; later ones may use earlier ones.
    pub names: Vec<(String, String)>,
    /// What the plan preview says will be touched: templates, one line each.
    pub touches: Vec<String>,
    /// How a drill of it differs. Absent: it cannot be drilled where it changes anything.
    pub drill: Option<Drill>,
    /// What one run at a time may work on: templates. Empty: the asset that the parameters name.
    pub lock: Vec<String>,
    /// Which steps wait for which. Empty: each for all before it.
    pub groups: Vec<Group>,
    pub steps: Vec<Step>,
}

/// What a drill changes beside the looks that [`Resolve::drill`] leads elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// What the preview of a drill says in place of [`Runbook::touches`]; empty: the same.
    pub touches: Vec<String>,
    /// The step that stands for the disaster: recovery is measured from its end. Absent: from the run's start.
    pub clock: Option<StepId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunbookKind {
    Restore,
    Pitr,
    Switchover,
    Failover,
    Failback,
    Backup,
    Retention,
    Checklist,
}

impl RunbookKind {
    /// Whether it brings something back, so that its run counts against the objectives of recovery.
    pub fn recovers(self) -> bool {
        !matches!(self, Self::Backup | Self::Retention | Self::Checklist)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    pub name: String,
    pub title: String,
    pub help: String,
    pub kind: ParamKind,
    pub required: bool,
    pub default: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ParamKind {
    Text,
    Integer {
        min: i64,
        max: i64,
    },
    Flag,
    Choice {
        of: Vec<String>,
    },
    /// An asset of the estate, of one of these kinds (empty: any).
    Asset {
        kinds: Vec<AssetKind>,
    },
    /// A backup of the asset that the named parameter holds: an id, a prefix, `latest`, `latest-proven`.
    Backup {
        asset: String,
    },
    /// A store that holds a copy of the backup that the named parameter holds.
    Copy {
        backup: String,
    },
    /// An absolute path.
    Path,
    /// A duration such as `30s` or `15m`.
    Duration,
}

/// One look at the world while planning; its output is bound to `id` for templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolve {
    pub id: String,
    pub title: String,
    /// An observing task module.
    pub module: String,
    /// Input template: strings may hold `{{ … }}` over `param`, earlier resolves, `name` and `plan.stamp`.
    pub with: Values,
    /// The look that takes its place in a drill: whatever is made from its answer is then led to the scratch place.
    pub drill: Option<TaskTemplate>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub id: StepId,
    /// The group that it belongs to.
    pub group: Option<String>,
    pub title: String,
    /// Why it is there and what to look at; shown beside its question.
    pub help: String,
    pub action: Action,
    pub effect: Effect,
    pub confirm: Confirm,
    /// Template over `target.title` and `target.<fact>` and `target.code`, for [`Confirm::Phrase`].
    pub phrase: Option<String>,
    /// Module and input that read the live identity of what the step changes.
    pub target: Option<TaskTemplate>,
    pub timeout: Duration,
    /// How often a failed attempt may be repeated without asking; only where the module is idempotent.
    pub retry: u32,
    pub skip: SkipRule,
    /// What takes the step's effect back. Absent means it has none, and the plan says so.
    pub undo: Option<TaskTemplate>,
    pub by_mode: ByMode,
    /// The proof that its task must give, as `proofs.<name>` in its output, for the step to be done.
    pub proof_out: Option<String>,
    /// Proofs without which it does not start.
    pub proof_in: Vec<String>,
    /// How it may go on without them.
    pub declare: Option<Declare>,
    /// Who else must say yes before it starts.
    pub approve: Option<Approve>,
    /// The earlier step that says what this one loses: `loss` in its phrase, and part of its question.
    pub loss_from: Option<StepId>,
    /// What must hold after its work for it to be done.
    pub post: Option<PostTemplate>,
    /// What stops its work.
    pub stop_if: Option<WatchTemplate>,
    /// The most that it may touch.
    pub limit: Option<LimitTemplate>,
    /// It makes the recovery final.
    pub commit: Option<CommitPoint>,
}

/// The most that a step may touch: numbers, sizes, or templates that become such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitTemplate {
    pub objects: Option<Value>,
    pub bytes: Option<Value>,
}

/// Conditions on which a step's work stops, with templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchTemplate {
    pub probes: Vec<ProbeTemplate>,
    pub every: Duration,
}

/// Probes of a step, with templates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostTemplate {
    pub probes: Vec<ProbeTemplate>,
    /// How long all of them must hold on end; a template that becomes a duration. Absent: one look is enough.
    pub stable_for: Option<String>,
    /// Until when, likewise.
    pub within: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeTemplate {
    pub title: String,
    pub task: TaskTemplate,
    pub conditions: Vec<Condition>,
}

/// What becomes of a step where nothing real is at stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByMode {
    pub dry_run: ModeRule,
    pub drill: ModeRule,
    /// `omit`: the step is of drills alone; no other plan has it.
    pub real: ModeRule,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModeRule {
    #[default]
    Run,
    Omit,
}

/// A declaration of loss in place of a proof. Templates over what the plan resolves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declare {
    /// What may be lost, in words.
    pub loss: String,
    /// What the operator types; it names the loss.
    pub phrase: String,
    pub approve: Option<Approve>,
}

/// A yes by people other than the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approve {
    /// How many people; absent: as many as the estate asks for.
    pub quorum: Option<u32>,
    /// How long the request, and the yes, hold.
    pub ttl: Duration,
    /// Template: what may be lost.
    pub loss: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskTemplate {
    pub module: String,
    pub with: Values,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    Task(TaskTemplate),
    /// A person answers with a typed value.
    Question {
        prompt: String,
        answer: AnswerKind,
    },
    /// A person does something and says what they saw: a note is required.
    Attest {
        prompt: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    YesNo,
    Text,
    Integer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confirm {
    /// Starts by itself once its turn comes.
    None,
    /// One key, never Enter.
    Key,
    /// A phrase computed from the live target.
    Phrase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipRule {
    #[default]
    Forbidden,
    WithReason,
}
