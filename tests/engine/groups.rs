//! Groups of steps: what works beside what, what waits, and when enough is done.

use crate::rig::{Rig, bound, follow, modules};
use crate::standing_still::{cut, lead_to_the_end};
use relight::event::EventKind;
use relight::model::task::CancelReason;
use relight::runbook::{Mode, Order, Plan, RunStatus, load};

const HEAD: &str =
    "id = \"test\"\ntitle = \"Test\"\nkind = \"restore\"\n[params.db]\ntype = \"text\"\ndefault = \"orders\"\n";

/// `GROUP: id key=value …` and `id module [group] [key=value …]`, one a line, as a runbook.
fn text(lines: &str) -> String {
    let mut text = HEAD.to_owned();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (table, line) = line.strip_prefix("GROUP: ").map_or(("steps", line), |rest| ("groups", rest));
        let mut words = line.split(' ');
        let id = words.next().unwrap();
        text += &format!("[[{table}]]\nid = \"{id}\"\ntitle = \"The {id}\"\n");
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or(("use", word));
            let plain = value.starts_with(['[', '{', '"']) || value.parse::<u32>().is_ok();
            text += &if plain { format!("{key} = {value}\n") } else { format!("{key} = \"{value}\"\n") };
        }
    }
    text
}

fn plan(lines: &str) -> Plan {
    let runbook = load::parse("test", "test.toml", &text(lines), &modules());
    bound(&runbook.map_err(|problems| problems.to_string()).unwrap(), Mode::Real, "orders")
}

fn refused(lines: &str) -> String {
    load::parse("test", "test.toml", &text(lines), &modules()).map(|_| ()).unwrap_err().to_string()
}

fn played(lines: &str, scenario: &str) -> Rig {
    let scenario = scenario.lines().map(str::trim).filter(|line| !line.is_empty());
    let rig = follow(&plan(lines), scenario);
    crate::promises::hold(&rig.events);
    rig
}

const TWO: &str = "GROUP: look parallel=2
    a test.look group=look
    b test.look group=look
    c test.look group=look
    after test.look";

#[test]
fn steps_of_a_group_work_beside_one_another_as_many_as_it_says() {
    let rig = played(
        TWO,
        "start       -> >run:a+run:b c=pending
        done @b      -> >run:a+run:c b=done
        done @a      -> >run:c after=pending
        done         -> >run:after
        done         -> !completed",
    );
    let order = rig.engine.state().plan.order_of(&rig.engine.state().plan.steps[0]);
    assert_eq!(order.unwrap(), "works beside others of “The look”, at most 2 at once");
}

#[test]
fn what_failed_is_asked_about_while_others_work_and_nothing_new_begins_before_the_answer() {
    played(
        TWO,
        "start        -> >run:a+run:b
        fail @a       -> ?failed >run:b !waiting
        done @b       -> ?failed >- b=done c=pending
        retry         -> >run:a+run:c
        done @a
        done @c       -> >run:after",
    );
}

#[test]
fn a_group_begins_once_those_that_it_needs_are_joined_and_others_do_not_hold_it_up() {
    const CHAINS: &str = "GROUP: left
        GROUP: right needs=[]
        GROUP: both needs=[\"left\",\"right\"] parallel=2
        l1 test.look group=left
        l2 test.look group=left
        r1 test.look group=right
        r2 test.look group=right
        b1 test.look group=both
        b2 test.look group=both";
    played(
        CHAINS,
        "start       -> >run:l1+run:r1
        done @r1     -> >run:l1+run:r2
        done @r2     -> >run:l1
        done @l1     -> >run:l2 b1=pending
        done @l2     -> >run:b1+run:b2
        done @b2
        done @b1     -> !completed",
    );
}

#[test]
fn enough_of_a_group_are_enough_and_what_still_works_is_told_to_stop() {
    const ANY: &str = "GROUP: points parallel=3 join=2
        a test.look group=points
        b test.look group=points
        c test.look group=points
        d test.look group=points
        after test.look";
    let rig = played(
        ANY,
        "start       -> >run:a+run:b+run:c d=pending
        fail @a      -> ?- >run:b+run:c+run:d a=failed
        done @b
        done @c      -> >run:after a=skipped d=not-run exceptions=1
        done @after  -> !completed-with-exceptions",
    );
    assert!(rig.orders.contains(&Order::CancelTask { step: "d".into(), reason: CancelReason::Condition }));
    // Too few are left to be enough: then a person is asked.
    played(
        ANY,
        "start
        fail @a      -> ?-
        fail @b      -> ?- >run:c+run:d
        fail @c      -> ?failed >run:d
        retry        -> >run:d+run:a
        done @a      -> >run:d
        done @d      -> >run:after b=skipped c=skipped",
    );
}

#[test]
fn what_a_person_confirms_by_phrase_works_alone() {
    const MIXED: &str = "GROUP: left
        GROUP: right needs=[]
        look test.look group=left
        swap test.swap group=right phrase=\"swap\" target={use=\"test.identity\"}
        again test.look group=right";
    played(
        MIXED,
        "start        -> >run:look
        arm           -> >run:look ?- swap=pending
        done          -> >identify-to-ask:swap
        identity orders -> ?phrase
        phrase        -> >identify-to-act:swap
        identity orders -> >run:swap
        done          -> >run:again",
    );
}

#[test]
fn a_key_is_asked_for_while_others_work() {
    const KEYS: &str = "GROUP: both parallel=2
        a test.fill group=both
        b test.fill group=both";
    let rig = played(
        KEYS,
        "start      -> ?arm
        arm         -> ?key >-
        yes         -> >run:a ?key
        yes         -> >run:a+run:b
        fail @a     -> ?failed >run:b
        abort       -> !aborting >run:b
        cancelled @b operator -> >reconcile:b a=failed
        look not-done -> !aborted-dirty leftovers=1",
    );
    assert!(rig.orders.contains(&Order::CancelTask { step: "b".into(), reason: CancelReason::Operator }));
}

#[test]
fn a_crash_after_any_event_loses_no_task_in_flight() {
    const MANY: &str = "GROUP: first parallel=2
        GROUP: second needs=[] parallel=2
        a test.fill group=first
        b test.look group=first
        c test.fill group=second
        d test.look group=second
        last test.look";
    let mut whole = Rig::new(&plan(MANY));
    lead_to_the_end(&mut whole);
    assert_eq!(whole.engine.state().status, RunStatus::Completed);
    crate::promises::hold(&whole.events);
    for count in 1..whole.events.len() {
        let mut rig = cut(&whole, count);
        let working: Vec<_> = rig.engine.state().working.iter().map(|w| w.step.clone()).collect();
        rig.play("crash", "");
        let cut_off = |e: &relight::event::Event| match &e.kind {
            EventKind::StepInterrupted { step, .. } => Some(step.clone()),
            _ => None,
        };
        let told: Vec<_> = rig.events[count..].iter().filter_map(cut_off).collect();
        assert_eq!(told, working, "after entry {count}");
        lead_to_the_end(&mut rig);
        assert_eq!(rig.engine.state().status, RunStatus::Completed, "after entry {count}");
        crate::promises::hold(&rig.events);
    }
}

#[test]
fn mistakes_in_groups_are_named() {
    let cases = [
        ("a test.look group=x", "there is no group `x`"),
        ("GROUP: g\na test.look", "no step belongs to the group `g`"),
        ("GROUP: g needs=[\"h\"]\na test.look group=g", "there is no earlier group `h`"),
        ("GROUP: g\na test.look group=g\nb test.look\nc test.look group=g", "do not stand together"),
        ("GROUP: g\nGROUP: h needs=[\"g\"]\na test.look group=h\nb test.look group=g", "come after its own"),
        ("GROUP: g join=3\na test.look group=g", "asks for more steps than it has (1)"),
        ("GROUP: g join=any\na test.fill group=g", "cannot be left out"),
        ("GROUP: g parallel=0\na test.look group=g", "between 1 and 16"),
        ("GROUP: g join=some\na test.look group=g", "\"any\""),
        ("GROUP: g parallel=2\na test.swap group=g phrase=\"swap\" target={use=\"test.identity\"}", "works alone"),
    ];
    for (lines, wanted) in cases {
        let told = refused(lines);
        assert!(told.contains(wanted), "{lines}: {told}");
    }
}
