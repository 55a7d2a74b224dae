//! The encoding of events on disk and on the control socket: one JSON object, versioned.

use super::kind::Event;
use serde::{Deserialize, Serialize};

/// Version of the encoding. A reader refuses a higher one by name instead of guessing.
pub const VERSION: u32 = 1;

/// An event as it travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wire {
    pub v: u32,
    #[serde(flatten)]
    pub event: Event,
}
