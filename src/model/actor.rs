//! Who does something.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A person or process that acts, as the operating system knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Login name, or `relight` for what the program does by itself.
    pub name: String,
    pub host: String,
    pub pid: u32,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.host)
    }
}
