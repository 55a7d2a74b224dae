//! Where a secret comes from, and the type that never prints it.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// A secret value. `Debug` prints `[REDACTED]`; there is no `Display` and no serialisation.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(SecretString::from(value))
    }
    /// The clear value, for the one call that needs it. Never pass it to argv, a log or a journal.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// How to obtain a secret. The configuration holds only this, never the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// The named environment variable.
    Env(String),
    /// The first line of a file.
    File(std::path::PathBuf),
    /// The first line that a command prints; an argument vector, no shell.
    Command(Vec<String>),
}

/// Reads secrets when they are needed. The error says which reference failed and why, never a value.
pub trait SecretSource: Send + Sync + std::fmt::Debug {
    fn read(&self, from: &SecretRef) -> Result<Secret, String>;

    /// All lines of it, for keys that have several.
    fn read_whole(&self, from: &SecretRef) -> Result<Secret, String> {
        self.read(from)
    }
}
