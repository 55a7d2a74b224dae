//! The encoding of events on disk and on the control socket: one JSON object, versioned.

use super::kind::{Event, EventKind};
use crate::model::actor::Actor;
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the encoding. A reader refuses a higher one by name instead of guessing.
pub const VERSION: u32 = 1;

/// An event as it travels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wire {
    pub v: u32,
    #[serde(flatten)]
    pub event: Event,
}

/// The same as [`Wire`], without a copy of the event.
#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    seq: u64,
    run: &'a RunId,
    at: &'a Timestamp,
    mono_ms: u64,
    actor: &'a Actor,
    #[serde(flatten)]
    kind: &'a EventKind,
}

/// The same in one piece: every flattened layer would hold what it reads a second time.
#[derive(Deserialize)]
struct Read {
    v: u32,
    seq: u64,
    run: RunId,
    at: Timestamp,
    mono_ms: u64,
    actor: Actor,
    #[serde(flatten)]
    kind: EventKind,
}

pub fn encode(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    let Event { seq, run, at, mono_ms, actor, kind } = event;
    serde_json::to_vec(&Written { v: VERSION, seq: *seq, run, at, mono_ms: *mono_ms, actor, kind })
}

/// The event, or why it cannot be read.
pub fn decode(body: &[u8]) -> Result<Event, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let read = serde_json::from_slice::<Read>(body);
    // What a later version writes may have another shape; its number still stands there.
    let version = match &read {
        Ok(read) => Some(read.v),
        Err(_) => serde_json::from_slice::<Version>(body).ok().map(|version| version.v),
    };
    if let Some(version) = version.filter(|version| *version > VERSION) {
        return Err(format!(
            "it is written in encoding {version} and this program reads up to {VERSION}; use a newer relight"
        ));
    }
    let Read { seq, run, at, mono_ms, actor, kind, .. } = read.map_err(|error| error.to_string())?;
    Ok(Event { seq, run, at, mono_ms, actor, kind })
}
