//! What a drill makes is owed from before its making until a look, not a person's word, found it gone.

use crate::rig::{Rig, at, estate, modules, runbook};
use relight::event::{EventKind, Purpose};
use relight::model::task::Values;
use relight::runbook::definition::Drill;
use relight::runbook::engine::replay;
use relight::runbook::{Binding, MakesRow, Mode, Modules, Plan};
use serde_json::json;
use std::collections::BTreeMap;

/// A drill of the step `make` alone, with what clears it.
fn drill() -> Plan {
    let makes = MakesRow {
        what: "database".to_owned(),
        named_by: "name".to_owned(),
        remove: "test.unmake".to_owned(),
        probe: "test.look".to_owned(),
    };
    let known = modules();
    let rows = known.names().filter_map(|name| known.get(name).cloned()).map(|mut row| {
        row.makes = (row.name == "test.make").then(|| makes.clone());
        row
    });
    let modules: Modules = rows.collect();
    let mut runbook = runbook();
    runbook.drill = Some(Drill::default());
    runbook.steps.retain(|step| step.id.as_str() == "make");
    let params = relight::runbook::params::parse(&runbook, &Values::new(), &estate()).unwrap();
    let mut binding = Binding::new(&runbook, &modules, params, Mode::Drill, at(0)).unwrap();
    while binding.next_look().unwrap().is_some() {
        binding.answer([("seen".to_owned(), json!(1.1))].into_iter().collect());
    }
    binding.targets().unwrap();
    binding.plan(&estate(), &BTreeMap::new()).unwrap()
}

fn play(words: &[&str]) -> Rig {
    let mut rig = Rig::new(&drill());
    for line in words {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        rig.play(word, rest);
    }
    rig
}

#[test]
fn the_debt_is_on_disk_before_the_step_starts() {
    let rig = play(&["start", "arm", "yes"]);
    let place = |wanted: &dyn Fn(&EventKind) -> bool| rig.events.iter().position(|event| wanted(&event.kind)).unwrap();
    let owed = place(&|kind| matches!(kind, EventKind::DebtIncurred { .. }));
    let begun = place(&|kind| matches!(kind, EventKind::TaskIntended { purpose: Purpose::Run, .. }));
    assert_eq!(owed + 1, begun);
    assert!(rig.engine.state().debts[0].is_due());
}

#[test]
fn only_a_look_strikes_it_out() {
    let ids: Vec<String> = drill().steps.iter().map(|step| step.id.to_string()).collect();
    assert_eq!(ids, ["make", "clean-up-make", "gone-make"]);
    let gone = play(&["start", "arm", "yes", "done", "done", "done"]);
    assert!(gone.holds("!completed").is_ok() && gone.engine.state().debts.iter().all(|debt| !debt.is_due()));
    for word in ["skip later", "hand I saw it"] {
        let claimed = play(&["start", "arm", "yes", "done", "done", "fail", word]);
        assert!(claimed.holds("!completed-with-exceptions").is_ok(), "{word}");
        assert!(claimed.engine.state().debts[0].is_due(), "{word} clears nothing");
    }
}

#[test]
fn after_any_entry_the_run_is_taken_up_with_the_same_debts() {
    let whole = play(&["start", "arm", "yes", "done", "done", "done"]);
    for length in 2..whole.events.len() {
        let events = whole.events[..length].to_vec();
        let state = replay(&events).unwrap();
        let over = state.status.is_over();
        let mut rig = Rig::taken_up(events, state, whole.seconds);
        rig.send(&relight::runbook::Input::Recovered { pid: 9, version: "t".to_owned() });
        for _ in 0..40 {
            let state = rig.engine.state();
            let word = match (state.working.first(), &state.question) {
                _ if state.status.is_over() => break,
                (Some(working), _) if working.purpose == Purpose::Reconcile => "look not-done",
                (Some(_), _) => "done",
                (None, Some(_)) => "yes",
                (None, None) if state.started_at.is_none() => "start",
                (None, None) => break,
            };
            let word = if rig.holds("?arm").is_ok() { "arm" } else { word };
            let (word, rest) = word.split_once(' ').unwrap_or((word, ""));
            rig.play(word, rest);
        }
        let state = rig.engine.state();
        assert!(over || (state.status.is_over() && state.debts.len() == 1), "after {length}: {:?}", state.status);
        assert!(state.debts.iter().all(|debt| !debt.is_due()), "after {length}");
    }
}
