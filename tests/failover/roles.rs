//! Planned and unplanned changes of roles, driven through the program, under a client that writes throughout.

use crate::client::{Writer, acknowledged, missing, phases};
use crate::line::Line;
use crate::pair::{ALPHA, BETA, Pair, signal};
use relight::model::task::{TaskOutcome, Values};
use relight::runner::runs;
use rustix::process::Signal;

pub fn arguments<'a>(runbook: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments =
        vec!["run", runbook, "--set", "asset=app", "--set", "steady=1s", "--plain", "--arm", "the pair changes roles"];
    arguments.extend(more);
    arguments
}

/// A run to its end, with yes to everything.
pub fn carried_out(pair: &Pair, runbook: &str, more: &[&str]) -> String {
    let mut line = Line::open(&pair.home, &arguments(runbook, more));
    line.until("Start this plan?");
    line.say("yes");
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{code:?} {text}");
    text
}

/// What a step of the newest run returned.
pub fn output(pair: &Pair, step: &str) -> Values {
    let state = runs::list(&pair.home.state()).unwrap().remove(0).state.unwrap();
    match &state.step(&step.into()).unwrap().outcome {
        Some(TaskOutcome::Done { output }) => output.clone(),
        other => panic!("{step}: {other:?}"),
    }
}

#[test]
fn a_switchover_loses_nothing_and_never_lets_both_take_writes() {
    let pair = Pair::start();
    let writer = Writer::start(pair.ports);
    pair.streams(BETA);
    writer.more(ALPHA);
    let text = carried_out(&pair, "switchover-postgres", &[]);
    writer.more(BETA);
    let acks = writer.stop();
    assert_eq!(phases(&acks), [ALPHA, BETA], "one after the other");
    let all: Vec<u64> = acks.iter().map(|(n, _)| *n).collect();
    assert_eq!(missing(&pair.ledger(BETA), &all), [0; 0], "{text}");
    assert!(pair.is_standby(ALPHA) && !pair.is_standby(BETA));
    pair.streams(ALPHA);
    assert_eq!(pair.traffic(), format!("app = host=127.0.0.1 port={}\n", pair.ports[BETA]));
    assert!(pair.path("told").exists(), "the reader of the traffic file was told");
    let held = output(&pair, "traffic")["holds"].as_str().unwrap().to_owned();
    assert!(held.contains("beta answers as the primary: ") && held.contains("role is primary"), "{held}");
    let receipt = &output(&pair, "fence")["proofs"]["fence-receipt"];
    assert_eq!(receipt["server"], "alpha");
}

#[test]
fn a_failover_loses_at_most_its_estimate_and_a_fresh_copy_brings_the_pair_back() {
    there_and_back("fresh");
}

#[test]
fn after_a_failover_a_rewind_brings_the_pair_back() {
    there_and_back("rewind");
}

/// The primary is killed after it took writes that its standby never received.
pub fn fall_behind_and_die(pair: &Pair, writer: &Writer) {
    pair.streams(BETA);
    writer.more(ALPHA);
    let receiver: u32 = pair.sql(BETA, "postgres", "SELECT pid FROM pg_stat_wal_receiver").parse().unwrap();
    signal(receiver, Signal::STOP);
    writer.more(ALPHA);
    signal(pair.postmaster(ALPHA), Signal::KILL);
    pair.until_refused(ALPHA);
    signal(receiver, Signal::CONT);
}

fn there_and_back(method: &str) {
    let pair = Pair::start();
    let writer = Writer::start(pair.ports);
    fall_behind_and_die(&pair, &writer);

    carried_out(&pair, "failover-postgres", &[]);
    writer.more(BETA);
    let acks = writer.acks();
    assert_eq!(phases(&acks), [ALPHA, BETA]);
    let lost = missing(&pair.ledger(BETA), &acknowledged(&acks, ALPHA));
    let estimate = output(&pair, "loss")["commits_at_most"].as_u64().unwrap();
    assert!(lost.len() as u64 <= estimate, "{} lost, {estimate} estimated", lost.len());

    carried_out(&pair, "failback-postgres", &["--set", &format!("method={method}")]);
    writer.more(ALPHA);
    let acks = writer.stop();
    assert_eq!(phases(&acks), [ALPHA, BETA, ALPHA]);
    let since: Vec<u64> = acks.iter().skip_while(|(_, server)| *server == ALPHA).map(|(n, _)| *n).collect();
    assert_eq!(missing(&pair.ledger(ALPHA), &since), [0; 0], "nothing is lost on the way back");
    assert!(pair.is_standby(BETA) && !pair.is_standby(ALPHA));
    pair.streams(BETA);
    assert_eq!(pair.aside(), usize::from(method == "fresh"), "the old data folder is kept where it was not rewound");
}

#[test]
fn a_primary_that_still_answers_is_not_failed_over() {
    let pair = Pair::start();
    pair.streams(BETA);
    let mut line = Line::open(&pair.home, &arguments("failover-postgres", &[]));
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.asked().unwrap();
    assert!(asked.text.contains("answers as primary"), "{}", asked.text);
    assert!(pair.is_standby(BETA) && !pair.is_standby(ALPHA));
}

#[test]
fn a_paused_primary_is_unknown_and_nothing_is_promoted_over_it() {
    let pair = Pair::start();
    pair.streams(BETA);
    for pid in pair.processes(ALPHA) {
        signal(pid, Signal::STOP);
    }
    let mut line = Line::open(&pair.home, &arguments("failover-postgres", &[]));
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.asked().expect("nobody saw it down");
    assert!(asked.text.contains("could not tell: `alpha` was not seen down in 3 of 3 looks"), "{}", asked.text);
    assert!(line.text.contains("whether it is dead, paused, or only cut off"), "{}", line.text);
    line.say("skip its rack has no power, I was told");
    let asked = line.go_on_to("(step 3 of").expect("the fence asks");
    line.say(asked.phrase.as_deref().unwrap());
    let asked = line.asked().expect("the fence is unknown");
    assert!(line.text.contains("is paused, not stopped"), "{}", line.text);
    assert!(!asked.answers.contains("yes") && !asked.answers.contains("retry"), "{}", asked.answers);
    // Looking again helps nothing while it is paused; whoever says that they did it by hand gives no receipt.
    line.say("look");
    let asked = line.asked().unwrap();
    assert!(asked.answers.contains("by-hand"), "{}", asked.text);
    line.say("by-hand the power of its rack was cut, I was told");
    let asked = line.go_on_to("is not proven to be fenced").expect("the promotion asks for the receipt");
    assert!(asked.text.contains("fence-receipt"), "{}", asked.text);
    assert_eq!(asked.phrase.as_deref(), Some("promote beta without a fence and lose what alpha still takes"));
    assert!(pair.is_standby(BETA), "nothing was promoted");
    line.say("promote beta");
    line.until("refused: the phrase does not match");
    assert!(pair.is_standby(BETA), "{}", line.text);
    line.say(asked.phrase.as_deref().unwrap());
    let asked = line.asked().expect("the promotion has a phrase of its own");
    assert!(asked.phrase.as_deref().unwrap().starts_with("promote beta "), "{}", asked.text);
    line.say(asked.phrase.as_deref().unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(1) && text.contains("COMPLETED WITH EXCEPTIONS"), "{code:?} {text}");
    assert!(!pair.is_standby(BETA));
}

#[test]
fn a_host_that_cannot_be_reached_gives_no_fence() {
    let pair = Pair::start();
    pair.streams(BETA);
    signal(pair.postmaster(ALPHA), Signal::KILL);
    pair.until_refused(ALPHA);
    let text = std::fs::read_to_string(pair.home.config()).unwrap();
    // Nobody listens where the dead primary was: there is no sshd either.
    let far = format!("via = \"ssh\"\naddress = \"127.0.0.1\"\nport = {}", pair.ports[ALPHA]);
    std::fs::write(pair.home.config(), text.replace("via = \"local\"", &far)).unwrap();
    let mut line = Line::open(&pair.home, &arguments("failover-postgres", &[]));
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to("(step 3 of").expect("the fence asks");
    assert!(line.text.contains("whether its process runs: its host gave no answer"), "{}", line.text);
    line.say(asked.phrase.as_deref().unwrap());
    let asked = line.asked().expect("the fence is unknown");
    assert!(line.text.contains("host `box` cannot be reached"), "{}", line.text);
    assert!(asked.answers.contains("look") && !asked.answers.contains("yes"), "{}", asked.answers);
    assert!(pair.is_standby(BETA), "a refused connection from here is no fence");
}
