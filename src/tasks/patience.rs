//! Waiting for a state of the world: until it is there, the time is up, or somebody cancels.

use super::context::TaskContext;
use super::input::Stop;
use crate::model::task::Failure;
use crate::model::text::escaped;
use std::time::Duration;
use tokio::time::Instant;

/// How long a module waits for one thing. Whoever watches reads what it still waits for.
pub struct Patience<'a> {
    cx: &'a TaskContext,
    within: Duration,
    deadline: Instant,
    every: Duration,
    told: Option<(Instant, String)>,
}

/// News come at most this often: a number that moves is not worth a line each time.
const NEWS: Duration = Duration::from_secs(5);

impl<'a> Patience<'a> {
    /// `within` as an input writes it (`90s`, `5m`; nothing is 2m); `every` lies between two looks.
    pub fn new(cx: &'a TaskContext, within: Option<&str>, every: Duration) -> Result<Self, Failure> {
        let within = span(within)?;
        Ok(Self { cx, within, deadline: Instant::now() + within, every, told: None })
    }

    pub const fn within(&self) -> Duration {
        self.within
    }

    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Says what is still missing, if that is news, and waits for the next look. False, at once, when the
    /// time does not last that long.
    pub async fn again(&mut self, missing: &str) -> Result<bool, Stop> {
        if self.told.as_ref().is_none_or(|(at, told)| told != missing && at.elapsed() >= NEWS) {
            self.cx.feed.line(missing);
            self.told = Some((Instant::now(), missing.to_owned()));
        }
        if self.left() <= self.every {
            return Ok(false);
        }
        pause(self.cx, self.every).await?;
        Ok(true)
    }
}

/// Waits, unless the task is cancelled.
pub async fn pause(cx: &TaskContext, span: Duration) -> Result<(), Stop> {
    tokio::select! {
        () = tokio::time::sleep(span) => Ok(()),
        reason = cx.cancel.cancelled() => Err(Stop::Cancelled(reason)),
    }
}

/// A duration from an input such as `90s` or `5m`.
pub fn span(text: Option<&str>) -> Result<Duration, Failure> {
    let text = text.unwrap_or("2m");
    humantime::parse_duration(text).map_err(|error| {
        Failure::new(format!("`{}` is not a duration: {error}", escaped(text))).next("write for example 90s or 5m")
    })
}
