//! `schedule.pause`: keeps the jobs of an asset from running, each with a mark that says whose pause it is.

use super::book::Book;
use super::{ASSET, crontab, of};
use crate::model::estate::{Job, JobPlace};
use crate::model::id::AssetId;
use crate::model::task::{Effect, Failure, Reality, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::services::Unit;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

pub struct Pause;

static SPEC: ModuleSpec = ModuleSpec {
    name: "schedule.pause",
    summary: "Keep the scheduled jobs of an asset from running: a mark before the crontab's line, the timer stopped",
    effect: Effect::Reversible,
    inputs: &[ASSET],
    outputs: &["paused", "stay_as_they_were"],
    idempotent: true,
    undo: "schedule.resume lets them run again, byte for byte as before",
    programs: &["ssh", "crontab", "tee", "mv", "systemctl"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub asset: AssetId,
}

#[async_trait::async_trait]
impl Module for Pause {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(pause(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("pausing what is paused already changes nothing".to_owned())
    }
}

async fn pause(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (mut paused, mut stay) = (Vec::new(), Vec::new());
    for job in of(cx, &input.asset) {
        let done = match &job.place {
            JobPlace::Crontab(place) => in_book(cx, &Book::of(cx, job, place)?).await?,
            JobPlace::Timer(service) => timer(cx, job, &Unit::new(cx, service)?).await?,
        };
        if done { &mut paused } else { &mut stay }.push(job.id.as_str());
        cx.feed.line(format!("`{}` {}", job.id, if done { "is paused" } else { "was stopped before; it stays so" }));
    }
    Ok(values(json!({ "paused": paused, "stay_as_they_were": stay })))
}

async fn in_book(cx: &TaskContext, book: &Book<'_>) -> Result<bool, Stop> {
    let before = book.read().await?;
    let entry = book.entry(&before)?;
    match &entry.paused {
        Some(paused) if paused.run == cx.owner.run => return Ok(true),
        Some(paused) => {
            let (run, at) = (escaped(&paused.run), escaped(&paused.at));
            return Err(Failure::new(format!("run {run} paused this job at {at} and has not put it back"))
                .means("who puts it back, and when, cannot be told; nothing was done")
                .next("finish that run, or take its mark out of the crontab by hand")
                .into());
        }
        None => {}
    }
    let after = crontab::pause(&before, entry.number, &cx.owner.run, cx.clock.now());
    book.replace(&before, &after).await?;
    Ok(true)
}

/// This run's own word that it was this run that stopped a timer.
pub(super) fn note(cx: &TaskContext, job: &Job) -> PathBuf {
    cx.work_dir.join(format!("stopped-timer-{}", job.id))
}

async fn timer(cx: &TaskContext, job: &Job, unit: &Unit<'_>) -> Result<bool, Stop> {
    let note = note(cx, job);
    if !unit.known().await?.runs() {
        return Ok(note.exists());
    }
    std::fs::write(&note, unit.title())
        .map_err(|error| Failure::new(format!("no note could be kept of what is stopped: {error}")))?;
    let said = unit.stop(Duration::from_secs(30)).await?;
    said.success("stopping the timer", unit.host)?;
    if unit.look().await?.runs() {
        return Err(Failure::new(format!("{} still runs", unit.title())).into());
    }
    Ok(true)
}
