//! The conditions on which a step's work is stopped, looked at before it begins and while it runs.

use super::context::TaskContext;
use super::module::Table;
use super::probes::look;
use crate::model::task::Failure;
use crate::runbook::probe::{Probe, Sight, Watch};
use tokio::sync::oneshot;

/// Why the work must not begin: a condition is met, or cannot be looked at. A cancellation is left to the work.
pub async fn forbids(cx: &TaskContext, table: &Table, watch: &Watch) -> Option<Failure> {
    for probe in &watch.probes {
        let (what, next) = match look(cx, table, probe).await {
            Ok(Sight::Holds(what)) => (format!("{}: {what}", probe.title), "mend that first, then look again"),
            Ok(Sight::Unseen(why)) => {
                (format!("{} cannot be looked at: {why}", probe.title), "mend the way to it, then look again")
            }
            Ok(Sight::Fails(_)) => continue,
            Err(_) => return None,
        };
        return Some(
            Failure::new(format!("it was not started, because of what would stop it: {what}"))
                .means("nothing was changed by it")
                .next(next),
        );
    }
    None
}

/// Looks again and again, and tells the first condition that is met. Never ends: the work does. What cannot be
/// looked at meanwhile is told, and stops nothing.
pub async fn watch(cx: &TaskContext, table: &Table, watch: &Watch, met: oneshot::Sender<String>) {
    let mut blind = vec![false; watch.probes.len()];
    loop {
        tokio::select! {
            () = tokio::time::sleep(watch.every) => {}
            _ = cx.cancel.cancelled() => return std::future::pending().await,
        }
        for (probe, blind) in watch.probes.iter().zip(&mut blind) {
            if let Some(what) = is_met(cx, table, probe, blind).await {
                // Whoever would hear it is gone only when the work is.
                let _ = met.send(what);
                return std::future::pending().await;
            }
        }
    }
}

async fn is_met(cx: &TaskContext, table: &Table, probe: &Probe, blind: &mut bool) -> Option<String> {
    let sight = look(cx, table, probe).await.ok()?;
    let unseen = matches!(sight, Sight::Unseen(_));
    if unseen != std::mem::replace(blind, unseen) {
        match &sight {
            Sight::Unseen(why) => cx.feed.line(format!("not watched just now: {}: {why}", probe.title)),
            _ => cx.feed.line(format!("watched again: {}", probe.title)),
        }
    }
    match sight {
        Sight::Holds(what) => Some(format!("{}: {what}", probe.title)),
        _ => None,
    }
}
