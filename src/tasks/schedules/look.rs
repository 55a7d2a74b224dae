//! Every job of the estate, as its host has it.

use super::book::Book;
use super::{crontab, timer};
use crate::model::estate::{Job, JobPlace};
use crate::model::id::{AssetId, HostId, JobId};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::Stop;
use crate::tasks::services::Unit;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It will run.
    On,
    /// A run keeps it from running.
    Paused,
    /// Its timer does not run.
    Stopped,
    /// Nothing schedules it.
    Missing,
    /// Its host could not be asked.
    Unknown,
}

/// One job, seen.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    pub job: JobId,
    pub host: HostId,
    pub assets: Vec<AssetId>,
    pub state: State,
    /// `0 2 * * *`, or the name of the timer.
    pub when: String,
    pub next: Option<Timestamp>,
    /// When it should have run last, or did.
    pub last: Option<Timestamp>,
    /// Who paused it, for how long it is so, what is wrong with it.
    pub notes: Vec<String>,
}

/// Looks at every job. Only a cancellation stops it: what cannot be seen is told as that.
pub async fn look(cx: &TaskContext, jobs: &[&Job]) -> Result<Vec<Seen>, Stop> {
    let mut all = Vec::new();
    for job in jobs {
        let mut seen = Seen {
            job: job.id.clone(),
            host: job.host.clone(),
            assets: job.assets.clone(),
            state: State::Unknown,
            when: String::new(),
            next: None,
            last: None,
            notes: Vec::new(),
        };
        match one(cx, job, &mut seen).await {
            Ok(()) => {}
            Err(Stop::Failed(failure) | Stop::Unknown(failure)) => {
                let said = failure.evidence.first().map(|line| format!(" ({line})")).unwrap_or_default();
                seen.notes.push(format!("{}{said}", failure.what));
            }
            Err(cancelled) => return Err(cancelled),
        }
        all.push(seen);
    }
    overlaps(&mut all);
    Ok(all)
}

async fn one(cx: &TaskContext, job: &Job, seen: &mut Seen) -> Result<(), Stop> {
    match &job.place {
        JobPlace::Timer(service) => {
            let unit = Unit::new(cx, service)?;
            seen.when.clone_from(&unit.named.unit);
            let timer = timer::look(&unit).await?;
            seen.state = if timer.standing.runs() { State::On } else { State::Stopped };
            (seen.next, seen.last) = (timer.next, timer.last);
            if !timer.standing.runs() {
                seen.notes.push(format!("its timer is {} since {}", timer.standing.words(), timer.standing.since));
            }
        }
        JobPlace::Crontab(place) => {
            let book = Book::of(cx, job, place)?;
            let bytes = book.read().await?;
            let entry = match book.entry(&bytes) {
                Ok(entry) => entry,
                Err(failure) => {
                    seen.state = State::Missing;
                    seen.notes.push(failure.what);
                    return Ok(());
                }
            };
            seen.when = escaped(&entry.when).into_owned();
            seen.state = State::On;
            if let Some(paused) = &entry.paused {
                seen.state = State::Paused;
                seen.notes.push(format!("paused by run {} at {}", escaped(&paused.run), escaped(&paused.at)));
            }
            match book.zone(&entry).await? {
                Err(why) => seen.notes.push(why),
                Ok(zone) => match crontab::around(&entry.when, zone, cx.clock.now()) {
                    Ok(around) => {
                        (seen.next, seen.last) = around.map_or((None, None), |(next, last)| (Some(next), Some(last)));
                    }
                    Err(why) => {
                        seen.state = State::Missing;
                        seen.notes.push(why);
                    }
                },
            }
            runs_something(cx, job, &entry.command, seen).await?;
        }
    }
    if seen.state != State::On {
        seen.next = None;
    }
    Ok(())
}

/// A schedule whose program is not there runs nothing.
async fn runs_something(cx: &TaskContext, job: &Job, command: &str, seen: &mut Seen) -> Result<(), Stop> {
    let program = command.split_whitespace().next().unwrap_or_default();
    if !program.starts_with('/') || program.contains(['$', '\'', '"', '`', '\\', ';', '|', '&']) {
        return Ok(());
    }
    let there = host::run(cx, host::find(cx, &job.host)?, Command::new(["test", "-x", program])).await?;
    if there.status != 0 {
        seen.state = State::Missing;
        seen.notes.push(format!("it runs nothing: {} is not there, or may not be run", escaped(program)));
    }
    Ok(())
}

/// Two jobs of one asset that begin in the same minute.
fn overlaps(all: &mut [Seen]) {
    let begins = |seen: &Seen| seen.next.map(|at| at.timestamp() / 60);
    for first in 0..all.len() {
        for second in first + 1..all.len() {
            let (a, b) = (&all[first], &all[second]);
            let shared = a.assets.iter().find(|asset| b.assets.contains(asset)).cloned();
            if let (Some(asset), true) = (shared, begins(a).is_some() && begins(a) == begins(b)) {
                let note = format!("begins together with `{}`, on the same asset `{asset}`", b.job);
                all[first].notes.push(note);
            }
        }
    }
}
