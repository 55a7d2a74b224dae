//! `schedule.resume`: lets the jobs that this run paused run again, and sees that they do.

use super::book::Book;
use super::pause::{Input, note};
use super::{ASSET, crontab, of};
use crate::model::estate::JobPlace;
use crate::model::task::{Effect, Failure, Reality, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::services::Unit;
use serde_json::json;
use std::time::Duration;

pub struct Resume;

static SPEC: ModuleSpec = ModuleSpec {
    name: "schedule.resume",
    summary: "Let the jobs that this run paused run again, the crontab byte for byte as before, and see that they do",
    effect: Effect::Reversible,
    inputs: &[ASSET],
    outputs: &["resumed", "stay_as_they_were"],
    idempotent: true,
    undo: "schedule.pause pauses them again",
    programs: &["ssh", "crontab", "tee", "mv", "systemctl"],
};

#[async_trait::async_trait]
impl Module for Resume {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(resume(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("putting back what is back already changes nothing".to_owned())
    }
}

async fn resume(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (mut resumed, mut stay) = (Vec::new(), Vec::new());
    for job in of(cx, &input.asset) {
        let mine = match &job.place {
            JobPlace::Crontab(place) => in_book(cx, &Book::of(cx, job, place)?).await?,
            JobPlace::Timer(service) => {
                let note = note(cx, job);
                let stopped = note.exists();
                if stopped {
                    timer(&Unit::new(cx, service)?).await?;
                    std::fs::remove_file(&note).map_err(|error| {
                        Failure::new(format!("the note of a stopped timer could not be removed: {error}"))
                    })?;
                }
                stopped
            }
        };
        if mine { &mut resumed } else { &mut stay }.push(job.id.as_str());
    }
    Ok(values(json!({ "resumed": resumed, "stay_as_they_were": stay })))
}

async fn in_book(cx: &TaskContext, book: &Book<'_>) -> Result<bool, Stop> {
    let before = book.read().await?;
    let entry = book.entry(&before)?;
    if entry.paused.is_none_or(|paused| paused.run != cx.owner.run) {
        return Ok(false);
    }
    book.replace(&before, &crontab::resume(&before, entry.number)).await?;
    Ok(true)
}

async fn timer(unit: &Unit<'_>) -> Result<(), Stop> {
    unit.start(Duration::from_secs(30)).await?;
    if unit.look().await?.runs() {
        return Ok(());
    }
    Err(Failure::new(format!("{} was started, and does not run", unit.title()))
        .means("no backup is made until it does")
        .next("start it on its host")
        .into())
}
