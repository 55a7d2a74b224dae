//! A runner's bond to its lease and its mirror: what is asked of the shared place, and what that means for the
//! run. It knows neither socket nor folder, so that a simulation drives the very same piece as the runner.

use super::keeper::{Asking, Keeper, LeaseNews};
use super::mirror::{Behind, Mirroring, UpTo};
use crate::event::Purpose;
use crate::journal::lease::{Claim, Held, LeaseError, Leases};
use crate::journal::mirror::Mirror;
use crate::model::actor::Actor;
use crate::model::id::{RunId, StepId};
use crate::model::task::Effect;
use crate::runbook::{Input, Intent, Plan, RunState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the end of a run waits for its mirror.
const MIRROR_END: Duration = Duration::from_secs(15);
/// How long a task waits until the shared place tells of it.
const TOLD: Duration = Duration::from_secs(10);

/// A wish that waits for the lease.
pub struct Asked {
    pub actor: Actor,
    pub intent: Intent,
    pub answer: oneshot::Sender<Result<(), String>>,
    pub held: Result<Held, LeaseError>,
    /// When it was asked for: the answer may have waited.
    pub since: Asking,
}

/// What the run must be told of its lease; with `leave` the runner records nothing else and goes.
pub struct Heard {
    pub input: Input,
    pub leave: Option<String>,
}

/// What became of a wish that waited for the lease.
pub enum Granted {
    /// It is told to the run, after what comes first.
    Yes { first: Vec<Input>, wish: Input, answer: oneshot::Sender<Result<(), String>> },
    /// It was refused.
    No(Option<Heard>),
}

/// What a task that changes something waits for before it starts.
pub struct Guard {
    keeper: Keeper,
    mirrored: Option<UpTo>,
}

impl Guard {
    /// The lease is held. What may count as done already is begun anew, or taken back, only once the shared
    /// place tells of it: whoever takes the run over must not believe that it stands.
    pub async fn prove(&mut self) -> Result<(), String> {
        self.keeper.prove().await?;
        match &mut self.mirrored {
            Some(mirrored) => mirrored.wait(TOLD).await,
            None => Ok(()),
        }
    }
}

pub struct Bond {
    pub leases: Leases,
    plan: Arc<Plan>,
    keeper: Option<Keeper>,
    tell: mpsc::UnboundedSender<LeaseNews>,
    pub news: mpsc::UnboundedReceiver<LeaseNews>,
    grant: mpsc::Sender<Asked>,
    pub granted: mpsc::Receiver<Asked>,
    asking: bool,
    /// Of the journal, where the lease lies in a shared place.
    pub mirror: Option<Mirroring>,
}

impl Bond {
    pub fn new(leases: Leases, plan: Arc<Plan>) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        let (grant, granted) = mpsc::channel(1);
        Self { leases, plan, keeper: None, tell, news, grant, granted, asking: false, mirror: None }
    }

    /// What must be proved before this task starts; looks need nothing.
    pub fn guard(&self, step: &StepId, attempt: u32, purpose: Purpose) -> Option<Guard> {
        let planned = self.plan.step(step)?;
        let changes = match purpose {
            Purpose::Run => planned.effect != Effect::Observe,
            Purpose::Undo => true,
            _ => false,
        };
        let keeper = self.keeper.clone().filter(|_| changes)?;
        let again = purpose == Purpose::Undo || attempt > 1;
        Some(Guard { keeper, mirrored: self.mirror.as_ref().filter(|_| again).map(Mirroring::up_to_now) })
    }

    fn keep(&mut self, claim: Claim, held: Option<(Held, Asking)>) -> Keeper {
        let keeper = Keeper::start(self.leases.clone(), claim, held, self.tell.clone());
        self.keeper = Some(keeper.clone());
        keeper
    }

    /// From here on the journal is mirrored, from its first line.
    pub fn mirror(&mut self, mirror: Mirror, seq: u64) {
        if self.leases.is_shared() && self.mirror.is_none() {
            self.mirror = Some(Mirroring::start(mirror, Arc::clone(self.leases.place()), seq));
        }
    }

    /// What a new runner of a run that held its lease is told before anything else is written, so that nothing
    /// follows from the journal alone.
    pub async fn take_up(&mut self, claim: Claim, mirror: Mirror, seq: u64) -> Vec<Heard> {
        let proved = self.keep(claim, None).prove().await;
        self.mirror(mirror, seq);
        let lapsed = proved.err().map(|why| Heard { input: Input::LeaseLapsed { why }, leave: None });
        let mut heard: Vec<Heard> = lapsed.into_iter().collect();
        while let Ok(news) = self.news.try_recv() {
            heard.push(self.heard(news));
        }
        heard
    }

    pub fn heard(&mut self, news: LeaseNews) -> Heard {
        match news {
            LeaseNews::Held { epoch, scopes } => {
                Heard { input: Input::Leased { epoch, scopes, place: self.leases.location() }, leave: None }
            }
            LeaseNews::Lapsed(why) => Heard { input: Input::LeaseLapsed { why }, leave: None },
            LeaseNews::Lost(why) => {
                self.keeper = None;
                self.mirror = None;
                let leave = Some(format!("fenced off: {why}"));
                Heard { input: Input::LeaseLost { why }, leave }
            }
        }
    }

    /// Whether the wish needs the lease first: then it is asked for beside the loop, and the wish waits.
    pub fn is_needed_first(state: &RunState, intent: &Intent) -> bool {
        let lapsed = state.lease.as_ref().is_some_and(|lease| lease.lapsed.is_some());
        match intent {
            Intent::Start { .. } | Intent::Resume if state.fenced_off().is_some() || state.status.is_over() => false,
            Intent::Start { .. } => state.plan.needs_lease() && (state.lease.is_none() || lapsed),
            Intent::Resume => lapsed,
            _ => false,
        }
    }

    pub fn ask(
        &mut self,
        claim: Claim,
        is_over: impl Fn(&RunId) -> bool + Send + 'static,
        (actor, intent, answer): (Actor, Intent, oneshot::Sender<Result<(), String>>),
    ) {
        if std::mem::replace(&mut self.asking, true) {
            let _ = answer.send(Err("the lease is being asked for already; wait for the answer".to_owned()));
            return;
        }
        // Two that write under one claim would look like two holders.
        self.keeper = None;
        let (leases, grant) = (self.leases.clone(), self.grant.clone());
        tokio::spawn(async move {
            let since = Asking::now(&leases);
            let held = leases.acquire(&claim, is_over).await;
            // The loop is gone only when the runner ends; the lease then belongs to a run of this seat.
            let _ = grant.send(Asked { actor, intent, answer, held, since }).await;
        });
    }

    /// The answer of the place to [`Bond::ask`].
    pub fn grant(&mut self, asked: Asked, claim: Claim, mirror: Mirror, seq: u64) -> Granted {
        let Asked { actor, intent, answer, held, since } = asked;
        self.asking = false;
        let held = match held {
            Ok(held) => held,
            Err(error) => {
                let _ = answer.send(Err(error.to_string()));
                return Granted::No(match error {
                    LeaseError::Lost { .. } if claim.epoch > 0 => Some(self.heard(LeaseNews::Lost(error.to_string()))),
                    // Held before: it goes on being tried.
                    _ if claim.epoch > 0 => {
                        self.keep(claim, None);
                        None
                    }
                    _ => None,
                });
            }
        };
        let leased = Input::Leased { epoch: held.epoch(), scopes: held.scopes(), place: self.leases.location() };
        let remarks = held.remarks().into_iter();
        let remarks = remarks.map(|text| Input::Intent { actor: actor.clone(), intent: Intent::Note { text } });
        let first = std::iter::once(leased).chain(remarks).collect();
        self.keep(claim, Some((held, since)));
        self.mirror(mirror, seq);
        Granted::Yes { first, wish: Input::Intent { actor, intent }, answer }
    }

    /// At the end of a run: its mirror is made whole, its lease given back. The words are for whoever watches.
    pub async fn give_back(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        if let Some(mirror) = self.mirror.take()
            && let Err(missing) = mirror.finish(MIRROR_END).await
        {
            left.push(format!("the shared place lacks {missing}"));
        }
        if let Some(keeper) = self.keeper.take()
            && let Err(why) = keeper.release().await
        {
            left.push(format!("its lock could not be given back: {why}"));
        }
        left
    }

    /// For a run that was over before: gives back what its last runner could not.
    pub async fn tidy_up(&mut self, claim: Claim, mirror: Mirror, seq: u64) {
        self.mirror(mirror, seq);
        if let Some(mirror) = self.mirror.take()
            && let Err(missing) = mirror.finish(MIRROR_END).await
        {
            tracing::warn!(%missing, "the shared place lacks entries of the journal");
        }
        // What was released already, or is someone else's, stays as it is.
        if let Err(error) = self.leases.give_back(&claim).await {
            tracing::warn!(%error, "the lease was not given back");
        }
    }
}

/// How the mirror fares, as soon as that changes.
pub async fn mirror_news(mirror: &mut Option<Mirroring>) -> Option<Behind> {
    if let Some(mirror) = mirror
        && mirror.behind.changed().await.is_ok()
    {
        return mirror.behind.borrow_and_update().clone();
    }
    // There is none, or it has ended: what it said last stands.
    std::future::pending().await
}
