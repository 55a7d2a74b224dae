//! Reactions carried out: layers change, requests go to the session, its answers come back.

use super::app::{App, Autostart, Order};
use super::options::Exit;
use super::screen::{Ask, Place, Reaction, Reply};
use crate::runbook::{Intent, RunStatus};
use crate::session::view::Link;
use crate::session::{Request, View};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

/// Answers that the session still owes, each with the layer that asked.
pub type Pending = FuturesUnordered<BoxFuture<'static, (u64, Reply)>>;

const SESSION_LOST: &str = "the session ended without an answer";

impl App {
    pub fn react(&mut self, reaction: Reaction) {
        match reaction {
            Reaction::Ignored | Reaction::Handled => {}
            Reaction::Push(screen) => self.stack.push(screen),
            Reaction::Replace(screen) => {
                self.stack.pop();
                self.stack.push(screen);
            }
            Reaction::Pop => {
                self.stack.pop();
            }
            Reaction::Show(place, item) => {
                self.stack.go(place);
                self.stack.pop_all();
                self.with(|stack, cx| {
                    if let Some(top) = stack.top_mut() {
                        top.screen.sync(cx);
                        top.screen.show(&item, cx);
                    }
                });
            }
            Reaction::Send(request) => self.send(request),
            Reaction::Ask(ask) => self.ask(ask),
            Reaction::Copy(text) => self.orders.push(Order::Copy(text)),
            Reaction::Say(text) => self.say(text),
            Reaction::Warn(text) => self.warn(text),
            Reaction::Perform(act) => {
                self.stack.pop();
                self.perform(act);
            }
            Reaction::Leave => self.orders.push(Order::Exit(Exit::Quit)),
            Reaction::Both(first, second) => {
                self.react(*first);
                // A request that could not be sent has said so; no word of success may cover that.
                let failed = self.status.as_ref().is_some_and(|status| status.error);
                if !(failed && matches!(*second, Reaction::Say(_))) {
                    self.react(*second);
                }
            }
        }
    }

    fn send(&mut self, request: Request) {
        match self.requests.try_send(request) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.warn("the session is busy; nothing was sent, try again"),
            Err(TrySendError::Closed(_)) => self.warn("the session has ended; nothing was sent"),
        }
    }

    fn ask(&mut self, ask: Ask) {
        if self.frozen.is_some() {
            self.warn("the screen is frozen: what you see may be old; ctrl-f lets it go on");
            return;
        }
        let layer = self.stack.top().map_or(0, |top| top.id);
        match ask {
            Ask::Plan { runbook, params, mode } => {
                let (answer, result) = oneshot::channel();
                self.send(Request::MakePlan { runbook, params, mode, answer });
                self.pending.push(Box::pin(async move {
                    let plan = result.await.unwrap_or_else(|_| Err(vec![SESSION_LOST.to_owned()]));
                    (layer, Reply::Plan(plan.map(Box::new)))
                }));
            }
            Ask::AnotherPlan(params) => {
                let (answer, result) = oneshot::channel();
                self.send(Request::AnotherPlan { params, answer });
                self.pending.push(Box::pin(async move {
                    let plan = result.await.unwrap_or_else(|_| Err(vec![SESSION_LOST.to_owned()]));
                    (layer, Reply::Plan(plan.map(Box::new)))
                }));
            }
            Ask::Start(plan) => {
                let (answer, result) = oneshot::channel();
                let digest = plan.digest.clone();
                self.autostart = None;
                self.send(Request::StartRun { plan, answer });
                self.pending.push(Box::pin(async move {
                    let run = result.await.unwrap_or_else(|_| Err(SESSION_LOST.to_owned()));
                    (layer, Reply::Started(run.map(|run| (run, digest))))
                }));
            }
            Ask::Intent(intent) => self.ask_intent(layer, intent),
            Ask::Lock { run, wish, reason, alive } => {
                let (answer, result) = oneshot::channel();
                self.say(format!("asking the shared place about {run}"));
                self.send(Request::Lock { run, wish, reason, alive, answer });
                self.pending.push(Box::pin(async move {
                    (layer, Reply::Intent(result.await.unwrap_or_else(|_| Err(SESSION_LOST.to_owned()))))
                }));
            }
        }
    }

    fn ask_intent(&mut self, layer: u64, intent: Intent) {
        let (answer, result) = oneshot::channel();
        self.send(Request::Intent { intent, answer });
        self.pending.push(Box::pin(async move {
            (layer, Reply::Intent(result.await.unwrap_or_else(|_| Err(SESSION_LOST.to_owned()))))
        }));
    }

    /// An answer of the session.
    pub fn reply(&mut self, layer: u64, reply: Reply) {
        if let Reply::Started(Ok((run, digest))) = reply {
            self.autostart = Some(Autostart { run: run.clone(), digest });
            self.stack.close(layer);
            self.stack.pop_all();
            self.stack.go(Place::Run);
            self.stack.pop_all();
            self.say(format!("run {run} is starting"));
            self.send(Request::OpenRun { run });
            return;
        }
        let refused = match &reply {
            Reply::Intent(Err(why)) => Some(format!("refused: {why}")),
            _ => None,
        };
        let reaction = self.with(|stack, cx| match stack.by_id(layer) {
            Some(found) => found.screen.reply(reply, cx),
            None => Reaction::Handled,
        });
        self.react(reaction);
        if let Some(text) = refused {
            self.warn(text);
        }
    }

    /// A newer view of the session.
    pub fn take_view(&mut self, view: Arc<View>) {
        let fresh = view.notices.iter().rfind(|n| self.view.notices.iter().all(|known| known.id != n.id));
        if let Some(notice) = fresh {
            let text =
                if notice.next.is_empty() { notice.what.clone() } else { format!("{} {}", notice.what, notice.next) };
            self.warn(text);
        }
        self.view = view;
        self.start_when_ready();
    }

    fn start_when_ready(&mut self) {
        let Some(wanted) = &self.autostart else { return };
        let Some(open) = self.view.open_run.as_ref().filter(|open| open.state.id == wanted.run) else { return };
        if open.link != Link::Connected {
            return;
        }
        let intent = (open.state.status == RunStatus::Ready && open.state.plan.digest == wanted.digest)
            .then(|| Intent::Start { plan_digest: wanted.digest.clone() });
        self.autostart = None;
        if let Some(intent) = intent {
            self.ask_intent(0, intent);
        }
    }
}
