//! Services under systemd, on the hosts of the estate: seen, stopped, started, and fenced. What systemd
//! answers is held against the processes and the ports.

mod doors;
pub mod fence;
pub mod identity;
pub mod inspect;
pub mod start;
pub mod stop;
pub mod unfence;
mod unit;

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
