//! The looks of a step's probes, again and again, until all of them have held for long enough or the time is up.

use super::context::{TaskContext, TaskFeed};
use super::input::{Stop, read, settle, values};
use super::module::Table;
use super::patience::pause;
use crate::model::task::{Failure, Progress, TaskOutcome, Unit, Values};
use crate::runbook::probe::{Post, Probe, Sight};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Between two rounds of looks.
const BETWEEN: Duration = Duration::from_secs(1);
/// A look that takes longer has seen nothing.
const ONE_LOOK: Duration = Duration::from_secs(30);
/// Different things seen that a failure tells, the newest.
const TOLD: usize = 12;

/// Done once every probe has held for as long as `input` wants. What does not hold in time has failed; what
/// could not be looked at is unknown.
pub async fn hold(cx: &TaskContext, table: &Table, input: &Values) -> TaskOutcome {
    settle(watch(cx, table, input).await)
}

/// One look, with the feed of nobody: what the probe says is told by whoever asked.
pub async fn look(cx: &TaskContext, table: &Table, probe: &Probe) -> Result<Sight, Stop> {
    let Some(module) = table.get(&probe.task.module) else {
        return Ok(Sight::Unseen(format!("there is no task module `{}` in this version", probe.task.module)));
    };
    let quiet = TaskContext { feed: TaskFeed::silent(), ..cx.clone() };
    let seen = match tokio::time::timeout(ONE_LOOK, module.run(&quiet, &probe.task.input)).await {
        Err(_) => Sight::Unseen(format!("no answer within {} s", ONE_LOOK.as_secs())),
        Ok(outcome) => probe.judge(&outcome),
    };
    cx.cancel.reason().map_or(Ok(seen), |reason| Err(Stop::Cancelled(reason)))
}

/// All probes at one time, the worst of them first.
async fn round(cx: &TaskContext, table: &Table, probes: &[Probe]) -> Result<Sight, Stop> {
    let (mut held, mut unseen) = (Vec::new(), None);
    for probe in probes {
        let text = |what: &str| format!("{}: {what}", probe.title);
        match look(cx, table, probe).await? {
            Sight::Fails(what) => return Ok(Sight::Fails(text(&what))),
            Sight::Unseen(why) => unseen = unseen.or(Some(text(&why))),
            Sight::Holds(what) => held.push(text(&what)),
        }
    }
    Ok(unseen.map_or_else(|| Sight::Holds(held.join("; ")), Sight::Unseen))
}

/// What was seen so far.
struct Watched {
    began: Instant,
    since: Option<Instant>,
    /// The last break, and whether it was seen or only not looked at.
    broken: Option<(bool, String)>,
    told: Vec<String>,
    last: String,
    looks: u32,
}

impl Watched {
    /// How long it has held on end by now, if it does.
    fn note(&mut self, cx: &TaskContext, sight: &Sight) -> Option<Duration> {
        self.looks += 1;
        let (word, what) = match sight {
            Sight::Holds(what) => ("holds", what),
            Sight::Fails(what) => ("does not hold", what),
            Sight::Unseen(why) => ("could not be looked at", why),
        };
        let line = format!("{word}: {what}");
        if line != self.last {
            cx.feed.line(&line);
            self.told.push(format!("after {:.0}s, {line}", self.began.elapsed().as_secs_f64()));
            if self.told.len() > TOLD {
                self.told.remove(0);
            }
            self.last = line;
        }
        match sight {
            Sight::Holds(_) => return Some(self.since.get_or_insert_with(Instant::now).elapsed()),
            Sight::Fails(what) => self.broken = Some((true, what.clone())),
            Sight::Unseen(why) => self.broken = Some((false, why.clone())),
        }
        self.since = None;
        None
    }

    fn too_late(self, post: &Post, sight: &Sight) -> Stop {
        let within = humantime::format_duration(post.within);
        let wanted = match post.stable_for {
            Duration::ZERO => format!("within {within}"),
            span => format!("for {} on end within {within}", humantime::format_duration(span)),
        };
        let failure = |what: String, meaning: &str| {
            let failure = Failure::new(what).means(meaning.to_owned());
            self.told.iter().fold(failure, |failure, line| failure.evidence(line.clone()))
        };
        let no = "the step did its work, and the world is not as it must be after it";
        let unseen = "the step did its work; whether the world is as it must be after it is not known";
        match (sight, &self.broken) {
            (Sight::Fails(what), _) => Stop::Failed(
                failure(format!("{what}; it did not hold {wanted}"), no).next("find out why; then look again"),
            ),
            (Sight::Holds(_), Some((true, what))) => Stop::Failed(
                failure(format!("it holds now, but not {wanted}; last broken by: {what}"), no)
                    .next("find out why it breaks; then look again"),
            ),
            (Sight::Unseen(why), _) | (Sight::Holds(_), Some((false, why))) => Stop::Unknown(
                failure(format!("{why}; it was not seen to hold {wanted}"), unseen)
                    .next("mend the way to it, then look again"),
            ),
            (Sight::Holds(_), None) => Stop::Unknown(
                failure(format!("it holds, and was not seen {wanted}: looking took too long"), unseen)
                    .next("look again"),
            ),
        }
    }
}

async fn watch(cx: &TaskContext, table: &Table, input: &Values) -> Result<Values, Stop> {
    let post: Post = read(input)?;
    let began = Instant::now();
    let (told, last) = (Vec::new(), String::new());
    let mut watched = Watched { began, since: None, broken: None, told, last, looks: 0 };
    loop {
        let sight = round(cx, table, &post.probes).await?;
        let held = watched.note(cx, &sight);
        if let (Some(held), Sight::Holds(what)) = (held, &sight) {
            let (done, total) = (held.as_secs(), post.stable_for.as_secs());
            let note = format!("holds for {done} s of {total} s");
            cx.feed.progress(Progress { done: done.min(total), total: Some(total), unit: Unit::Items, note });
            if held >= post.stable_for {
                let held = format!("{what} (for {done} s, {} looks)", watched.looks);
                return Ok(values(json!({ "holds": held })));
            }
        }
        if began.elapsed() + BETWEEN > post.within {
            return Err(watched.too_late(&post, &sight));
        }
        pause(cx, BETWEEN).await?;
    }
}
