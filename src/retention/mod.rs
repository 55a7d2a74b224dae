//! What a source's retention asks to keep and what it lets go, each with its reason. Pure: it plans, and
//! touches nothing.

mod period;
mod plan;
mod protect;
mod reality;

pub use period::Class;
pub use plan::{Item, SourcePlan, Verdict, plan};
pub use reality::Missing;
