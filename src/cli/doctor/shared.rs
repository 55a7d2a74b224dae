//! The shared place: whether it is there, and whether it keeps its word under conditional writes.

use super::check::Check;
use crate::health::Severity;
use crate::model::time::short_duration;
use crate::stores::place::{self, ProbeError};
use crate::wiring::Setup;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(45);

pub async fn all(setup: &Setup) -> Vec<Check> {
    if setup.shared.is_none() {
        return Vec::new();
    }
    let leases = match setup.leases().await {
        Ok(leases) => leases,
        Err(error) => {
            let check = Check::new("shared place", "[shared]", Severity::Critical, error.to_string());
            return vec![check.next("without it no run can begin that changes something")];
        }
    };
    let (place, location) = (leases.place(), leases.location());
    // A mark of its own: a runner that starts in this moment puts the place to its own test.
    let mark = format!("{}-doctor", leases.seat());
    let begun = Instant::now();
    let probed = tokio::time::timeout(PATIENCE, place::probe(&**place, &mark)).await;
    let name = "[shared]";
    let check = match probed {
        Ok(Ok(())) => {
            let term = chrono::Duration::from_std(leases.term()).unwrap_or(chrono::Duration::zero());
            let (ms, term) = (begun.elapsed().as_millis(), short_duration(term));
            Check::good(
                "shared place",
                name,
                format!("{location} keeps conditional writes, {ms} ms; leases hold {term}"),
            )
        }
        Ok(Err(error @ ProbeError::Broken { .. })) => {
            Check::new("shared place", name, Severity::Critical, error.to_string())
                .next("take a server that honours If-None-Match and If-Match, or a folder on a share")
        }
        Ok(Err(error)) => Check::new("shared place", name, Severity::Unknown, error.to_string())
            .next("check that this machine may write there"),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            Check::new("shared place", name, Severity::Unknown, format!("{location}: no answer in {seconds} s"))
                .next("check endpoint, network and DNS")
        }
    };
    vec![check]
}
