//! Runs of other machines: shown read-only, with who holds them.

use super::output::{Output, Tone};
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::report::{Exit, Fault};
use crate::runner::elsewhere::{self, Elsewhere};
use crate::wiring::Setup;
use color_eyre::eyre;
use std::io;

/// Runs that are held elsewhere; none without a shared place.
pub async fn all(setup: &Setup) -> eyre::Result<Vec<Elsewhere>> {
    if setup.shared.is_none() {
        return Ok(Vec::new());
    }
    let leases = setup.leases().await?;
    let unseen = |error: crate::journal::lease::LeaseError| {
        Fault::new(Exit::Unknown, format!("runs of other machines were not seen: {error}"))
    };
    Ok(elsewhere::list(&leases).await.map_err(unseen)?)
}

/// The one that `text` is the id of, or an unambiguous beginning or end.
pub fn choose<'a>(all: &'a [Elsewhere], text: &str) -> Option<&'a Elsewhere> {
    if let Some(exact) = all.iter().find(|run| run.lease.run.as_str() == text) {
        return Some(exact);
    }
    let mut fits = all.iter().filter(|run| {
        let id = run.lease.run.as_str();
        id.starts_with(text) || id.ends_with(text)
    });
    let first = fits.next();
    if fits.next().is_some() { None } else { first }
}

/// Word of its status.
pub fn word(run: &Elsewhere) -> &str {
    run.state.as_ref().map_or("unreadable", |state| state.status.word())
}

/// Who holds it, and how long ago that was last seen.
pub fn holder(run: &Elsewhere, now: Timestamp) -> String {
    let lease = &run.lease;
    let ago = short_duration(now - lease.renewed_at);
    let expired = if lease.is_expired(now) { ", expired: its runner may be dead or cut off" } else { "" };
    let holder = escaped(&lease.holder.to_string()).into_owned();
    format!("held by {holder} (process {}), renewed {ago} ago{expired}", lease.holder.pid)
}

/// All of them, one block each.
pub fn print(runs: &[Elsewhere], now: Timestamp, out: &mut Output) -> io::Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.line(&out.toned(Tone::Strong, "On other machines, read-only here"))?;
    for run in runs {
        let id = escaped(run.lease.run.as_str()).into_owned();
        out.line(&format!("  {id}: {}; {}", word(run), holder(run, now)))?;
        if let Err(why) = &run.state {
            out.line(&format!("    {}", escaped(why)))?;
        }
        let verb = if run.state.is_ok() { "to act on it here" } else { "if it is lost for good" };
        let flag = if run.state.is_ok() { "--take-over" } else { "--free" };
        out.line(&format!("    {verb}: relight runs {flag} {id} --reason WHY"))?;
    }
    Ok(())
}
