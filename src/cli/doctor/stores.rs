//! Every store, asked for the first page of its listing.

use super::check::Check;
use crate::health::Severity;
use crate::model::estate::StoreConfig;
use crate::wiring::{Setup, signs_in};
use futures::StreamExt as _;
use std::time::{Duration, Instant};

/// Longer than the stores' own limits, so that their messages are heard.
pub(super) const PATIENCE: Duration = Duration::from_secs(45);

/// From here on a listing is slow enough to say so.
const SLOW: Duration = Duration::from_secs(3);

pub async fn all(setup: &Setup) -> Vec<Check> {
    futures::future::join_all(setup.estate.stores.iter().map(|config| one(setup, config))).await
}

async fn one(setup: &Setup, config: &StoreConfig) -> Check {
    let name = config.id.as_str();
    let Some(store) = setup.stores.get(&config.id) else {
        return Check::new("store", name, Severity::Unknown, "not opened");
    };
    let who = signs_in(config, &setup.actor.name);
    let location = store.location();
    let begun = Instant::now();
    let first = tokio::time::timeout(PATIENCE, async { store.list("", None).next().await }).await;
    let took = begun.elapsed();
    let ms = took.as_millis();
    match first {
        Ok(Some(Ok(page))) => {
            let detail = format!("{location}, as {who}: first {} objects in {ms} ms", page.objects.len());
            let check = Check::good("store", name, detail);
            if took < SLOW {
                return check;
            }
            Check { verdict: Severity::Warning, ..check }.next("the link or the server is slow; scans will be too")
        }
        Ok(None) => Check::new("store", name, Severity::Warning, format!("{location}, as {who}: empty, in {ms} ms"))
            .next("check bucket, prefix and path: backups are expected here"),
        Ok(Some(Err(error))) => {
            Check::new("store", name, Severity::Unknown, format!("{location}, as {who}: {error}")).next(error.hint())
        }
        Err(_) => {
            Check::new("store", name, Severity::Unknown, format!("{location}, as {who}: no answer in {PATIENCE:?}"))
                .next("check endpoint, network and DNS")
        }
    }
}
