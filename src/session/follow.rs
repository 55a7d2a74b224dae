//! The run on screen: followed through its runner while there is one, read from its journal otherwise.

use super::news::News;
use super::state::State;
use super::view::{Link, RunView};
use crate::event::Event;
use crate::health::Severity;
use crate::journal;
use crate::model::id::{RunId, StepId};
use crate::model::task::Progress;
use crate::runbook::{Intent, RunState};
use crate::runner::protocol::FromRunner;
use crate::runner::{Client, RunFolder};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Lines of output that are kept for the screen; all that matters is in the journal.
const OUTPUT: usize = 2000;

/// The run that is followed, and the work that follows it.
pub(super) struct Followed {
    pub run: RunId,
    client: Option<Client>,
    follower: AbortHandle,
}

impl Followed {
    /// Followed without a line to a runner.
    pub(super) fn of(run: RunId, follower: AbortHandle) -> Self {
        Self { run, client: None, follower }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

/// What the follower tells the loop.
pub(super) enum Told {
    Connected(Client),
    Said(FromRunner),
    /// The whole journal, where no runner answers.
    Read(Result<Vec<Event>, String>),
    /// The whole journal as its mirror has it, where another machine drives the run.
    Mirrored(Vec<Event>),
    /// The mirror was not seen; why.
    Unseen(String),
    /// The line is lost; why.
    Lost(String),
    /// What the console decided for all its runs, this one did not take; why.
    Declined(String),
}

impl State {
    pub fn open_run(&mut self, run: RunId) {
        if self.view.runs.iter().any(|row| row.id == run && row.held.is_some()) {
            self.watch(run);
        } else {
            self.follow(run, 0);
        }
        self.view.open_run = None;
        self.touch();
    }

    /// Takes up the line to the run on screen again, once a runner lives for it: someone resumed it, here or
    /// elsewhere, or only the line had broken.
    pub fn reconnect(&mut self) {
        let Some(shown) = &self.view.open_run else { return };
        let (run, after) = (shown.state.id.clone(), shown.state.seq);
        let lives = self.view.runs.iter().any(|row| row.id == run && row.driven);
        if lives && matches!(shown.link, Link::Elsewhere(_)) {
            self.open_run(run);
        } else if lives && matches!(shown.link, Link::Lost(_)) {
            self.follow(run, after);
            self.linked(Link::Connecting);
            self.touch();
        }
    }

    /// Connects to the run's runner and asks for all events after `after`; without a runner the journal tells.
    fn follow(&mut self, run: RunId, after: u64) {
        let folder = RunFolder::of(&self.parts.state_dir, &run);
        let (actor, news) = (self.parts.actor.clone(), self.news.clone());
        let id = run.clone();
        let follower = tokio::spawn(async move {
            let tell = Tell { run: id, news };
            match Client::connect(&folder, &actor, after).await {
                Ok((client, told)) => tell.all(client, told).await,
                Err(error) => tell.journal(folder, error.to_string()).await,
            }
        });
        self.followed = Some(Followed::of(run, follower.abort_handle()));
    }

    pub fn close_run(&mut self) {
        self.followed = None;
        self.view.open_run = None;
        self.touch();
    }

    pub fn told(&mut self, run: &RunId, told: Told) {
        let Some(followed) = self.followed.as_mut().filter(|followed| &followed.run == run) else { return };
        match told {
            Told::Connected(client) => followed.client = Some(client),
            Told::Said(FromRunner::Event { event }) => self.happened(&event),
            Told::Said(FromRunner::CaughtUp { .. }) => self.linked(Link::Connected),
            Told::Said(FromRunner::Live { step, progress, lines }) => self.live(&step, progress, lines),
            Told::Said(FromRunner::Bye { why }) | Told::Lost(why) => self.lost(why),
            Told::Said(FromRunner::Mirror { behind: Some(behind) }) => self.stands(
                "the journal's mirror",
                Severity::Warning,
                &format!("The shared place lacks {} entries of run {run}: {}.", behind.entries, behind.why),
                "The run goes on; another machine would see it as it was before them.",
            ),
            Told::Said(FromRunner::Mirror { behind: None }) => self.notices.cleared("the journal's mirror"),
            Told::Said(FromRunner::Accepted { .. } | FromRunner::Refused { .. }) => {}
            Told::Declined(why) => self.tell(
                Severity::Warning,
                &format!("The open run did not follow: {why}."),
                "It stands as its own band says; its next question asks again.",
            ),
            Told::Read(Ok(events)) => events.iter().for_each(|event| self.happened(event)),
            Told::Mirrored(events) => self.mirrored(&events),
            Told::Unseen(why) => self.linked(Link::Elsewhere(Some(why))),
            Told::Read(Err(why)) => self.tell(
                Severity::Critical,
                &format!("Run {run} cannot be read: {why}."),
                "`relight journal verify` names the place.",
            ),
        }
        self.touch();
    }

    /// Makes an event of the open run true.
    fn happened(&mut self, event: &Event) {
        let Some(shown) = &mut self.view.open_run else {
            match RunState::create(event) {
                Ok(state) => {
                    let (events, output) = (Arc::new(vec![event.clone()]), Arc::default());
                    let view = RunView { state, events, live: Vec::new(), output, link: Link::Connecting };
                    self.view.open_run = Some(Arc::new(view));
                }
                Err(error) => self.tell(Severity::Critical, &format!("The run cannot be shown: {error}."), ""),
            }
            return;
        };
        let shown = Arc::make_mut(shown);
        if event.seq <= shown.state.seq {
            return;
        }
        // The orders are the runner's business.
        let _ = shown.state.apply(event);
        Arc::make_mut(&mut shown.events).push(event.clone());
        let RunView { state, live, .. } = shown;
        live.retain(|(step, _)| state.working_on(step).is_some());
    }

    /// The mirror is told whole: a line that a fenced-off holder had put there may have given way to another.
    fn mirrored(&mut self, events: &[Event]) {
        let known = self.view.open_run.as_ref().map_or(&[][..], |shown| &shown.events[..]);
        if !events.starts_with(known) {
            self.view.open_run = None;
        }
        for event in events {
            self.happened(event);
        }
        self.linked(Link::Elsewhere(None));
    }

    fn live(&mut self, step: &StepId, progress: Option<Progress>, lines: Vec<String>) {
        let Some(shown) = self.view.open_run.as_mut().map(Arc::make_mut) else { return };
        if let Some(progress) = progress {
            match shown.live.iter_mut().find(|(working, _)| working == step) {
                Some((_, known)) => *known = progress,
                None => shown.live.push((step.clone(), progress)),
            }
        }
        let output = Arc::make_mut(&mut shown.output);
        output.extend(lines.into_iter().map(|line| (step.clone(), line)));
        let too_many = output.len().saturating_sub(OUTPUT);
        output.drain(..too_many);
    }

    fn linked(&mut self, link: Link) {
        if let Some(shown) = &mut self.view.open_run {
            Arc::make_mut(shown).link = link;
        }
    }

    fn lost(&mut self, why: String) {
        if let Some(followed) = &mut self.followed {
            followed.client = None;
        }
        let over = self.view.open_run.as_ref().is_some_and(|shown| shown.state.status.is_over());
        self.linked(if over { Link::Ended } else { Link::Lost(why) });
    }

    /// Sends an intent to the open run's runner.
    pub fn send_intent(&mut self, intent: Intent, answer: oneshot::Sender<Result<(), String>>) {
        let client = self.followed.as_ref().and_then(|followed| followed.client.clone());
        tokio::spawn(async move {
            let sent = match client {
                Some(client) => client.intent(intent).await,
                None => Err("no runner answers for this run; resume it first".to_owned()),
            };
            // Who asked may have closed the dialog; the journal has the outcome.
            let _ = answer.send(sent);
        });
    }

    /// Hands on what the console decided for itself, where a run is open.
    pub fn pass_on(&mut self, intent: Intent) {
        let over = self.view.open_run.as_ref().is_none_or(|shown| shown.state.status.is_over());
        // Read-only is what a run that refuses to be disarmed is anyway.
        let matters = matches!(intent, Intent::Arm { .. });
        let Some(followed) = self.followed.as_ref().filter(|_| !over) else { return };
        let Some(client) = followed.client.clone() else { return };
        let tell = Tell { run: followed.run.clone(), news: self.news.clone() };
        tokio::spawn(async move {
            if let Err(why) = client.intent(intent).await
                && matters
            {
                tell.one(Told::Declined(why)).await;
            }
        });
    }
}

pub(super) struct Tell {
    pub run: RunId,
    pub news: mpsc::Sender<News>,
}

impl Tell {
    pub async fn one(&self, told: Told) -> bool {
        self.news.send(News::Told { run: self.run.clone(), told: Box::new(told) }).await.is_ok()
    }

    async fn all(&self, client: Client, mut said: mpsc::Receiver<FromRunner>) {
        if !self.one(Told::Connected(client)).await {
            return;
        }
        while let Some(said) = said.recv().await {
            if !self.one(Told::Said(said)).await {
                return;
            }
        }
        self.one(Told::Lost("the line to its runner broke".to_owned())).await;
    }

    async fn journal(&self, folder: RunFolder, why: String) {
        let read = tokio::task::spawn_blocking(move || journal::read(&folder.path)).await;
        let events = match read {
            Ok(events) => events.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if self.one(Told::Read(events)).await {
            self.one(Told::Lost(why)).await;
        }
    }
}
