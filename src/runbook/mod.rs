//! Runbooks: definition, plan, state machine. Pure: input and time in, events and orders out.

pub mod approval;
pub mod binding;
pub mod commit;
pub mod definition;
pub mod digest;
pub mod drill;
pub mod engine;
pub mod estimate;
pub mod group;
pub mod intent;
pub mod load;
pub mod measure;
pub mod modules;
pub mod params;
pub mod plan;
pub mod probe;
pub mod question;
pub mod state;
pub mod template;

pub use binding::Binding;
pub use definition::{
    Action, AnswerKind, Approve, Confirm, Declare, Param, ParamKind, Runbook, RunbookKind, SkipRule, Step,
};
pub use drill::{Debt, Made};
pub use engine::{Engine, Input, Order};
pub use group::Group;
pub use intent::{Answer, Intent};
pub use modules::{InputRow, InputType, MakesRow, ModuleRow, Modules};
pub use plan::{Mode, Plan, PlannedStep};
pub use state::{
    Abort, Approved, Armed, Exception, Handover, LossSeen, Question, QuestionKind, RunState, RunStatus, Standing,
    StepRecord, StepState, Working,
};
