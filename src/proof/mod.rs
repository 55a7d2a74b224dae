//! Streaming readers that prove a backup in one pass, and the ledger of what was proven.

pub mod fault;
pub mod forms;
pub mod inside;
pub mod intake;
pub mod layers;
pub mod ledger;
pub mod manifest;
pub mod pass;
pub mod pgdump;
pub mod source;
pub mod tree;
pub mod unseal;

pub use fault::Fault;
pub use ledger::{Ledger, LedgerError, Problem, Proofs};
pub use pass::{Examined, Job, Recorded, examine, examine_with};
pub use unseal::{Keyless, Unseal};
