//! The world that tasks change: what is there of each step, tasks that fail, hang, or succeed without
//! telling, and probes that tell the truth or nothing.

use crate::dice::Dice;
use crate::plans::identity;
use relight::event::Purpose;
use relight::model::task::{CancelReason, Failure, Reality, TaskOutcome, Values};
use relight::runbook::state::End;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Amount {
    Nothing,
    Part,
    Whole,
}

#[derive(Clone, Debug)]
pub struct Place {
    pub name: String,
    pub changes: bool,
    pub idempotent: bool,
    /// A person does it.
    pub by_person: bool,
    /// The place that its task clears.
    pub removes: Option<usize>,
    /// The place that its task must find empty.
    pub probes: Option<usize>,
    /// Its task owes this proof.
    pub proof: Option<String>,
    pub amount: Amount,
    /// How often its target became something else.
    pub drift: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Done,
    Failed,
    Unknown,
    /// Nothing until it is told to stop.
    Hangs,
    /// Nothing, even then.
    Deaf,
    /// Breaks down.
    Vanishes,
}

/// A task in the world. It may outlive the runner that started it.
#[derive(Clone, Debug)]
pub struct Flight {
    pub place: usize,
    pub purpose: Purpose,
    says: Says,
    /// What is there once it has had its effect.
    leaves: Amount,
    landed: bool,
}

impl Flight {
    pub fn acts(&self) -> bool {
        matches!(self.purpose, Purpose::Run | Purpose::Undo)
    }
    /// Whether it speaks by itself.
    pub fn speaks(&self) -> bool {
        matches!(self.says, Says::Done | Says::Failed | Says::Unknown | Says::Vanishes)
    }
    pub fn is_deaf(&self) -> bool {
        self.says == Says::Deaf
    }
    fn looks(&self) -> bool {
        matches!(self.purpose, Purpose::Reconcile | Purpose::ReconcileUndo)
    }
}

#[derive(Clone, Debug)]
pub struct World {
    pub places: Vec<Place>,
    /// Tasks whose runner is gone, or gave them up: they may still have their effect.
    pub orphans: Vec<Flight>,
    pub calm: bool,
}

impl World {
    /// A task is started. `Err` says what it must not have been started on.
    pub fn start(&mut self, dice: &mut Dice, place: usize, purpose: Purpose) -> Result<Flight, String> {
        let at = &self.places[place];
        let orphan = self.orphans.iter().any(|o| o.place == place && o.acts() && at.changes);
        if purpose == Purpose::Run && at.changes && !at.idempotent && (at.amount != Amount::Nothing || orphan) {
            return Err(format!(
                "{} is run again on {:?} (still under way: {orphan}), and it is not idempotent",
                at.name, at.amount
            ));
        }
        let says = match dice.below(100) {
            _ if self.calm => Says::Done,
            0..62 => Says::Done,
            62..76 => Says::Failed,
            76..84 => Says::Unknown,
            84..93 => Says::Hangs,
            93..97 => Says::Deaf,
            _ => Says::Vanishes,
        };
        let (whole, nothing) =
            if purpose == Purpose::Undo { (Amount::Nothing, at.amount) } else { (Amount::Whole, at.amount) };
        let leaves = match (says, dice.below(10)) {
            (Says::Done, _) => whole,
            (Says::Failed, 0..7) => nothing,
            (_, 0..4) => whole,
            (_, 4..7) => nothing,
            _ if at.amount == whole => whole,
            _ => Amount::Part,
        };
        let leaves = if at.changes { leaves } else { Amount::Nothing };
        Ok(Flight { place, purpose, says, leaves, landed: false })
    }

    /// The effect happens, once.
    pub fn land(&mut self, flight: &mut Flight) {
        if std::mem::replace(&mut flight.landed, true) || !flight.acts() {
            return;
        }
        let at = &mut self.places[flight.place];
        if at.changes {
            at.amount = if flight.purpose == Purpose::Undo {
                at.amount.min(flight.leaves)
            } else {
                at.amount.max(flight.leaves)
            };
            if let (Some(made), Amount::Whole) = (at.removes, at.amount) {
                self.places[made].amount = Amount::Nothing;
            }
        }
    }

    /// Its runner is gone; what it began goes on by itself, or not.
    pub fn orphan(&mut self, flight: Flight) {
        if flight.acts() && !flight.landed && self.places[flight.place].changes {
            self.orphans.push(flight);
        }
    }

    /// Some orphan comes to its effect, or to nothing.
    pub fn stir(&mut self, dice: &mut Dice) -> bool {
        if self.orphans.is_empty() {
            return false;
        }
        let index = dice.below(self.orphans.len());
        let mut flight = self.orphans.swap_remove(index);
        if dice.percent(60) {
            self.land(&mut flight);
        }
        true
    }

    /// Who looks at a place, or takes it back, first ends what is still under way there.
    fn settle(&mut self, dice: &mut Dice, place: usize) {
        let (here, others) = std::mem::take(&mut self.orphans).into_iter().partition(|o: &Flight| o.place == place);
        self.orphans = others;
        for mut flight in Vec::<Flight>::from_iter(here) {
            if dice.percent(50) {
                self.land(&mut flight);
            }
        }
    }

    /// The task ends: by itself, or because it was told to stop. `None`: it does not even then.
    pub fn end(&mut self, dice: &mut Dice, flight: &mut Flight, told: Option<CancelReason>) -> End {
        if flight.looks() {
            return End::Look(self.look(dice, flight));
        }
        let at = &self.places[flight.place];
        if matches!(flight.purpose, Purpose::IdentifyToAsk | Purpose::IdentifyToAct) {
            return End::Task(match (flight.says, told) {
                (Says::Done, _) => TaskOutcome::Done { output: values(identity(&at.name, at.drift)) },
                (Says::Failed, _) => TaskOutcome::Failed { failure: Failure::new("no connection") },
                (Says::Hangs, Some(reason)) => TaskOutcome::Cancelled { reason },
                _ => TaskOutcome::Unknown { failure: Failure::new("no answer") },
            });
        }
        if flight.purpose == Purpose::Count {
            let objects = if self.calm { 3 } else { dice.pick(&[0, 3, 3, 3, 10, 11, 50]) };
            return End::Task(match (flight.says, told) {
                (Says::Done, _) => TaskOutcome::Done { output: values(json!({ "objects": objects })) },
                (Says::Failed, _) => TaskOutcome::Failed { failure: Failure::new("no connection") },
                (Says::Hangs, Some(reason)) => TaskOutcome::Cancelled { reason },
                _ => TaskOutcome::Unknown { failure: Failure::new("no answer") },
            });
        }
        if flight.purpose == Purpose::Verify {
            return End::Task(match (flight.says, told) {
                (Says::Hangs, Some(reason)) => TaskOutcome::Cancelled { reason },
                (Says::Done, _) if !at.changes || at.by_person || at.amount == Amount::Whole => {
                    TaskOutcome::Done { output: Values::new() }
                }
                (Says::Done | Says::Failed, _) => TaskOutcome::Failed { failure: Failure::new("it does not stand") },
                _ => TaskOutcome::Unknown { failure: Failure::new("no answer") },
            });
        }
        let says = match told {
            Some(_) if flight.landed && flight.leaves == done(flight.purpose) && dice.percent(50) => Says::Done,
            Some(_) if dice.percent(80) => Says::Hangs,
            _ => flight.says,
        };
        let (changes, removes, probes) = (at.changes, at.removes, at.probes);
        if let Some(made) = removes.or(probes).filter(|_| says == Says::Done) {
            self.settle(dice, made);
        }
        if says == Says::Done && probes.is_some_and(|made| self.remains(made)) {
            flight.landed = true;
            return End::Task(TaskOutcome::Failed { failure: Failure::new("it is still there") });
        }
        if says == Says::Done && changes {
            self.settle(dice, flight.place);
            flight.leaves = done(flight.purpose);
            flight.landed = false;
        }
        if says == Says::Done || !flight.landed && (told.is_none() || dice.percent(50)) {
            self.land(flight);
        }
        flight.landed = true;
        End::Task(match (says, told) {
            (Says::Done, _) => TaskOutcome::Done { output: self.output(dice, flight) },
            (Says::Failed, _) => TaskOutcome::Failed { failure: Failure::new("it broke") },
            (Says::Hangs, Some(reason)) => TaskOutcome::Cancelled { reason },
            _ => TaskOutcome::Unknown { failure: Failure::new("the connection was lost") },
        })
    }

    fn look(&mut self, dice: &mut Dice, flight: &Flight) -> Reality {
        if flight.says != Says::Done {
            return Reality::Unknown(Failure::new("the world cannot be read"));
        }
        self.settle(dice, flight.place);
        if let Some(made) = self.places[flight.place].removes {
            self.settle(dice, made);
            let gone = !self.remains(made);
            self.places[flight.place].amount = if gone { Amount::Whole } else { Amount::Nothing };
        }
        let at = &self.places[flight.place];
        if !at.changes {
            return Reality::NotDone("it only reads".to_owned());
        }
        match (at.amount, done(if flight.purpose == Purpose::ReconcileUndo { Purpose::Undo } else { Purpose::Run })) {
            (Amount::Part, _) => Reality::Partial("half of it is there".to_owned()),
            (now, done) if now == done => Reality::Done(self.output(dice, flight)),
            _ => Reality::NotDone("nothing happened".to_owned()),
        }
    }

    /// A task that is done gives its proof, mostly.
    fn output(&self, dice: &mut Dice, flight: &Flight) -> Values {
        let owed = self.places[flight.place].proof.as_ref();
        match owed.filter(|_| self.calm || dice.percent(80)) {
            Some(name) => values(json!({ "proofs": { name: { "of": self.places[flight.place].name } } })),
            None => Values::new(),
        }
    }

    /// Who does it by hand ends what is still under way there, and does what is lacking.
    pub fn done_by_hand(&mut self, place: usize) {
        let made = self.places[place].removes;
        self.orphans.retain(|orphan| orphan.place != place && Some(orphan.place) != made);
        if self.places[place].changes {
            self.places[place].amount = Amount::Whole;
        }
        if let Some(made) = made {
            self.places[made].amount = Amount::Nothing;
        }
    }

    /// Who takes it back by hand ends what is still under way there, too.
    pub fn undone_by_hand(&mut self, place: usize) {
        self.orphans.retain(|orphan| orphan.place != place);
        self.places[place].amount = Amount::Nothing;
    }

    /// Whether something of the step is there, or may still come.
    pub fn remains(&self, place: usize) -> bool {
        self.places[place].amount != Amount::Nothing
            || self.orphans.iter().any(|o| o.place == place && o.purpose == Purpose::Run && o.leaves != Amount::Nothing)
    }
}

fn done(purpose: Purpose) -> Amount {
    if purpose == Purpose::Undo { Amount::Nothing } else { Amount::Whole }
}

fn values(value: Value) -> Values {
    match value {
        Value::Object(fields) => fields,
        _ => Values::new(),
    }
}
