//! The rules, one per file, and the table of them.

pub mod age;
pub mod archived;
pub mod chain;
pub mod copies;
pub mod incomplete;
pub mod log_hole;
pub mod missed_run;
pub mod nothing;
pub mod plaintext;
pub mod proof;
pub mod sidecar;
pub mod size;
pub mod store_unseen;

use super::finding::Finding;
use super::subject::Subject;

/// A rule: names of the findings that it may give, and the judgement.
pub struct Rule {
    pub names: &'static [&'static str],
    pub about: &'static str,
    pub judge: fn(&Subject<'_>) -> Vec<Finding>,
}

/// Every rule about assets.
pub const ALL: &[Rule] = &[
    Rule { names: &["store-unseen"], about: "A store of the asset could not be listed", judge: store_unseen::judge },
    Rule { names: &["no-backup"], about: "There is no backup at all", judge: nothing::judge },
    Rule { names: &["age-over-rpo"], about: "The newest recovery point is older than the RPO", judge: age::judge },
    Rule { names: &["missed-run"], about: "A scheduled backup did not appear", judge: missed_run::judge },
    Rule {
        names: &["zero-size", "below-floor", "size-collapse", "size-jump"],
        about: "The newest backup is empty, below its floor, or half off its forerunners",
        judge: size::judge,
    },
    Rule { names: &["too-few-copies"], about: "Fewer copies, media or sites than asked", judge: copies::judge },
    Rule { names: &["incomplete-backup"], about: "Members or markers are missing", judge: incomplete::judge },
    Rule { names: &["broken-chain"], about: "An incremental has lost its base", judge: chain::judge },
    Rule { names: &["log-hole"], about: "Log segments are missing", judge: log_hole::judge },
    Rule { names: &["sidecar-disagrees"], about: "Metadata contradicts the objects", judge: sidecar::judge },
    Rule {
        names: &["proof-failed", "proof-stale", "unproven"],
        about: "A verification failed, is too old, or never happened",
        judge: proof::judge,
    },
    Rule { names: &["archived-only"], about: "The newest backup must be thawed first", judge: archived::judge },
    Rule {
        names: &["plaintext-beside"],
        about: "Unencrypted data beside an encrypted archive",
        judge: plaintext::judge,
    },
];
