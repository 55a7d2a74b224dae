//! What arrives at the loop from work beside it.

use super::elsewhere::{LockWish, Looked};
use super::follow::Told;
use super::view::RunRow;
use crate::catalog::Catalog;
use crate::checklist::Notes;
use crate::model::id::RunId;
use crate::proof::Proofs;
use crate::runner::Listing;
use std::sync::Arc;

pub(super) enum News {
    /// The catalog of the last session, if there is one.
    Remembered(Box<Result<Option<Catalog>, String>>),
    /// The ledger, read anew.
    Proofs(Box<Result<Proofs, String>>),
    /// The answers to checklists, read anew; `trouble` is why the last one was not kept.
    Answers { answers: Result<Notes, String>, trouble: Option<String> },
    /// A scan's result; `trouble` is why it could not be kept on disk.
    Scanned { catalog: Arc<Catalog>, trouble: Option<String> },
    /// The runs folder, read anew; with what could not be read of it.
    Runs { rows: Vec<RunRow>, trouble: Vec<String>, listing: Listing },
    /// The shared place, looked at anew.
    Away(Box<Looked>),
    /// A run was taken over, or its lock freed.
    Locked { run: RunId, wish: LockWish },
    /// A runner was brought back, or not.
    Resumed { run: RunId, ended: Result<(), String> },
    /// About the run on screen.
    Told { run: RunId, told: Box<Told> },
}
