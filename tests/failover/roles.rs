//! Planned and unplanned changes of roles, driven through the program, under a client that writes throughout.

use crate::client::{Writer, acknowledged, fall_behind_and_die, missing, phases};
use crate::line::Line;
use crate::pair::{ALPHA, BETA, Pair, signal};
use crate::sshd::Sshd;
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
    assert!(!text.contains(" lose "), "nothing is lost, and nothing to lose is typed: {text}");
    let receipt = &output(&pair, "fence")["proofs"]["fence-receipt"];
    assert_eq!(receipt["server"], "alpha");
}

#[test]
fn a_failover_loses_at_most_its_estimate_and_a_fresh_copy_brings_the_pair_back() {
    there_and_back(&Pair::start(), "fresh");
}

#[test]
fn after_a_failover_a_rewind_brings_the_pair_back() {
    there_and_back(&Pair::start(), "rewind");
}

#[test]
fn the_pair_changes_roles_and_back_where_one_half_is_reached_by_ssh() {
    let pair = Pair::start();
    let dir = pair.path("ssh");
    std::fs::create_dir(&dir).unwrap();
    let sshd = Sshd::start(&dir);
    let text = std::fs::read_to_string(pair.home.config()).unwrap();
    let alpha = format!("host = \"box\"\ndata_dir = \"{}\"", pair.path("alpha").display());
    assert!(text.contains(&alpha), "{text}");
    let run_as = text.lines().find(|line| line.starts_with("run_as")).unwrap();
    let far = format!(
        "[[hosts]]\nid = \"far\"\nvia = \"ssh\"\naddress = \"127.0.0.1\"\nport = {}\nkey = \"ssh/key\"\n\
         known_hosts = \"ssh/known_hosts\"\n{run_as}\n",
        sshd.port
    );
    let text = text.replace(&alpha, &alpha.replace("\"box\"", "\"far\"")).replacen(
        "[[servers]]",
        &format!("{far}[[servers]]"),
        1,
    );
    std::fs::write(pair.home.config(), text).unwrap();
    there_and_back(&pair, "fresh");
    for step in ["rejoin", "ready", "follow"] {
        assert!(!output(&pair, step).is_empty(), "{step}");
    }
    // Once more, in order: now the server that ssh reaches is stopped while it runs.
    carried_out(&pair, "switchover-postgres", &[]);
    assert!(pair.is_standby(ALPHA) && !pair.is_standby(BETA));
    pair.streams(ALPHA);
    assert_eq!(output(&pair, "fence")["proofs"]["fence-receipt"]["seen_on_host"], "far");
}

fn there_and_back(pair: &Pair, method: &str) {
    let writer = Writer::start(pair.ports);
    fall_behind_and_die(pair, &writer);

    let text = carried_out(pair, "failover-postgres", &[]);
    writer.more(BETA);
    let acks = writer.acks();
    assert_eq!(phases(&acks), [ALPHA, BETA]);
    let lost = missing(&pair.ledger(BETA), &acknowledged(&acks, ALPHA));
    let told = output(pair, "loss");
    let (estimate, bytes) = (told["commits_at_most"].as_u64().unwrap(), told["bytes_at_most"].as_u64().unwrap());
    assert!(told["seconds_at_most"].is_u64() && told["read_at"].is_string(), "{told:?}");
    let typed = format!(" lose {estimate} commits");
    let phrases = text.lines().filter_map(|line| line.strip_prefix("  phrase:"));
    let phrase = phrases.map(str::trim).find(|phrase| phrase.starts_with("promote beta ")).unwrap();
    let sentence = format!("lost:    at most {estimate} transactions");
    assert!(estimate > 0 && bytes > 0 && phrase.ends_with(&typed), "{typed}: {phrase}");
    assert!(text.contains(&sentence) && text.contains("looked at "), "{sentence}: {text}");
    assert!(!lost.is_empty(), "what the standby never received is gone");
    assert!(lost.len() as u64 <= estimate, "{} lost, {estimate} estimated", lost.len());

    carried_out(pair, "failback-postgres", &["--set", &format!("method={method}")]);
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
    let asked = line.go_on_to("(step 4 of").expect("the fence asks");
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
    let phrase = asked.phrase.as_deref().unwrap();
    assert!(phrase.starts_with("promote beta ") && phrase.contains(" lose "), "{}", asked.text);
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
    let asked = line.go_on_to("(step 4 of").expect("the fence asks");
    assert!(line.text.contains("whether its process runs: its host gave no answer"), "{}", line.text);
    line.say(asked.phrase.as_deref().unwrap());
    let asked = line.asked().expect("the fence is unknown");
    assert!(line.text.contains("host `box` cannot be reached"), "{}", line.text);
    assert!(asked.answers.contains("look") && !asked.answers.contains("yes"), "{}", asked.answers);
    assert!(pair.is_standby(BETA), "a refused connection from here is no fence");
}

#[test]
fn where_the_estate_asks_for_a_second_person_the_loss_is_approved() {
    let pair = Pair::start();
    let key = pair.path("grace.key").display().to_string();
    let made = Line::open(&pair.home, &["approver", "new", "--key", &key, "--name", "grace"]).finish().0;
    let entry = made.split_once("[[approvers]]").unwrap().1;
    let text = std::fs::read_to_string(pair.home.config()).unwrap();
    let text = text.replace("name = \"pair\"", "name = \"pair\"\nquorum = 1");
    std::fs::write(pair.home.config(), format!("{text}\n[[approvers]]{entry}\n")).unwrap();
    let writer = Writer::start(pair.ports);
    fall_behind_and_die(&pair, &writer);
    let mut line = Line::open(&pair.home, &arguments("failover-postgres", &[]));
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to("needs the approval of another person").unwrap_or_else(|| panic!("{}", line.text));
    let told = output(&pair, "loss");
    let loses = format!("it loses {}", told["estimate"].as_str().unwrap());
    assert!(asked.text.contains(&loses), "{loses}: {}", asked.text);
    assert!(pair.is_standby(BETA), "nothing was promoted yet");
    let mut other = Line::open(&pair.home, &["approve", "latest", "--key", &key]);
    other.say("yes");
    let (text, code) = other.finish();
    assert!(code == Some(0) && text.contains("approved by grace") && text.contains(&loses), "{text}");
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{code:?} {text}");
    assert!(!pair.is_standby(BETA));
    writer.more(BETA);
    writer.stop();
}
