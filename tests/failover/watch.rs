//! A watch over a real pair: it opens one run when the primary is lost, none while it is only silent, and
//! promotes nothing.

use crate::line::Line;
use crate::pair::{ALPHA, BETA, Pair, signal};
use relight::runbook::{QuestionKind, RunState};
use relight::runner::runs;
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const WATCH: [&str; 4] = ["watch", "failover-postgres", "--set", "asset=app"];

/// The pair with a `[watch]` whose program leaves a file.
fn configured(pair: &Pair, extra: &str) -> PathBuf {
    let called = pair.path("shelf/called");
    let notify = ["sh", "-c", "printf '%s\\n' \"$1\" >> \"$0\"", called.to_str().unwrap(), "{asset} {server} {run}"];
    let text = std::fs::read_to_string(pair.home.config()).unwrap();
    let watch =
        format!("[watch]\nevery = \"1s\"\ntimes = 2\nnotify = {}\n{extra}", serde_json::to_string(&notify).unwrap());
    std::fs::write(pair.home.config(), format!("{watch}\n{text}")).unwrap();
    called
}

/// The newest run, as soon as it asks something.
fn asking(pair: &Pair) -> RunState {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let state = runs::list(&pair.home.state()).unwrap().remove(0).state.unwrap();
        if state.question.is_some() {
            return state;
        }
        assert!(Instant::now() < deadline, "{:?}", state.status);
        std::thread::yield_now();
    }
}

fn kept(pair: &Pair) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(pair.home.state().join("watch.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_lost_primary_opens_one_run_that_waits_for_its_operator() {
    let pair = Pair::start();
    let called = configured(&pair, "operator = \"ada\"\n");
    pair.streams(BETA);
    let mut line = Line::open(&pair.home, &WATCH);
    line.until("`alpha` is up: from here: up (answers as primary)");
    signal(pair.postmaster(ALPHA), Signal::KILL);
    pair.until_refused(ALPHA);
    line.until("`alpha` is down, look 2 in a row");
    line.until("`alpha` is lost: run ");
    line.until("told sh");
    let state = asking(&pair);
    let question = state.question.as_ref().unwrap();
    assert_eq!(question.step.as_str(), "schedules", "the first question is the operator's");
    assert!(matches!(question.kind, QuestionKind::Answer { .. }), "{question:?}");
    let offer = state.handover.as_ref().unwrap();
    assert_eq!((offer.to.as_str(), offer.next.as_str()), ("ada", "see that alpha is down"));
    assert!(state.armed.is_none() && pair.is_standby(BETA), "nothing was armed, nothing promoted");
    assert_eq!(std::fs::read_to_string(&called).unwrap(), format!("app alpha {}\n", state.id));

    // It goes on watching, and ends when it is told to.
    assert!(line.child.try_wait().unwrap().is_none());
    signal(line.child.id(), Signal::TERM);
    line.until("the watch has ended: told to end (SIGTERM)");
    assert_eq!(line.child.wait().unwrap().code(), Some(0));

    // Another watch over the same outage sees that the run is open.
    let mut other = Line::open(&pair.home, &WATCH);
    other.until(&format!("no run is opened: run {} of ", state.id));
    assert_eq!(runs::list(&pair.home.state()).unwrap().len(), 1);
    signal(other.child.id(), Signal::INT);
    assert_eq!(other.child.wait().unwrap().code(), Some(130));

    let mut report = Line::open(&pair.home, &["report", "latest"]);
    report.until("opened by relight watch: \\`alpha\\` was seen down in 2 looks in a row");
    assert!(report.text.contains("watch.jsonl"), "{}", report.text);
    let types: Vec<String> = kept(&pair).iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect();
    assert!(types.starts_with(&["began".to_owned(), "looked".to_owned()]), "{types:?}");
    assert_eq!(types.iter().filter(|kind| *kind == "opened").count(), 1, "{types:?}");

    // Whoever it is offered to takes it, from a console of their own.
    let mut line = Line::open(&pair.home, &["handover", "latest", "--take"]);
    line.until("see that alpha is down");
    line.say("See that alpha is down.");
    let (text, code) = line.finish();
    assert_eq!(code, Some(0), "{text}");

    // Its operator arms it and carries it out.
    let mut line = Line::open(&pair.home, &["attach", "latest"]);
    let asked = line.asked().unwrap();
    assert!(asked.text.contains("schedules"), "{}", asked.text);
    line.say("yes");
    let asked = line.asked().unwrap();
    assert!(asked.text.contains("Read-only: arm the run"), "{}", asked.text);
    line.say("arm the primary is dead");
    let (text, code) = line.finish();
    assert_eq!(code, Some(0), "{text}");
    assert!(!pair.is_standby(BETA));
}

#[test]
fn a_silent_primary_is_unknown_and_opens_nothing() {
    let pair = Pair::start();
    configured(&pair, "");
    pair.streams(BETA);
    let mut line = Line::open(&pair.home, &[&WATCH[..], &["--json"]].concat());
    line.until(r#""state":"up""#);
    for pid in pair.processes(ALPHA) {
        signal(pid, Signal::STOP);
    }
    line.until(r#""state":"unknown""#);
    assert!(line.text.contains("is paused") || line.text.contains("T (stopped)"), "{}", line.text);
    for pid in pair.processes(ALPHA) {
        signal(pid, Signal::CONT);
    }
    line.until(r#""state":"up""#);
    signal(line.child.id(), Signal::TERM);
    assert_eq!(line.child.wait().unwrap().code(), Some(0));
    assert_eq!(runs::list(&pair.home.state()).unwrap().len(), 0);
    assert!(kept(&pair).iter().all(|entry| entry["type"] != "opened"));
}

#[test]
fn a_host_of_the_estate_looks_too() {
    let pair = Pair::start();
    configured(&pair, "");
    let text = std::fs::read_to_string(pair.home.config()).unwrap();
    std::fs::write(
        pair.home.config(),
        text.replace("standby = \"beta\"\n", "standby = \"beta\"\nvantage = [\"box\"]\n"),
    )
    .unwrap();
    pair.streams(BETA);
    let mut line = Line::open(&pair.home, &[&WATCH[..], &["--once"]].concat());
    line.until("from host box: up (it answers there)");
    signal(pair.postmaster(ALPHA), Signal::KILL);
    pair.until_refused(ALPHA);
    line.until("from host box: down (refuses connections: nothing listens there)");
    line.until("the watch has ended: a run was opened");
    assert_eq!(line.child.wait().unwrap().code(), Some(2));
}

/// Every problem of a configuration, one after another.
fn problems(more: &str) -> String {
    let text = format!(
        "[estate]\nname = \"x\"\n[[stores]]\nid = \"s\"\ntype = \"local\"\npath = \"s\"\n[[assets]]\nid = \"a\"\nkind = \"other\"\n{more}"
    );
    relight::config::parse("relight.toml", &text, std::path::Path::new("/")).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_watch_or_with_traffic_is_told_with_its_place() {
    let text = problems(
        "[watch]\nevery = \"10ms\"\ntimes = 1\nnotify = [\"page\", \"{who}\"]\npromote_without_operator = true\n",
    );
    for said in [
        "`every` must lie between 1s and 1h\n  --> relight.toml:11:9",
        "one look alone proves nothing\n  --> relight.toml:12:9",
        "nothing stands for `{who}`\n  --> relight.toml:13:10",
        "[watch] has no key `promote_without_operator`\n  --> relight.toml:14:1",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let text = problems(
        "[[servers]]\nid = \"db1\"\nhost = \"h\"\nvantage = [\"nowhere\"]\n[servers.traffic]\ntype = \"dns\"\nserver = \"ns\"\n\
         zone = \"example.org\"\nname = \"db.example.com\"\nkey = \"k\"\nsecret = \"plain\"\naddresses = { db9 = \"1.2.3.4\" }\n",
    );
    for said in [
        "there is no host `nowhere`",
        "`name` must lie in `zone`\n  --> relight.toml:18:8",
        "the secret itself must not stand here",
        "there is no server `db9`\n  --> relight.toml:21:15",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    assert!(!text.contains("plain"), "{text}");
    let text = problems(
        "[[servers]]\nid = \"db1\"\nhost = \"h\"\n[servers.traffic]\ntype = \"pgbouncer\"\nhost = \"h\"\npath = \"/p\"\ncontent = \"{host}\"\nreload = [\"x\"]\n",
    );
    assert!(text.contains("`reload` has no place here: PgBouncer is told at its console"), "{text}");
    assert!(text.contains("[traffic] lacks `console`"), "{text}");
}
