//! What a watch saw and did, as it is kept and told.

use crate::model::actor::Actor;
use crate::model::id::{AssetId, RunId, RunbookId, ServerId};
use crate::model::time::Timestamp;
use crate::tasks::vantage::{Look, State};
use serde::Serialize;

/// One line of the watches' file.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub schema: &'static str,
    pub at: Timestamp,
    /// The process that watches.
    pub by: Actor,
    pub asset: AssetId,
    #[serde(flatten)]
    pub sight: Sight,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Sight {
    Began {
        runbook: RunbookId,
        primary: ServerId,
        standby: Option<ServerId>,
        every_seconds: u64,
        times: u32,
    },
    /// Kept when something changed, and while a row of looks fills up.
    Looked {
        server: ServerId,
        state: State,
        /// How many looks in a row have said down.
        down: u32,
        #[serde(flatten)]
        look: Look,
    },
    /// The other half takes writes: it is the one to watch from now on.
    RolesChanged {
        primary: ServerId,
    },
    /// Both halves take writes.
    Split {
        one: ServerId,
        other: ServerId,
    },
    /// A run waits for its operator.
    Opened {
        run: RunId,
        plan_digest: String,
        server: ServerId,
    },
    /// Another run works on the same: no second one is opened.
    Held {
        run: RunId,
        by_whom: String,
    },
    NotOpened {
        problems: Vec<String>,
    },
    Notified {
        program: String,
        error: Option<String>,
    },
    Ended {
        why: String,
    },
}
