//! This machine's clock against the S3 servers': signatures and ages depend on it.

use super::check::Check;
use crate::health::Severity;
use crate::model::estate::StorePlace;
use crate::model::time::{Timestamp, short_duration};
use crate::wiring::Setup;
use std::collections::BTreeSet;
use std::time::Duration;

/// S3 refuses signatures that are further off.
const REFUSED: chrono::Duration = chrono::Duration::minutes(15);

/// Ages and time stamps in names are believed to this.
const TOLERATED: chrono::Duration = chrono::Duration::seconds(30);

/// Each server once, however many stores it holds.
pub async fn all(setup: &Setup) -> Vec<Check> {
    let address = |place: &StorePlace| match place {
        StorePlace::Local { .. } => None,
        StorePlace::S3(s3) => Some(match &s3.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://s3.{}.amazonaws.com/", s3.region),
        }),
    };
    let servers: BTreeSet<String> = setup.estate.stores.iter().filter_map(|store| address(&store.place)).collect();
    futures::future::join_all(servers.iter().map(|address| one(setup, address))).await
}

async fn one(setup: &Setup, address: &str) -> Check {
    let before = setup.clock.now();
    let there = server_time(address).await;
    let after = setup.clock.now();
    match there {
        Ok(there) => judge(address, before + (after - before) / 2, there),
        Err(why) => {
            Check::new("clock", address, Severity::Unknown, format!("the server does not tell its time: {why}"))
                .next("compare this machine's clock with another source")
        }
    }
}

fn judge(address: &str, here: Timestamp, there: Timestamp) -> Check {
    let ahead = here - there;
    let side = if ahead > chrono::Duration::zero() { "ahead of" } else { "behind" };
    let detail = format!("{} {side} the server's", short_duration(ahead));
    let verdict = match ahead.abs() {
        skew if skew >= REFUSED => Severity::Critical,
        skew if skew >= TOLERATED => Severity::Warning,
        // The header counts whole seconds: less than that is no difference.
        _ => return Check::good("clock", address, "agrees with the server's"),
    };
    Check::new("clock", address, verdict, detail).next("correct this machine's clock; S3 refuses a skew of 15 minutes")
}

/// The `Date` of any answer, even of a refusal.
async fn server_time(address: &str) -> Result<Timestamp, String> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client.head(address).send().await.map_err(|error| deepest(&error))?;
    let date = answer.headers().get(reqwest::header::DATE).ok_or("its answer has no date")?;
    let text = date.to_str().map_err(|_| "its date is not text")?;
    let at = chrono::DateTime::parse_from_rfc2822(text).map_err(|_| "its date cannot be read")?;
    Ok(at.to_utc())
}

fn deepest(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_is_judged_by_what_it_breaks() {
        let there: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
        let verdict = |seconds| judge("s3", there + chrono::Duration::seconds(seconds), there).verdict;
        assert_eq!(verdict(1), Severity::Ok);
        assert_eq!(verdict(-60), Severity::Warning);
        assert_eq!(verdict(16 * 60), Severity::Critical);
    }
}
