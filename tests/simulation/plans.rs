//! Random plans: every class of effect, every way to confirm, with and without undo, idempotent or not.

use crate::dice::Dice;
use relight::event::Event;
use relight::model::actor::Actor;
use relight::model::id::RunId;
use relight::model::time::Timestamp;
use relight::runbook::approval::SigningKey;
use relight::runbook::engine::Now;
use relight::runbook::plan::PlannedAction;
use relight::runbook::{Engine, Plan, RunState};
use serde_json::{Value, json};

/// A plan with the first entry of its run's journal and the state after it.
pub struct Prepared {
    pub plan: Plan,
    pub first: Event,
    pub state: RunState,
}

pub fn epoch() -> Timestamp {
    Timestamp::UNIX_EPOCH + chrono::Duration::seconds(1_790_000_000)
}

pub fn actor(name: &str) -> Actor {
    Actor { name: name.to_owned(), host: "here".to_owned(), pid: 1 }
}

/// Identity of a target that has changed `drift` times since the plan was made.
pub fn identity(step: &str, drift: u32) -> Value {
    json!({ "title": format!("database {step}"), "facts": [["database", step], ["oid", drift.to_string()]] })
}

pub fn prepare(seed: u64) -> Prepared {
    let mut dice = Dice::new(seed ^ 0x00c0_ffee);
    let mode = dice.pick(&["real", "real", "real", "real", "real", "real", "real", "drill", "dry-run"]);
    let count = 2 + dice.below(7);
    let mut steps: Vec<Value> = (0..count).map(|number| step(&mut dice, &format!("s{number}"))).collect();
    hand_on(&mut dice, &mut steps);
    two_persons(&mut dice, &mut steps);
    commit(&mut dice, &mut steps);
    let groups = groups(&mut dice, &mut steps);
    if mode == "drill" {
        owe(&mut dice, &mut steps);
    }
    let approvers: Vec<_> = APPROVERS.iter().map(|name| key(name).public()).collect();
    let at = epoch();
    let mut plan: Plan = serde_json::from_value(json!({
        "runbook": "random", "title": "Random", "runbook_digest": "0", "estate": "test", "environment": "test",
        "mode": mode, "made_at": at, "params": { "point": 1 }, "resolved": {}, "names": {}, "touches": [], "rpo": null,
        "rto": null, "steps": steps, "groups": groups, "approvers": approvers, "digest": "",
    }))
    .unwrap();
    plan.digest = plan.compute_digest();
    let first = Engine::creation(RunId::from("r1"), &plan, actor("ada"), Now { at, mono_ms: 0 });
    let state = RunState::create(&first).unwrap();
    Prepared { plan, first, state }
}

/// The same run, with things of its own that only one run may work on.
pub fn locked(prepared: &Prepared) -> Prepared {
    let mut plan = prepared.plan.clone();
    plan.lock_scope = vec!["a".to_owned(), "b".to_owned()];
    plan.digest = plan.compute_digest();
    let first = Engine::creation(RunId::from("r1"), &plan, actor("ada"), Now { at: epoch(), mono_ms: 0 });
    let state = RunState::create(&first).unwrap();
    Prepared { plan, first, state }
}

/// In some plans a step commits; some of these can be led to another point.
fn commit(dice: &mut Dice, steps: &mut [Value]) {
    let at = dice.below(steps.len());
    let commits =
        steps[at]["action"]["do"] == "task" && steps[at]["effect"] != "observe" && steps[at]["confirm"] != "none";
    if !commits || dice.percent(30) {
        return;
    }
    steps[at]["skip"] = json!("forbidden");
    let changes = |step: &Value| step["effect"] != "observe";
    // Nobody goes back before what a person did, or to nothing.
    let person = steps[..at].iter().rposition(|step| changes(step) && step["action"]["do"] != "task");
    let first = person.map_or(0, |person| person + 1);
    let another = (first < at).then(|| {
        let back_to = first + dice.below(at - first);
        for step in steps[back_to..at].iter_mut().filter(|step| changes(step)) {
            step["undo"] = json!({ "module": "world.undo", "input": { "step": step["id"] } });
        }
        json!({ "back_to": steps[back_to]["id"], "params": ["point"] })
    });
    let span = dice.pick(&[60, 3600]);
    steps[at]["commit"] = json!({ "decide_within": span });
    if let Some(another) = another {
        steps[at]["commit"]["another"] = another;
    }
}

/// In some plans stretches of steps form groups, which may overlap.
fn groups(dice: &mut Dice, steps: &mut [Value]) -> Vec<Value> {
    let mut groups: Vec<Value> = vec![];
    if dice.percent(45) {
        return groups;
    }
    let mut at = 0;
    while at < steps.len() {
        let span = (1 + dice.below(4)).min(steps.len() - at);
        let end = (at..at + span).find(|place| steps[*place].get("commit").is_some()).unwrap_or(at + span);
        if end == at || dice.percent(25) {
            at += 1;
            continue;
        }
        let id = format!("g{}", groups.len());
        let members = &mut steps[at..end];
        for step in members.iter_mut() {
            step["group"] = json!(id);
        }
        let mut group = json!({ "id": id, "title": format!("Group {id}"), "parallel": 1 + dice.below(3) });
        if dice.percent(60) {
            let earlier = groups.iter().map(|group| group["id"].clone());
            group["needs"] = json!(earlier.filter(|_| dice.percent(40)).collect::<Vec<_>>());
        }
        let looks = |step: &Value| {
            step["effect"] == "observe" && step["action"]["do"] == "task" && step.get("proof_out").is_none()
        };
        if members.iter().all(looks) && dice.percent(60) {
            group["join"] = json!(1 + dice.below(members.len()));
        }
        groups.push(group);
        at = end;
    }
    groups
}

/// The same plan for the next point.
pub fn another(plan: &Plan) -> Plan {
    let mut next = plan.clone();
    let point = next.params["point"].as_u64().unwrap() + 1;
    next.params.insert("point".to_owned(), json!(point));
    let back_to = plan.steps.iter().find_map(|step| Some(step.commit.as_ref()?.another.as_ref()?.back_to.clone()));
    for step in next.steps.iter_mut().skip_while(|step| Some(&step.id) != back_to.as_ref()) {
        if let PlannedAction::Task(task) = &mut step.action {
            task.input.insert("point".to_owned(), json!(point));
        }
        if let Some(undo) = &mut step.undo {
            undo.input.insert("point".to_owned(), json!(point));
        }
    }
    next.digest = next.compute_digest();
    next
}

/// One of them may also be an operator.
pub const APPROVERS: [&str; 3] = ["grace", "linus", "bob"];

/// The key of an approver.
pub fn key(name: &str) -> SigningKey {
    let mut seed = [7; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::read(&SigningKey::file(name, &seed)).unwrap()
}

/// In some plans a step waits for the approval of one or two others.
fn two_persons(dice: &mut Dice, steps: &mut [Value]) {
    let step = dice.below(steps.len());
    if dice.percent(30) && steps[step]["action"]["do"] == "task" {
        let ttl = dice.pick(&[60, 600, 3600]);
        steps[step]["approve"] = json!({ "quorum": 1 + dice.below(2), "ttl": ttl, "loss": "an hour" });
    }
}

/// What a drill makes is removed at its end, the last made first, and looked for.
fn owe(dice: &mut Dice, steps: &mut Vec<Value>) {
    for index in (0..steps.len()).rev() {
        let made = &mut steps[index];
        let makes = made["action"]["do"] == "task" && (made["effect"] == "reversible" || made["effect"] == "costly");
        if !makes || dice.percent(30) {
            continue;
        }
        let id = made["id"].as_str().unwrap().to_owned();
        let task = |what: &str| json!({ "module": format!("world.{what}"), "input": { "step": id } });
        made["makes"] = json!({ "title": format!("thing {id}"), "remove": task("remove"), "probe": task("probe") });
        let last = |name: String, what: &str, effect: &str| {
            let mut action = task(what);
            action["do"] = json!("task");
            json!({
                "id": name, "title": name, "help": "", "action": action, "effect": effect, "confirm": "none",
                "phrase": null, "target": null, "identity": null, "timeout": 600, "retry": 0, "skip": "with-reason",
                "undo": null, "idempotent": true,
            })
        };
        let removal = last(format!("clean-up-{id}"), "remove", "reversible");
        let mut look = last(format!("gone-{id}"), "probe", "observe");
        look["clears"] = json!(id);
        steps.extend([removal, look]);
    }
}

/// Name of the proof that one step may hand to another.
pub const PROOF: &str = "receipt";

/// In some plans a step may not start without the proof of an earlier one.
fn hand_on(dice: &mut Dice, steps: &mut [Value]) {
    let from = dice.below(steps.len() - 1);
    let to = from + 1 + dice.below(steps.len() - from - 1);
    let tasks = [from, to].iter().all(|index| steps[*index]["action"]["do"] == "task");
    if !tasks || dice.percent(40) {
        return;
    }
    steps[from]["proof_out"] = json!(PROOF);
    steps[to]["proof_in"] = json!([PROOF]);
    if dice.percent(50) {
        steps[to]["declare"] = json!({ "loss": "an hour", "phrase": "lose an hour" });
    }
}

fn step(dice: &mut Dice, id: &str) -> Value {
    let effect = dice.pick(&[
        "observe",
        "reversible",
        "reversible",
        "reversible",
        "costly",
        "fence",
        "irreversible",
        "irreversible",
    ]);
    let human = dice.percent(18);
    let changes = effect != "observe";
    let confirm = match effect {
        "observe" => dice.pick(&["none", "none", "none", "key"]),
        "reversible" => dice.pick(&["none", "key", "phrase"]),
        "costly" => dice.pick(&["key", "phrase"]),
        _ => "phrase",
    };
    let idempotent = !changes || dice.percent(50);
    let retry = if idempotent && matches!(effect, "observe" | "reversible" | "costly") { dice.below(3) } else { 0 };
    let with_target = !human && changes && (confirm == "phrase" || dice.percent(20));
    let task = |what: &str| json!({ "module": format!("world.{what}"), "input": { "step": id } });
    let action = match (human, dice.below(3)) {
        (false, _) => json!({ "do": "task", "module": "world.run", "input": { "step": id } }),
        (true, 0) => json!({ "do": "attest", "prompt": "Do it" }),
        (true, 1) => json!({ "do": "question", "prompt": "Is it so?", "answer": "yes-no" }),
        (true, _) => json!({ "do": "question", "prompt": "How many?", "answer": "integer" }),
    };
    let mut seen = identity(id, 0);
    seen["read_at"] = json!(epoch());
    json!({
        "id": id, "title": format!("Step {id}"), "help": "", "action": action, "effect": effect,
        "confirm": if human { "none" } else { confirm },
        "phrase": (!human && confirm == "phrase").then_some("do {{ target.database }} {{ target.oid }}"),
        "target": with_target.then(|| task("identity")),
        "identity": with_target.then_some(seen),
        "timeout": 600, "retry": retry,
        "skip": dice.pick(&["forbidden", "with-reason"]),
        "undo": (!human && changes && dice.percent(55)).then(|| task("undo")),
        "idempotent": idempotent,
        "stop_if": (!human && dice.percent(20)).then(|| json!({
            "probes": [{ "title": "No room", "task": task("look") }], "every": 5,
        })),
        // What is counted anew is not repeated by itself.
        "limit": (!human && retry == 0 && dice.percent(25)).then(|| json!({ "objects": 10 })),
        "post": dice.percent(20).then(|| json!({
            "probes": [{ "title": "It stands", "task": task("look") }], "stable_for": 5, "within": 60,
        })),
    })
}
