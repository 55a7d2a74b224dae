//! The state machine of a run. Pure: an input and the time go in, events come out; applying events
//! changes the state and yields orders, which the runner executes and a replay ignores.
//!
//! Two functions hold everything: [`Engine::handle`] decides, [`Engine::apply`] evolves. What follows
//! from a state alone is decided in `advance`, one event at a time, so that a journal that ends after any
//! event can be taken up again.

mod abort;
mod about;
mod advance;
mod amend;
mod answer;
mod approval;
mod ask;
mod commit;
mod debt;
mod decide;
mod evolve;
mod frontier;
mod handover;
mod identity;
mod lease;
mod limit;
mod loss;
mod machine;
mod prepare;
mod probe;
mod proof;
mod questions;
mod record;
mod settle;
mod stop;
mod tasks;
mod turn;
mod words;

pub use approval::audit as audit_approvals;
pub use evolve::{ReplayError, replay};
pub use identity::parse as identity_of;
pub use machine::{Decision, Engine, Input, Now, Order};
