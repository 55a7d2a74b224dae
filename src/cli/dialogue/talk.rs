//! The dialogue's loop: what the runner tells, what the operator types, until one of them ends it.

use super::answer::{Said, understand};
use super::lines::{Line, Lines};
use super::live::Live;
use super::question::waits;
use super::sentence::sentence;
use crate::cli::{Output, Tone};
use crate::event::{Event, EventKind, Purpose};
use crate::model::actor::Actor;
use crate::model::task::TaskOutcome;
use crate::model::text::escaped;
use crate::model::time::{Clock, Timestamp};
use crate::runbook::{Intent, QuestionKind, RunState, RunStatus};
use crate::runner::protocol::FromRunner;
use crate::runner::{Client, RunFolder, runs};
use chrono_tz::Tz;
use color_eyre::eyre;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::future::pending;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Lines to the runner that break one after another before it counts as lost.
const RECONNECTS: u32 = 5;

/// How an `arm` in the dialogue arms.
#[derive(Clone, Debug)]
pub struct Options {
    pub arm_for: chrono::Duration,
    pub incident: Option<String>,
}

/// Why the dialogue is over; the run may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Over,
    /// Standard input has ended, and the run waits for a person.
    Waits,
    Detached,
    Interrupted,
    /// The runner is gone and the run is not over.
    Lost(String),
}

pub struct Dialogue<'a> {
    pub folder: &'a RunFolder,
    pub actor: &'a Actor,
    pub clock: Arc<dyn Clock>,
    pub zone: Tz,
    pub options: Options,
    pub lines: &'a mut Lines,
    pub out: &'a mut Output,
    /// Intents to send before anything is read from the operator.
    pub first: VecDeque<Intent>,
}

/// What the loop keeps in mind.
struct Talk {
    state: Option<RunState>,
    caught_up: bool,
    /// The reply to an intent is awaited.
    sent: Option<BoxFuture<'static, Result<(), String>>>,
    /// The intent that was sent last, until the event that records it has come; it may overtake the reply.
    intent: Option<Intent>,
    /// An accepted intent's events have not come yet.
    settling: bool,
    /// A line that waits for its question.
    held: Option<String>,
    live: Live,
    reconnects: u32,
    bye: Option<String>,
}

impl Dialogue<'_> {
    /// Talks until the run is over or someone leaves. The state is the last one known.
    pub async fn talk(mut self) -> eyre::Result<(Ended, Option<RunState>)> {
        let mut interrupts = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        let (mut client, mut heard) = match Client::connect(self.folder, self.actor, 0).await {
            Ok(line) => line,
            // Between the look for its runner and this line the run came to its end.
            Err(error) => return self.over().map(|state| (Ended::Over, Some(state))).ok_or_else(|| error.into()),
        };
        let mut talk = Talk {
            state: None,
            caught_up: false,
            sent: None,
            intent: None,
            settling: false,
            held: None,
            live: Live::default(),
            reconnects: 0,
            bye: None,
        };
        loop {
            self.out.finish()?;
            if talk.sent.is_none() && talk.caught_up && !talk.settling {
                if let Some(ended) = self.next(&mut talk, &client)? {
                    return Ok((ended, talk.state));
                }
                self.out.finish()?;
            }
            let reading = talk.held.is_none() && !self.lines.ended;
            tokio::select! {
                biased;
                _ = interrupts.recv() => return Ok((Ended::Interrupted, talk.state)),
                said = heard.recv() => match said {
                    Some(said) => self.hear(&mut talk, said)?,
                    None => match self.reconnect(&mut talk).await {
                        Ok((again, news)) => (client, heard) = (again, news),
                        Err(ended) => return Ok((ended, talk.state)),
                    },
                },
                reply = awaited(&mut talk.sent) => self.replied(&mut talk, reply)?,
                line = self.lines.next(), if reading => match line {
                    Some(Line::Text(line)) => talk.held = Some(line),
                    Some(Line::TooLong) => self.out.line("that line is too long: nothing was sent")?,
                    None => {}
                },
            }
        }
    }

    /// Sends what is due: first intents, then what the operator typed. `Some` when the dialogue is over.
    fn next(&mut self, talk: &mut Talk, client: &Client) -> eyre::Result<Option<Ended>> {
        let Some(state) = &talk.state else { return Ok(None) };
        if state.status.is_over() {
            return Ok(Some(Ended::Over));
        }
        if let Some(intent) = self.first.pop_front() {
            talk.send(client, intent);
            return Ok(None);
        }
        let now = self.clock.now();
        let needed = needs_person(state, now);
        let Some(held) = &talk.held else {
            return Ok((self.lines.ended && needed).then_some(Ended::Waits));
        };
        // A script's lines wait for their questions; a person, or a line that says so, is heard at once.
        let (at_once, line) = match held.strip_prefix("now ") {
            Some(line) => (true, line.trim()),
            None => (io::stdin().is_terminal(), held.as_str()),
        };
        if !needed && !at_once {
            return Ok(None);
        }
        let said = understand(line, state, &self.options, now);
        talk.held = None;
        match said {
            Said::Intent(intent) => talk.send(client, intent),
            Said::Detach => return Ok(Some(Ended::Detached)),
            Said::Help => waits(state, now, self.out)?,
            Said::Unclear(why) => self.out.line(&format!("{why}; `help` shows the answers"))?,
        }
        Ok(None)
    }

    fn replied(&mut self, talk: &mut Talk, reply: Result<(), String>) -> io::Result<()> {
        talk.sent = None;
        match reply {
            Ok(()) => talk.settling = talk.intent.is_some(),
            Err(why) => {
                let word = self.out.toned(Tone::Warning, "refused");
                self.out.line(&format!("{word}: {}", escaped(&why)))?;
            }
        }
        Ok(())
    }

    fn hear(&mut self, talk: &mut Talk, said: FromRunner) -> eyre::Result<()> {
        match said {
            FromRunner::Event { event } => self.event(talk, &event)?,
            FromRunner::CaughtUp { .. } if !talk.caught_up => {
                talk.caught_up = true;
                if let Some(state) = talk.state.as_ref().filter(|_| self.first.is_empty()) {
                    waits(state, self.clock.now(), self.out)?;
                }
            }
            FromRunner::Live { progress, lines, .. } => talk.live.tell(progress.as_ref(), &lines, self.out)?,
            FromRunner::Mirror { behind } => {
                let text = match behind {
                    Some(behind) => {
                        let (entries, why) = (behind.entries, escaped(&behind.why));
                        let text = format!("the shared place lacks {entries} entries of the journal: {why}");
                        self.out.toned(Tone::Warning, &text)
                    }
                    None => "the shared place has the whole journal again".to_owned(),
                };
                self.out.line(&text)?;
            }
            FromRunner::Bye { why } => talk.bye = Some(why),
            FromRunner::CaughtUp { .. } | FromRunner::Accepted { .. } | FromRunner::Refused { .. } => {}
        }
        Ok(())
    }

    fn event(&mut self, talk: &mut Talk, event: &Event) -> eyre::Result<()> {
        match &mut talk.state {
            None => talk.state = Some(RunState::create(event)?),
            Some(state) if event.seq <= state.seq => return Ok(()),
            Some(state) => {
                state.apply(event);
            }
        }
        talk.reconnects = 0;
        let Some(state) = &talk.state else { return Ok(()) };
        if &event.actor == self.actor && talk.intent.as_ref().is_some_and(|intent| records(&event.kind, intent)) {
            talk.intent = None;
            talk.settling = false;
        }
        let mine = matches!(&event.kind, EventKind::Answered { refused: Some(_), .. }) && &event.actor == self.actor;
        let begins = matches!(event.kind, EventKind::TaskIntended { purpose: Purpose::Run | Purpose::Undo, .. });
        if begins {
            talk.live.begin();
        }
        if !mine && let Some((tone, text)) = sentence(event, &state.plan) {
            let time = event.at.with_timezone(&self.zone).format("%H:%M:%S");
            let text = self.out.toned(tone, &text);
            self.out.line(&format!("{time}  {text}"))?;
        }
        evidence(event, state, self.out)?;
        // One that is about arming is withdrawn, and the next one asked; any other still stands.
        let asks = match event.kind {
            EventKind::QuestionAsked { .. } | EventKind::Paused { .. } => true,
            EventKind::Armed { .. } => state.question.as_ref().is_some_and(|asked| asked.kind != QuestionKind::Arm),
            _ => false,
        };
        if asks && talk.caught_up {
            waits(state, self.clock.now(), self.out)?;
        }
        Ok(())
    }

    /// The line broke. A runner that lives is asked again; what a dead one left is in the journal.
    async fn reconnect(&mut self, talk: &mut Talk) -> Result<(Client, mpsc::Receiver<FromRunner>), Ended> {
        talk.sent = None;
        talk.settling = false;
        let after = talk.state.as_ref().map_or(0, |state| state.seq);
        let mut why = "its process ended without a word".to_owned();
        if let Some(bye) = talk.bye.take() {
            why = bye;
        } else if self.over().is_none() {
            talk.reconnects += 1;
            if runs::read(self.folder).runner.is_some() && talk.reconnects <= RECONNECTS {
                match Client::connect(self.folder, self.actor, after).await {
                    Ok(line) => return Ok(line),
                    Err(error) => why = error.to_string(),
                }
            }
        }
        // Looked at last: the run may have come to its end while it was asked for.
        Err(match self.over() {
            Some(state) => {
                talk.state = Some(state);
                Ended::Over
            }
            None => Ended::Lost(why),
        })
    }

    /// The run as its journal tells it, where that is its end.
    fn over(&self) -> Option<RunState> {
        runs::read(self.folder).state.ok().filter(|state| state.status.is_over())
    }
}

impl Talk {
    fn send(&mut self, client: &Client, intent: Intent) {
        let client = client.clone();
        self.intent = Some(intent.clone());
        self.sent = Some(async move { client.intent(intent).await }.boxed());
    }
}

/// Whether the event is the one that an accepted intent begins with.
fn records(event: &EventKind, intent: &Intent) -> bool {
    match (intent, event) {
        (Intent::Answer { question, .. }, EventKind::Answered { number, refused: None, .. }) => number == question,
        (Intent::Start { .. }, EventKind::RunStarted | EventKind::Resumed)
        | (Intent::Arm { .. }, EventKind::Armed { .. })
        | (Intent::Disarm, EventKind::Disarmed { .. })
        | (Intent::Pause { .. }, EventKind::Paused { .. })
        | (Intent::Resume, EventKind::Resumed)
        | (Intent::Abort { .. }, EventKind::AbortRequested { .. })
        | (Intent::AnotherPoint { .. }, EventKind::AnotherPointChosen { .. })
        | (Intent::Postpone { .. }, EventKind::DecisionPostponed { .. })
        | (Intent::LimitTime { .. }, EventKind::TimeLimitAmended { .. })
        | (Intent::LimitAmount { .. }, EventKind::LimitAmended { .. })
        | (Intent::Note { .. }, EventKind::NoteAdded { .. })
        | (Intent::OfferHandover { .. }, EventKind::HandoverOffered { .. })
        | (Intent::WithdrawHandover, EventKind::HandoverWithdrawn)
        | (Intent::TakeHandover { .. }, EventKind::HandoverTaken { .. })
        | (Intent::Relieve { .. }, EventKind::OperatorRelieved { .. }) => true,
        _ => false,
    }
}

async fn awaited(sent: &mut Option<BoxFuture<'static, Result<(), String>>>) -> Result<(), String> {
    match sent {
        Some(reply) => reply.await,
        None => pending().await,
    }
}

/// Whether nothing goes on until a person says something.
fn needs_person(state: &RunState, now: Timestamp) -> bool {
    let asked = state.question.as_ref().is_some_and(|question| {
        // About to be withdrawn.
        question.kind != QuestionKind::Arm || !state.is_armed(now)
    });
    let stands = state.is_idle() && matches!(state.status, RunStatus::Paused { .. } | RunStatus::Ready);
    !state.status.is_over() && state.abort.is_none() && (asked || stands)
}

/// What a step's end shows: its results, or what its failure means and what to do next.
fn evidence(event: &Event, state: &RunState, out: &mut Output) -> io::Result<()> {
    let (EventKind::StepDone { step } | EventKind::StepFailed { step, .. } | EventKind::StepUnknown { step, .. }) =
        &event.kind
    else {
        return Ok(());
    };
    let Some(record) = state.step(step) else { return Ok(()) };
    if let (EventKind::StepDone { .. }, Some(TaskOutcome::Done { output })) = (&event.kind, &record.outcome) {
        for (name, value) in super::facts(output) {
            out.line(&out.toned(Tone::Quiet, &format!("          {name}: {value}")))?;
        }
    } else if let Some(failure) = record.last_failure() {
        for line in &failure.evidence {
            out.line(&format!("          | {}", escaped(line)))?;
        }
        for (word, text) in [("means", &failure.meaning), ("next", &failure.next)] {
            if !text.is_empty() {
                out.line(&format!("          {word}: {}", escaped(text)))?;
            }
        }
    }
    Ok(())
}
