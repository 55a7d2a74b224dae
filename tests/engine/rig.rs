//! A run on a table top: a small runbook, an engine, a hand that moves the clock.

use relight::event::{Event, EventKind, Purpose};
use relight::model::actor::Actor;
use relight::model::amount::Counts;
use relight::model::id::{RunId, StepId};
use relight::model::task::{CancelReason, Effect, Failure, Reality, TargetIdentity, TaskOutcome, Values};
use relight::model::time::Timestamp;
use relight::runbook::approval::{SigningKey, signature_text};
use relight::runbook::engine::{Now, replay};
use relight::runbook::state::End;
use relight::runbook::{
    Answer, Binding, Engine, Input, InputRow, InputType, Intent, Mode, ModuleRow, Modules, Order, Plan, QuestionKind,
    RunState, Runbook, Working, load,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const RUNBOOK: &str = r#"
id = "test"
title = "Test"
kind = "restore"
[params.db]
type = "text"
default = "orders"
[[resolve]]
id = "seen"
use = "test.look"
[names]
side = "{{ param.db }}_{{ plan.stamp }}"
[plan]
touches = ["creates {{ name.side }}"]
[[steps]]
id = "check"
title = "Check {{ param.db }}"
use = "test.look"
skip = "with-reason"
[[steps]]
id = "make"
title = "Make {{ name.side }}"
use = "test.make"
with = { name = "{{ name.side }}" }
skip = "with-reason"
undo = { use = "test.unmake", with = { name = "{{ name.side }}" } }
[[steps]]
id = "keep"
title = "Keep it"
use = "test.swap"
phrase = "keep {{ target.database }}"
target = { use = "test.identity" }
commit_point = true
decide_within = "2h"
another_point = { back_to = "make", params = ["db"] }
[[steps]]
id = "plain"
title = "Make something without asking"
use = "test.make"
with = { name = "plain" }
confirm = "none"
[[steps]]
id = "fill"
title = "Fill it"
use = "test.fill"
confirm = "key"
retry = 1
[[steps]]
id = "swap"
title = "Swap it in"
use = "test.swap"
phrase = "swap {{ target.database }} {{ target.code }}"
target = { use = "test.identity" }
undo = { use = "test.swap-back" }
[[steps]]
id = "cut"
title = "Cut it off"
use = "test.swap"
phrase = "cut {{ target.database }}"
target = { use = "test.identity" }
[[steps]]
id = "tell"
title = "Tell people"
attest = "Tell people that {{ param.db }} is back"
[[steps]]
id = "ask"
title = "Ask"
ask = "How many rows?"
answer = "integer"
[[steps]]
id = "fence"
title = "Fence the old primary"
use = "test.fence"
phrase = "fence {{ target.database }}"
target = { use = "test.identity" }
skip = "with-reason"
proof_out = "receipt"
[[steps]]
id = "promote"
title = "Promote"
use = "test.promote"
phrase = "promote {{ target.database }}"
target = { use = "test.identity" }
proof_in = ["receipt"]
declare = { loss = "up to 5 MB of {{ param.db }}", phrase = "lose up to 5 MB of {{ param.db }}" }
[[steps]]
id = "lossy"
title = "Go on without"
use = "test.fill"
confirm = "key"
proof_in = ["receipt"]
declare = { loss = "an hour of {{ param.db }}", phrase = "lose an hour", approve = { ttl = "10m" } }
[[steps]]
id = "risky"
title = "Do something risky"
use = "test.swap"
phrase = "risk {{ target.database }}"
target = { use = "test.identity" }
approve = { quorum = 2, ttl = "10m", loss = "all of {{ param.db }}" }
[[steps]]
id = "strict"
title = "Promote, by proof alone"
use = "test.promote"
phrase = "promote {{ target.database }}"
target = { use = "test.identity" }
proof_in = ["receipt"]
[[steps]]
id = "steady"
title = "Make it and see it stand"
use = "test.make"
with = { name = "steady" }
undo = { use = "test.unmake", with = { name = "steady" } }
stable_for = "{{ 10 * 2 }}s"
holds_within = "1m"
[[steps.post]]
title = "It stands"
use = "test.look"
expect = { seen = { at_least = "{{ resolve.seen.seen }}" } }
[[steps]]
id = "guarded"
title = "Make it while there is room"
use = "test.make"
with = { name = "guarded" }
undo = { use = "test.unmake", with = { name = "guarded" } }
[[steps.stop_if]]
title = "Too little room"
use = "test.look"
when = { seen = { below = "{{ resolve.seen.seen }}" } }
[[steps]]
id = "wipe"
title = "Remove what is old"
use = "test.wipe"
effect = "irreversible"
phrase = "wipe {{ target.database }}"
target = { use = "test.identity" }
limit = { objects = "{{ 10 * 10 }}", bytes = "1GB" }
skip = "with-reason"
[[steps]]
id = "sweep"
title = "Sweep without asking"
use = "test.wipe"
confirm = "none"
limit = { objects = 100 }
[[steps]]
id = "said"
title = "Do it by hand"
attest = "Do it by hand"
[[steps.post]]
title = "It is so"
use = "test.look"
"#;

fn row(name: &str, effect: Effect, idempotent: bool, inputs: &[&str]) -> ModuleRow {
    let input = |name: &&str| InputRow { name: (*name).to_owned(), kind: InputType::Text, required: true };
    let outputs = if name == "test.look" { vec!["seen".to_owned()] } else { vec!["proofs".to_owned()] };
    let mut inputs: Vec<InputRow> = inputs.iter().map(input).collect();
    if name == "test.promote" {
        inputs.push(InputRow { name: "proofs".to_owned(), kind: InputType::Table, required: false });
    }
    let counts = if name == "test.wipe" { Counts::BOTH } else { Counts::default() };
    ModuleRow { name: name.to_owned(), effect, idempotent, inputs, outputs, makes: None, counts }
}

pub fn modules() -> Modules {
    [
        row("test.look", Effect::Observe, true, &[]),
        row("test.identity", Effect::Observe, true, &[]),
        row("test.make", Effect::Reversible, false, &["name"]),
        row("test.unmake", Effect::Reversible, true, &["name"]),
        row("test.fill", Effect::Costly, true, &[]),
        row("test.swap", Effect::Irreversible, false, &[]),
        row("test.wipe", Effect::Reversible, true, &[]),
        row("test.fence", Effect::Fence, true, &[]),
        row("test.promote", Effect::Irreversible, false, &[]),
        row("test.swap-back", Effect::Irreversible, false, &[]),
    ]
    .into_iter()
    .collect()
}

pub fn runbook() -> Runbook {
    load::parse("test", "test.toml", RUNBOOK, &modules()).map_err(|problems| problems.to_string()).unwrap()
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + chrono::Duration::seconds(1_790_000_000 + seconds)
}

fn identity_output(database: &str) -> Values {
    let output = json!({ "title": format!("database {database}"), "facts": [["database", database], ["oid", 7]] });
    output.as_object().unwrap().clone()
}

/// What a fence gives: a receipt, or with `empty` one that says nothing.
fn receipt(rest: &str) -> Values {
    let receipt = if rest == "empty" { json!({}) } else { json!({ "port": "refused", "at": "now" }) };
    json!({ "proofs": { "receipt": receipt } }).as_object().unwrap().clone()
}

fn identity(database: &str) -> TargetIdentity {
    let facts = vec![("database".to_owned(), database.to_owned()), ("oid".to_owned(), "7".to_owned())];
    TargetIdentity { title: format!("database {database}"), facts, read_at: at(0) }
}

/// A plan with these steps of the runbook, in this order.
pub fn plan(steps: &[&str], mode: Mode) -> Plan {
    plan_of(steps, mode, "orders")
}

/// The same for another database.
pub fn plan_of(steps: &[&str], mode: Mode, db: &str) -> Plan {
    let mut plan = bound(&runbook(), mode, db);
    let all = std::mem::take(&mut plan.steps);
    plan.steps = steps.iter().map(|id| all.iter().find(|s| s.id.as_str() == *id).unwrap().clone()).collect();
    plan.digest = plan.compute_digest();
    plan
}

/// The plan of a runbook with all its steps.
pub fn bound(runbook: &Runbook, mode: Mode, db: &str) -> Plan {
    let (modules, estate) = (modules(), estate());
    let given: Values = [("db".to_owned(), json!(db))].into_iter().collect();
    let params = relight::runbook::params::parse(runbook, &given, &estate).unwrap();
    let mut binding = Binding::new(runbook, &modules, params, mode, at(0)).unwrap();
    while binding.next_look().unwrap().is_some() {
        binding.answer([("seen".to_owned(), json!(1.1))].into_iter().collect());
    }
    let targets = binding.targets().unwrap();
    let identities: BTreeMap<StepId, TargetIdentity> =
        targets.into_iter().map(|(step, _)| (step, identity("orders"))).collect();
    binding.plan(&estate, &identities).unwrap()
}

pub fn estate() -> relight::model::estate::Estate {
    relight::model::estate::Estate {
        name: "test".to_owned(),
        environment: "test".to_owned(),
        time_zone: chrono_tz::UTC,
        stores: vec![],
        assets: vec![],
        servers: vec![],
        hosts: vec![],
        services: Vec::new(),
        jobs: Vec::new(),
        runbook_dirs: vec![],
        approvers: ["grace", "linus", "ada", "bob"].map(|name| key(name).public()).to_vec(),
        quorum: 0,
    }
}

/// The key of an approver of the tests.
pub fn key(name: &str) -> SigningKey {
    let mut seed = [7; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::read(&SigningKey::file(name, &seed)).unwrap()
}

pub fn actor(name: &str) -> Actor {
    Actor { name: name.to_owned(), host: "here".to_owned(), pid: 1 }
}

pub struct Rig {
    pub engine: Engine,
    pub events: Vec<Event>,
    pub orders: Vec<Order>,
    pub seconds: i64,
    pub refused: Option<String>,
    /// The step that a word names.
    about: Option<StepId>,
    /// What a reader of the journal makes of it.
    pub reader: RunState,
}

impl Rig {
    pub fn new(plan: &Plan) -> Self {
        let first = Engine::creation(RunId::from("r1"), plan, actor("ada"), Now { at: at(0), mono_ms: 0 });
        let state = replay([&first]).unwrap();
        let mut rig = Self::taken_up(vec![first], state, 0);
        rig.send(&Input::Recovered { pid: 1, version: "t".to_owned() });
        rig
    }

    /// A run whose runner has written `events`, which lead to `state`.
    pub fn taken_up(events: Vec<Event>, state: RunState, seconds: i64) -> Self {
        let mut engine = Engine::new(RunState::create(&events[0]).unwrap(), actor("relight"));
        for event in &events[1..] {
            engine.apply(event);
        }
        assert_eq!(engine.state(), &state);
        Self { engine, events, orders: vec![], seconds, refused: None, about: None, reader: state }
    }

    pub fn send(&mut self, input: &Input) {
        let decision = self.engine.handle(input, Now { at: at(self.seconds), mono_ms: 0 });
        self.refused = decision.refused;
        for event in decision.events {
            self.append(event);
        }
    }

    /// What is read back from disk must lead to the same state, to the last note.
    pub fn append(&mut self, event: Event) {
        self.orders.extend(self.engine.apply(&event));
        let back: Event = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        self.reader.apply(&back);
        assert_eq!(&self.reader, self.engine.state(), "replay differs from the live state");
        self.events.push(event);
    }

    pub fn wish(&mut self, intent: Intent) {
        // Whoever operates the run: all others watch.
        let operator = actor(&self.engine.state().operator.name);
        self.send(&Input::Intent { actor: operator, intent });
    }

    fn answer(&mut self, answer: Answer) {
        let question = self.engine.state().question.as_ref().map_or(self.engine.state().asked, |q| q.number);
        self.wish(Intent::Answer { question, answer });
    }

    /// `NAME`, then what is wrong about the signature, if anything: `by=NAME` another key, `plan`, `loss`, `run`
    /// another request.
    fn approve(&mut self, rest: &str) {
        let (name, wrong) = rest.split_once(' ').unwrap_or((rest, ""));
        let open = self.engine.state().question.as_ref();
        let Some(QuestionKind::Approval { request, .. }) = open.map(|question| question.kind.clone()) else {
            return self.answer(Answer::Approve { approver: name.to_owned(), signature: "00".to_owned() });
        };
        let mut request = *request;
        match wrong {
            "plan" => request.plan = "0".repeat(64),
            "loss" => "nothing".clone_into(&mut request.loss),
            "run" => request.run = RunId::from("r2"),
            "earlier" => request.question -= 1,
            _ => {}
        }
        let by = key(wrong.strip_prefix("by=").unwrap_or(name));
        let signature = signature_text(&by.sign(request.text().as_bytes()));
        self.answer(Answer::Approve { approver: name.to_owned(), signature });
    }

    fn end(&mut self, end: End) {
        let working = self.working();
        self.send(&Input::TaskEnded { step: working.step, attempt: working.attempt, purpose: working.purpose, end });
    }

    /// The task in flight that the word is about: that of the named step, or the one that began first.
    fn working(&self) -> Working {
        let state = self.engine.state();
        let named = self.about.as_ref().map(|step| state.working_on(step));
        named.unwrap_or_else(|| state.working.first()).expect("no task runs").clone()
    }

    /// The runner is killed and another one reads the journal.
    fn crash(&mut self) {
        self.engine = Engine::new(replay(&self.events).unwrap(), actor("relight"));
        self.send(&Input::Recovered { pid: 2, version: "t".to_owned() });
    }

    /// One word of a scenario and its rest.
    #[expect(clippy::too_many_lines, reason = "the vocabulary of the scenarios, one word a line")]
    pub fn play(&mut self, word: &str, rest: &str) {
        let failure = || Failure::new("it broke");
        self.seconds += 1;
        // `done @step …`: of several tasks in flight, this one's.
        let (about, rest) = match rest.strip_prefix('@') {
            Some(named) => named.split_once(' ').map_or((Some(named), ""), |(step, rest)| (Some(step), rest)),
            None => (None, rest),
        };
        self.about = about.map(StepId::from);
        let text = rest.to_owned();
        match word {
            "start" if rest == "wrong" => self.wish(Intent::Start { plan_digest: "0".repeat(64) }),
            "start" => self.wish(Intent::Start { plan_digest: self.engine.state().plan.digest.clone() }),
            "arm" => {
                let until = at(self.seconds + rest.parse::<i64>().unwrap_or(3600));
                self.wish(Intent::Arm { reason: "test".to_owned(), incident: None, until });
            }
            "disarm" => self.wish(Intent::Disarm),
            "wait" => {
                self.seconds += rest.parse::<i64>().unwrap();
                self.send(&Input::Continue);
            }
            "pause" => self.wish(Intent::Pause { reason: "test".to_owned() }),
            "resume" => self.wish(Intent::Resume),
            "abort" => self.wish(Intent::Abort { reason: "test".to_owned(), undo: rest == "undo" }),
            "yes" => self.answer(Answer::Yes),
            "no" => self.answer(Answer::No),
            "late" => self.wish(Intent::Answer { question: self.engine.state().asked - 1, answer: Answer::Yes }),
            "phrase" => {
                let text = match &self.engine.state().question.as_ref().unwrap().kind {
                    QuestionKind::Phrase { phrase } | QuestionKind::Proof { phrase: Some(phrase), .. }
                        if rest.is_empty() =>
                    {
                        phrase.clone()
                    }
                    _ => text,
                };
                self.answer(Answer::Phrase { text });
            }
            "value" => self.answer(Answer::Value { value: serde_json::from_str::<Value>(rest).unwrap() }),
            "approve" => self.approve(rest),
            "relieve" => {
                self.send(&Input::Intent { actor: actor(rest), intent: Intent::Relieve { reason: "gone".to_owned() } });
            }
            "retry" => self.answer(Answer::Retry),
            "skip" => self.answer(Answer::Skip { reason: text }),
            "hand" => self.answer(Answer::DoneByHand { evidence: text }),
            "accept" => self.answer(Answer::AcceptDrift { reason: text }),
            "again" => self.answer(Answer::LookAgain),
            "undo" => self.answer(Answer::Undo),
            "postpone" => {
                let until = at(self.seconds + rest.parse::<i64>().unwrap());
                self.wish(Intent::Postpone { until, reason: "test".to_owned() });
            }
            "limit" => {
                let (step, seconds) = rest.split_once(' ').unwrap();
                let limit = std::time::Duration::from_secs(seconds.parse().unwrap());
                self.wish(Intent::LimitTime { step: StepId::from(step), limit, reason: "test".to_owned() });
            }
            "another" => {
                let plan = &self.engine.state().plan;
                let steps: Vec<String> = plan.steps.iter().map(|step| step.id.to_string()).collect();
                let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
                let plan = Box::new(plan_of(&steps, plan.mode, rest));
                self.wish(Intent::AnotherPoint { plan, reason: "test".to_owned() });
            }
            "done" => self.end(End::Task(TaskOutcome::Done { output: Values::new() })),
            "proof" => self.end(End::Task(TaskOutcome::Done { output: receipt(rest) })),
            "identity" => self.end(End::Task(TaskOutcome::Done { output: identity_output(rest) })),
            "count" => {
                let figures: Vec<u64> = rest.split_whitespace().map(|word| word.parse().unwrap()).collect();
                let output = json!({ "objects": figures[0], "bytes": figures.get(1).copied().unwrap_or(1000) });
                self.end(End::Task(TaskOutcome::Done { output: output.as_object().unwrap().clone() }));
            }
            "raise" => {
                let (step, limit) = rest.split_once(' ').unwrap();
                let (step, limit) = (StepId::from(step), limit.parse().unwrap());
                self.wish(Intent::LimitAmount { step, limit, reason: "it is right".to_owned() });
            }
            "fail" => self.end(End::Task(TaskOutcome::Failed { failure: failure() })),
            "unknown" => self.end(End::Task(TaskOutcome::Unknown { failure: failure() })),
            "cancelled" => {
                let reason: CancelReason = serde_json::from_value(json!(rest)).unwrap();
                self.end(End::Task(TaskOutcome::Cancelled { reason }));
            }
            "look" => self.end(End::Look(match rest {
                "proof" => Reality::Done(receipt("")),
                "done" => Reality::Done([("rows".to_owned(), json!(3))].into_iter().collect()),
                "not-done" => Reality::NotDone("nothing is there".to_owned()),
                "partial" => Reality::Partial("half of it is there".to_owned()),
                _ => Reality::Unknown(failure()),
            })),
            "deadline" => {
                let working = self.working();
                let (step, attempt, purpose) = (working.step, working.attempt, working.purpose);
                self.send(&Input::Deadline { step, attempt, purpose });
            }
            "stop" => {
                let working = self.working();
                self.send(&Input::StopMet { step: working.step, attempt: working.attempt, why: text });
            }
            "crash" => self.crash(),
            "shutdown" => {
                self.engine.close();
                while !self.engine.state().is_idle() {
                    self.end(End::Task(TaskOutcome::Cancelled { reason: CancelReason::Shutdown }));
                }
                self.send(&Input::Stopping { why: "asked to".to_owned() });
                self.crash();
            }
            other => panic!("unknown word `{other}`"),
        }
    }

    /// What tokens of a scenario claim: `step=state`, `?question`, `>purpose:step`, `!status`, `refused`.
    pub fn holds(&self, token: &str) -> Result<(), String> {
        let state = self.engine.state();
        let (claim, found) = if let Some(kind) = token.strip_prefix('?') {
            let found = state.question.as_ref().map(|q| tag(&q.kind, "kind"));
            (kind.to_owned(), found.unwrap_or_else(|| "-".to_owned()))
        } else if let Some(work) = token.strip_prefix('>') {
            let one = |w: &Working| format!("{}:{}", json!(w.purpose).as_str().unwrap(), w.step);
            let found: Vec<String> = state.working.iter().map(one).collect();
            (work.to_owned(), if found.is_empty() { "-".to_owned() } else { found.join("+") })
        } else if let Some(status) = token.strip_prefix('!') {
            (status.to_owned(), tag(&state.status, "status"))
        } else if token == "refused" {
            ("refused".to_owned(), if self.refused.is_some() { "refused" } else { "accepted" }.to_owned())
        } else if let Some(count) = token.strip_prefix("exceptions=") {
            (count.to_owned(), state.exceptions.len().to_string())
        } else if let Some(count) = token.strip_prefix("leftovers=") {
            (count.to_owned(), state.leftovers.len().to_string())
        } else {
            let (step, claim) = token.split_once('=').ok_or_else(|| format!("bad token `{token}`"))?;
            let record = state.step(&StepId::from(step)).ok_or_else(|| format!("no step `{step}`"))?;
            (claim.to_owned(), json!(record.state).as_str().unwrap().to_owned())
        };
        if claim == found { Ok(()) } else { Err(format!("`{token}`: found `{found}`")) }
    }
}

fn tag(value: &impl serde::Serialize, key: &str) -> String {
    serde_json::to_value(value).unwrap()[key].as_str().unwrap().to_owned()
}

/// Runs a scenario: lines `words -> claims`. The first line names the steps, and the mode if not real.
pub fn scenario(text: &str) -> Rig {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let head = lines.next().unwrap().strip_prefix("steps ").unwrap();
    let (steps, mode) = match head.split_once(" dry-run") {
        Some((steps, _)) => (steps, Mode::DryRun),
        None => (head, Mode::Real),
    };
    follow(&plan(&steps.split_whitespace().collect::<Vec<_>>(), mode), lines)
}

/// Plays the lines of a scenario on a plan.
pub fn follow<'a>(plan: &Plan, lines: impl Iterator<Item = &'a str>) -> Rig {
    let mut rig = Rig::new(plan);
    for line in lines {
        let (words, claims) = line.split_once("->").unwrap_or((line, ""));
        let (word, rest) = words.trim().split_once(' ').unwrap_or((words.trim(), ""));
        rig.play(word, rest.trim());
        for token in claims.split_whitespace() {
            if let Err(found) = rig.holds(token) {
                let kinds: Vec<String> = rig.events.iter().map(|e| format!("{:?}", e.kind)).collect();
                panic!("at `{line}`: {found}; refused: {:?}\nevents:\n{}", rig.refused, kinds[1..].join("\n"));
            }
        }
    }
    rig
}

/// Every start of a task must have its intent among the events before it.
pub fn intended(events: &[Event], step: &StepId, attempt: u32, purpose: Purpose) -> bool {
    events.iter().any(|event| {
        matches!(&event.kind, EventKind::TaskIntended { step: s, attempt: a, purpose: p, .. }
            if s == step && *a == attempt && *p == purpose)
    })
}
