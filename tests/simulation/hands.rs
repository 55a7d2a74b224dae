//! What a runner does with events and orders, and what must hold at each of them.

use crate::dice::Dice;
use crate::disk::Shared;
use crate::plans::key;
use crate::world::{Amount, Flight, World};
use relight::event::{Event, EventKind, Purpose};
use relight::model::amount;
use relight::model::id::StepId;
use relight::model::task::{CancelReason, Effect, Reality, TargetIdentity, TaskOutcome, TaskSpec};
use relight::model::time::Timestamp;
use relight::runbook::approval::{ApprovalRequest, signature_bytes};
use relight::runbook::plan::PlannedAction;
use relight::runbook::{Confirm, Mode, Order, Plan, PlannedStep};
use relight::runner::flight::Limits;
use relight::runner::ledger::Heed;
use serde::Deserialize as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long ago, by a clock that never jumps, a yes or an identity may be when its act starts. The identity
/// is read in between, which takes up to a minute and may hang.
const YES_HOLDS: u64 = 125_000;
const FRESH: u64 = 15_000;

/// A task in flight, as the runner keeps it.
#[derive(Clone, Debug)]
pub struct Work {
    pub step: StepId,
    pub attempt: u32,
    pub purpose: Purpose,
    pub flight: Flight,
    pub told: Option<CancelReason>,
    /// Times since the beginning.
    pub limits: Limits<Duration>,
}

pub struct Hands {
    pub world: World,
    pub disk: Shared,
    pub dice: Dice,
    pub plan: Arc<Plan>,
    pub works: Vec<Work>,
    pub finished: bool,
    /// Milliseconds since the beginning, on a clock that never jumps.
    pub mono: u64,
    /// Orders until the runner dies right before one; the order is on disk and never obeyed.
    pub dies_before: Option<usize>,
    /// The disk lied and lost something: what the journal says may be less than what was done.
    pub misled: bool,
    pub broken: Option<String>,
    pub trace: Option<Vec<String>>,
    seen: u64,
    /// What the last entry intends.
    intended: Option<(StepId, u32, Purpose)>,
    /// The step whose task failed in the last entry, and in the one before it.
    failed: [Option<StepId>; 2],
    armed_until: Option<Timestamp>,
    /// Who has had a hand in the run.
    people: BTreeSet<String>,
    /// The approval that was asked for last, and who has given it.
    approval: Option<(StepId, ApprovalRequest, BTreeSet<String>)>,
    undoing: bool,
    /// Time limits that were amended.
    limits: BTreeMap<StepId, Duration>,
    /// The plan that takes the place of the one in force, once all is taken back.
    next: Option<Arc<Plan>>,
    /// The step whose proof stands.
    proof: Option<StepId>,
    declared: Vec<StepId>,
    /// Steps of which the probes were looked at last of all that was done about them, and held.
    held: BTreeSet<StepId>,
    /// Steps that the run may go past.
    settled: BTreeSet<StepId>,
    shown: Option<(StepId, Option<TargetIdentity>)>,
    yes: BTreeMap<StepId, u64>,
    read: Option<(StepId, TargetIdentity, u64)>,
    /// What was counted last, and when.
    counted: BTreeMap<StepId, (amount::Amount, u64)>,
    /// How much a step may touch, where that was amended.
    allowed: BTreeMap<StepId, amount::Amount>,
    at: Timestamp,
    /// When the last identity was read in the world, which may be long before anyone could write it down.
    pub answered: u64,
}

impl Hands {
    pub fn new(world: World, disk: Shared, dice: Dice, plan: Arc<Plan>, at: Timestamp) -> Self {
        Self {
            world,
            disk,
            dice,
            plan,
            works: vec![],
            finished: false,
            mono: 0,
            dies_before: None,
            misled: false,
            broken: None,
            trace: None,
            seen: 1,
            intended: None,
            failed: [None, None],
            armed_until: None,
            people: BTreeSet::from(["ada".to_owned()]),
            approval: None,
            undoing: false,
            limits: BTreeMap::new(),
            next: None,
            proof: None,
            declared: vec![],
            held: BTreeSet::new(),
            settled: BTreeSet::new(),
            shown: None,
            yes: BTreeMap::new(),
            read: None,
            counted: BTreeMap::new(),
            allowed: BTreeMap::new(),
            at,
            answered: 0,
        }
    }

    /// The journal now ends there.
    pub fn lost(&mut self, seq: u64) {
        self.seen = self.seen.min(seq);
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    /// What a lying disk lost was done all the same: of such a run only its honest refusal can be asked.
    pub fn wrong(&mut self, what: String) {
        if self.misled {
            return;
        }
        self.note(|| format!("!! {what}"));
        self.broken.get_or_insert(what);
    }

    pub fn time(&self) -> Duration {
        Duration::from_millis(self.mono)
    }

    fn place(&self, step: &StepId) -> usize {
        self.plan.steps.iter().position(|planned| &planned.id == step).unwrap()
    }

    /// An event that is on disk, seen for the first time: by the runner that wrote it, or by the next one.
    #[expect(clippy::too_many_lines, reason = "what each kind of event must be true of, side by side")]
    pub fn observe(&mut self, event: &Event) {
        if event.seq <= self.seen {
            return;
        }
        self.seen = event.seq;
        self.at = event.at;
        self.note(|| format!("   {} {} {:?}", event.seq, event.actor.name, event.kind));
        self.persons(event);
        self.settles(event);
        match &event.kind {
            EventKind::Armed { until, .. } => self.armed_until = Some(*until),
            EventKind::Disarmed { .. } => self.armed_until = None,
            EventKind::AbortRequested { undo, .. } => self.undoing = *undo,
            EventKind::RunnerStarted { .. } | EventKind::Resumed => self.yes.clear(),
            EventKind::QuestionAsked { step, question, .. } => {
                let target = Option::<TargetIdentity>::deserialize(&question["target"]).unwrap();
                self.shown = Some((step.clone(), target));
            }
            EventKind::Answered { step, answer, refused: None, .. } => {
                let yes = answer["answer"] == "yes" || answer["answer"] == "phrase";
                self.yes.remove(step);
                self.yes.extend(yes.then(|| (step.clone(), self.mono)));
            }
            EventKind::IdentityRead { step, identity, .. } => {
                self.read = Some((step.clone(), identity.clone(), self.answered));
            }
            EventKind::AmountCounted { step, counted } => {
                self.counted.insert(step.clone(), (*counted, self.answered));
            }
            EventKind::LimitAmended { step, after, .. } => {
                self.approval = None;
                self.allowed.insert(step.clone(), *after);
            }
            EventKind::TaskIntended { step, .. } => {
                self.held.remove(step);
            }
            EventKind::TaskEnded { step, purpose: Purpose::Verify, outcome: TaskOutcome::Done { .. }, .. } => {
                self.held.insert(step.clone());
            }
            EventKind::StepDone { step } => self.is_done(step),
            EventKind::TaskEnded { step, purpose: Purpose::Run, outcome: TaskOutcome::Done { output }, .. }
            | EventKind::Reconciled { step, purpose: Purpose::Reconcile, reality: Reality::Done(output), .. }
                if output.get("proofs").is_some() =>
            {
                self.proof = Some(step.clone());
            }
            EventKind::ProofDeclared { step, .. } => self.declared.push(step.clone()),
            EventKind::DebtSettled { step } if self.world.remains(self.place(step)) => {
                self.wrong(format!("what {step} made counts as gone, and something of it remains"));
            }
            EventKind::StepSkipped { step, .. } | EventKind::StepReopened { step, .. }
                if self.proof.as_ref() == Some(step) =>
            {
                self.proof = None;
            }
            EventKind::StepDoneByHand { step, .. } => {
                if self.proof.as_ref() == Some(step) {
                    self.proof = None;
                }
                let place = self.place(step);
                self.world.done_by_hand(place);
            }
            EventKind::StepUndone { step } => {
                if self.proof.as_ref() == Some(step) {
                    self.proof = None;
                }
                let place = self.place(step);
                if self.world.remains(place) && !self.misled {
                    self.wrong(format!("{step} counts as undone, and something of it remains"));
                }
            }
            EventKind::TimeLimitAmended { step, after, .. } => {
                self.approval = None;
                self.limits.insert(step.clone(), Duration::from_secs(*after));
            }
            EventKind::DecisionPostponed { .. } => self.approval = None,
            EventKind::AnotherPointChosen { plan, .. } => self.next = Plan::deserialize(plan).ok().map(Arc::new),
            EventKind::WentBack { back_to, .. } => self.went_back(back_to),
            EventKind::StepUndoneByHand { step, .. } => {
                if self.proof.as_ref() == Some(step) {
                    self.proof = None;
                }
                let place = self.place(step);
                self.world.undone_by_hand(place);
            }
            _ => {}
        }
        self.intended = match &event.kind {
            EventKind::TaskIntended { step, attempt, purpose, .. } => Some((step.clone(), *attempt, *purpose)),
            _ => None,
        };
        let failed = match &event.kind {
            EventKind::TaskEnded { step, purpose: Purpose::Run, outcome: TaskOutcome::Failed { .. }, .. } => Some(step),
            _ => None,
        };
        self.failed = [failed.cloned(), self.failed[0].take()];
    }

    /// Steps that are settled, by what the journal says of each.
    fn settles(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepDone { step }
            | EventKind::StepSkipped { step, .. }
            | EventKind::StepNotRun { step, .. }
            | EventKind::StepDoneByHand { step, .. } => {
                self.settled.insert(step.clone());
            }
            EventKind::StepReopened { step, .. } | EventKind::StepUndone { step } => {
                self.settled.remove(step);
            }
            EventKind::WentBack { back_to, .. } => {
                let anew = self.plan.steps.iter().skip_while(|step| &step.id != back_to);
                let anew: BTreeSet<&StepId> = anew.map(|step| &step.id).collect();
                self.settled.retain(|step| !anew.contains(step));
            }
            _ => {}
        }
    }

    /// What it waits for is settled; what works alone works alone.
    fn is_its_turn(&mut self, plan: &Plan, place: usize, purpose: Purpose) {
        let id = &plan.steps[place].id;
        // What is told to stop because enough of its group are done only looks, and is on its way out.
        let others: Vec<_> = self.works.iter().filter(|work| !self.settled.contains(&work.step)).cloned().collect();
        for other in others {
            let mixes =
                mixes(&plan.steps[self.place(&other.step)], other.purpose) && mixes(&plan.steps[place], purpose);
            if !mixes || &other.step == id {
                self.wrong(format!("{purpose:?} of {id} starts while {:?} of {} runs", other.purpose, other.step));
            }
        }
        if purpose != Purpose::Run {
            return;
        }
        let group = |at: usize| plan.groups.iter().find(|group| Some(&group.id) == plan.steps[at].group.as_ref());
        for earlier in (0..place).filter(|at| !self.settled.contains(&plan.steps[*at].id)).collect::<Vec<_>>() {
            let free = match (group(place), group(earlier)) {
                (Some(own), Some(other)) if own.id == other.id => own.parallel > 1 || own.join.is_some(),
                (Some(own), Some(other)) => own.needs.as_ref().is_some_and(|needs| !needs.contains(&other.id)),
                _ => false,
            };
            if !free {
                self.wrong(format!("{id} starts before {} is settled", plan.steps[earlier].id));
            }
        }
    }

    /// What was done by the plan before is gone; from here on the next one is in force.
    fn went_back(&mut self, back_to: &StepId) {
        // The next plan has its own limits.
        self.allowed.clear();
        let Some(next) = self.next.take() else { return self.wrong("it went back to no plan".to_owned()) };
        let plan = Arc::clone(&self.plan);
        let anew = plan.steps.iter().skip_while(|step| &step.id != back_to).take_while(|step| step.commit.is_none());
        for step in anew {
            let place = self.place(&step.id);
            if self.world.places[place].changes && self.world.remains(place) {
                self.wrong(format!("the run went back before {}, and something of it remains", step.id));
            }
            if self.proof.as_ref() == Some(&step.id) {
                self.proof = None;
            }
            self.declared.retain(|declared| declared != &step.id);
        }
        self.plan = next;
    }

    /// A task is the one of the plan that is in force.
    fn is_planned(&mut self, planned: &PlannedStep, purpose: Purpose, task: &TaskSpec) {
        let wanted = match (purpose, &planned.action) {
            (Purpose::Run, PlannedAction::Task(wanted)) => wanted,
            (Purpose::Undo, _) if planned.undo.is_some() => planned.undo.as_ref().unwrap(),
            _ => return,
        };
        if wanted.input.get("point") != task.input.get("point") {
            self.wrong(format!("{purpose:?} of {} is not the one of the plan in force", planned.id));
        }
    }

    /// Whose run it is, and what others have signed.
    fn persons(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted | EventKind::Resumed | EventKind::Armed { .. } => {
                self.people.insert(event.actor.name.clone());
            }
            EventKind::QuestionAsked { step, question, .. } if question["kind"]["kind"] == "approval" => {
                let request = ApprovalRequest::deserialize(&question["kind"]["request"]).unwrap();
                self.approval = Some((step.clone(), request, BTreeSet::new()));
            }
            EventKind::ApprovalGiven { approver, request, signature, .. } => {
                let own = self.people.contains(approver);
                let Some((_, asked, given)) = &mut self.approval else {
                    return self.wrong("an approval is given that nobody asked for".to_owned());
                };
                let bytes = signature_bytes(signature).unwrap();
                let signed = &asked.digest() == request && key(approver).public().signed(&asked.text(), &bytes);
                let late = asked.expires <= event.at;
                if own || late || !signed || !given.insert(approver.clone()) {
                    self.wrong(format!("{approver} approved: own run {own}, late {late}, signed {signed}"));
                }
            }
            _ => {}
        }
    }

    /// Enough others have signed for this very start; their word is used up by it.
    fn was_approved(&mut self, planned: &PlannedStep) {
        let Some(wanted) = planned.approve.as_ref().filter(|_| self.plan.mode != Mode::DryRun) else { return };
        let holds = self.approval.take().is_some_and(|(step, asked, given)| {
            step == planned.id
                && asked.plan == self.plan.digest
                && asked.expires > self.at
                && given.len() >= wanted.quorum as usize
        });
        if !holds {
            self.wrong(format!("{} starts without the approval that it needs", planned.id));
        }
    }

    /// What it touches was counted a moment ago, and keeps to its limit; one count is good for one start.
    fn was_counted(&mut self, planned: &PlannedStep) {
        let Some(limit) = planned.limit else { return };
        let limit = self.allowed.get(&planned.id).copied().unwrap_or(limit);
        match self.counted.remove(&planned.id) {
            None => self.wrong(format!("{} starts, and nobody counted what it touches", planned.id)),
            Some((counted, _)) if !counted.over(&limit).is_empty() || counted.objects == Some(0) => {
                self.wrong(format!("{} starts on {counted}, and its limit is {limit}", planned.id));
            }
            Some((_, at)) if self.mono - at > YES_HOLDS => {
                self.wrong(format!("{} starts on a count of {} s ago", planned.id, (self.mono - at) / 1000));
            }
            Some(_) => {}
        }
    }

    fn is_done(&mut self, step: &StepId) {
        let place = self.place(step);
        if self.plan.steps[place].post.is_some() && !self.held.contains(step) {
            self.wrong(format!("{step} counts as done, and what must hold after it was not seen to hold"));
        }
        if !self.world.places[place].changes {
            return;
        }
        if matches!(self.plan.steps[place].action, PlannedAction::Task(_)) {
            let amount = self.world.places[place].amount;
            if amount != Amount::Whole && !self.misled {
                self.wrong(format!("{step} counts as done, and the world holds {amount:?} of it"));
            }
        } else {
            self.world.places[place].amount = Amount::Whole;
        }
    }

    fn start(&mut self, (step, attempt, purpose): (&StepId, u32, Purpose), task: &TaskSpec, timeout: Duration) {
        let place = self.place(step);
        let intended = self.intended.as_ref().is_some_and(|(s, a, p)| s == step && *a == attempt && *p == purpose);
        let (safe, lies) = {
            let platter = self.disk.look();
            (platter.safe_lines(), platter.lies)
        };
        if !intended || (safe < self.seen && !lies) {
            self.wrong(format!("{purpose:?} of {step} starts without its intent on disk"));
        }
        let plan = Arc::clone(&self.plan);
        self.is_its_turn(&plan, place, purpose);
        self.is_planned(&plan.steps[place], purpose, task);
        let amended = self.limits.get(step).filter(|_| matches!(purpose, Purpose::Run | Purpose::Undo));
        if amended.is_some_and(|limit| *limit != timeout) {
            self.wrong(format!("{step} starts with {timeout:?}, and its limit was amended"));
        }
        self.may_start(place, purpose);
        let flight = match self.world.start(&mut self.dice, place, purpose) {
            Ok(flight) => flight,
            Err(_) if self.misled => return self.finished = true,
            Err(what) => return self.wrong(what),
        };
        self.note(|| format!("   -> {flight:?}"));
        let limits = Limits::new(self.time(), timeout);
        self.works.push(Work { step: step.clone(), attempt, purpose, flight, told: None, limits });
    }

    fn may_start(&mut self, place: usize, purpose: Purpose) {
        let plan = Arc::clone(&self.plan);
        let planned = &plan.steps[place];
        let id = &planned.id;
        let changes = self.world.places[place].changes && matches!(purpose, Purpose::Run | Purpose::Undo);
        let armed = self.armed_until.is_some_and(|until| until > self.at);
        if changes && !armed && !(purpose == Purpose::Undo && self.undoing) {
            self.wrong(format!("{purpose:?} of {id} changes something while the run is read-only"));
        }
        if changes && plan.mode == Mode::DryRun {
            self.wrong(format!("{purpose:?} of {id} changes something in a dry run"));
        }
        if purpose != Purpose::Run {
            return;
        }
        self.was_approved(planned);
        self.was_counted(planned);
        if !planned.proof_in.is_empty() && self.proof.is_none() && !self.declared.contains(id) {
            self.wrong(format!("{id} starts without the proof that it needs"));
        }
        let repeated = planned.retry > 0 && self.failed[1].as_ref() == Some(id);
        if planned.confirm > Confirm::None && !repeated {
            match self.yes.get(id) {
                Some(at) if self.mono - at > YES_HOLDS => {
                    self.wrong(format!("{id} starts on a yes of {} s ago", (self.mono - at) / 1000));
                }
                Some(_) => {}
                None => self.wrong(format!("{id} starts without a yes")),
            }
        }
        if planned.target.is_some() {
            let read = self.read.clone().filter(|(step, _, _)| step == id);
            let shown = self.shown.clone().filter(|(step, _)| step == id).and_then(|(_, target)| target);
            match (read, shown) {
                (None, _) => self.wrong(format!("{id} starts on a target that nobody identified")),
                (Some((_, _, at)), _) if self.mono - at > FRESH => {
                    self.wrong(format!("{id} starts on an identity read {} s ago", (self.mono - at) / 1000));
                }
                (Some((_, read, _)), Some(shown)) if planned.confirm > Confirm::None && read.facts != shown.facts => {
                    self.wrong(format!("{id} starts on another target than its question showed"));
                }
                _ => {}
            }
        }
    }

    /// The runner is gone.
    pub fn die(&mut self) {
        for work in self.works.drain(..) {
            self.world.orphan(work.flight);
        }
        self.dies_before = None;
    }
}

/// Whether a task may be in flight beside others.
fn mixes(planned: &PlannedStep, purpose: Purpose) -> bool {
    planned.group.is_some()
        && matches!(planned.action, PlannedAction::Task(_))
        && planned.effect <= Effect::Costly
        && planned.confirm < Confirm::Phrase
        && planned.target.is_none()
        && planned.approve.is_none()
        && matches!(purpose, Purpose::Run | Purpose::Reconcile | Purpose::Verify | Purpose::Count)
}

impl Heed for Hands {
    fn event(&mut self, event: &Event) {
        self.observe(event);
    }

    fn order(&mut self, order: Order) {
        if let Some(left) = &mut self.dies_before {
            if *left == 0 {
                self.disk.look().dead = true;
                self.note(|| "   the runner dies before it obeys".to_owned());
                return;
            }
            *left -= 1;
        }
        match order {
            Order::StartTask { step, attempt, purpose, task, timeout } => {
                self.start((&step, attempt, purpose), &task, timeout);
            }
            // It was seen in the journal.
            Order::Replanned { .. } => {}
            Order::CancelTask { step, reason } => {
                let now = self.time();
                for work in self.works.iter_mut().filter(|work| work.step == step) {
                    work.told = work.told.max(Some(reason));
                    work.limits.told_to_stop(now);
                }
            }
            Order::Finish => self.finished = true,
        }
    }
}
