//! Services on the hosts of the estate, under systemd or compose: seen, stopped, started, and those of systemd fenced.
//! What their manager answers is held against the processes and the ports.

mod compose;
mod doors;
pub mod fence;
pub mod identity;
pub mod inspect;
mod managed;
pub mod start;
pub mod stop;
pub mod unfence;
mod unit;

use managed::Managed;
pub use unit::{Standing, Unit};

use super::module::{InputKind, InputSpec};

/// The service that a module works on.
const SERVICE: InputSpec = InputSpec {
    name: "service",
    kind: InputKind::Text,
    required: true,
    help: "Service, as the configuration names it",
};
const WITHIN: InputSpec =
    InputSpec { name: "within", kind: InputKind::Text, required: false, help: "How long to wait; default 2m" };
