//! Runbooks: definition, plan, state machine. Pure: input and time in, events and orders out.

pub mod definition;
pub mod intent;
pub mod plan;
pub mod state;

pub use definition::{Action, AnswerKind, Confirm, Param, ParamKind, Runbook, RunbookKind, SkipRule, Step};
pub use intent::{Answer, Intent};
pub use plan::{Mode, Plan, PlannedStep};
pub use state::{Abort, Armed, Exception, Question, QuestionKind, RunState, RunStatus, StepRecord, StepState, Working};
