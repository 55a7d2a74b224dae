//! From what a pass found to a line of the ledger and the outcome of a task.

use crate::model::proof::{Level, ProofOutcome, ProofRecord};
use crate::model::task::Failure;
use crate::model::task::Values;
use crate::model::text::escaped;
use crate::proof::{Fault, Ledger};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, values};
use serde_json::json;

/// Keeps the record, then says what it means for the step that asked.
pub async fn settle_record(cx: &TaskContext, record: ProofRecord, fault: Option<Fault>) -> Result<Values, Stop> {
    let ledger = Ledger::in_state(&cx.state_dir);
    let kept = record.clone();
    let written = tokio::task::spawn_blocking(move || ledger.append(&kept)).await;
    let unwritten = match written {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(lost) => Some(lost.to_string()),
    };
    if let Some(why) = unwritten {
        return Err(Stop::Unknown(
            Failure::new(format!("the proof could not be recorded: {why}"))
                .means(format!("the check itself says: {}", record.detail))
                .next("make room in Relight's state folder and verify again"),
        ));
    }
    match record.outcome {
        ProofOutcome::Passed if record.level >= record.wanted => Ok(output(&record)),
        ProofOutcome::Passed => Err(Stop::Unknown(short_of(&record))),
        ProofOutcome::Failed => Err(Stop::Failed(bad(&record))),
        ProofOutcome::Unknown => Err(match cx.cancel.reason() {
            Some(reason) => Stop::Cancelled(reason),
            None => Stop::Unknown(unfinished(&record, fault.as_ref())),
        }),
    }
}

fn place(record: &ProofRecord) -> String {
    format!("{} in store `{}`, `{}`", record.backup, record.store, escaped(&record.path))
}

pub fn output(record: &ProofRecord) -> Values {
    values(json!({
        "backup": record.backup,
        "store": record.store,
        "path": record.path,
        "level": record.level,
        "outcome": record.outcome,
        "detail": record.detail,
        "sha256": record.sha256,
        "size_bytes": record.size_bytes,
        "facts": record.facts,
    }))
}

fn short_of(record: &ProofRecord) -> Failure {
    let next = match record.wanted {
        Level::L2 => "ask for L3 or more, or record a checksum beside the backup when it is made",
        _ => "prove it by restoring it in scratch, or choose another backup",
    };
    Failure::new(format!("{} is proven only to {}, {} was asked for", place(record), record.level, record.wanted))
        .means("nothing is wrong with what could be checked")
        .next(next)
        .evidence(record.detail.clone())
}

fn bad(record: &ProofRecord) -> Failure {
    let held = format!("the last level that still held is {}", record.level);
    let failure = Failure::new(format!("{} is bad: {}", place(record), record.detail))
        .means("do not restore this copy")
        .next("choose another copy or an older backup, and find out how it was damaged")
        .evidence(held);
    match &record.sha256 {
        Some(sha256) => failure.evidence(format!("SHA-256 of the {} stored bytes: {sha256}", record.size_bytes)),
        None => failure,
    }
}

fn unfinished(record: &ProofRecord, fault: Option<&Fault>) -> Failure {
    let failure =
        Failure::new(format!("{}: {}", place(record), record.detail)).means("this says nothing about the backup");
    match fault {
        Some(Fault::Lost(error)) => failure.next(error.hint()),
        _ => failure.next("try again, or verify another copy"),
    }
}
