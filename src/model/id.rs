//! Identifiers: short, printable, compared as text. A clone shares the text.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(/// A store as named in the configuration.
    StoreId);
id!(/// A protected thing as named in the configuration.
    AssetId);
id!(/// A database or cache server as named in the configuration.
    ServerId);
id!(/// A service as named in the configuration.
    ServiceId);
id!(/// A key that backups are encrypted with.
    KeyId);
id!(/// A scheduled job as named in the configuration.
    JobId);
id!(/// A host on which commands run.
    HostId);
id!(/// One backup: `<asset>-<kind>-<instant>`, the same on every machine and in every scan.
    BackupId);
id!(/// A runbook: the file name without its extension.
    RunbookId);
id!(/// A step within a runbook.
    StepId);
id!(/// One execution of a plan: sorts by start, types easily.
    RunId);
