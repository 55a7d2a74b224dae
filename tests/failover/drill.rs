//! Drills of a failover: the real runbook on a pair of its own, made of production's standby. Production is as it
//! was, and nothing is left.

use crate::killed::walked;
use crate::line::Line;
use crate::pair::{ALPHA, BETA, Pair, SCRATCH, signal};
use crate::roles::{arguments, output};
use relight::runner::runs;
use rustix::process::Signal;
use serde_json::Value;

const DRILL: [&str; 2] = ["--mode", "drill"];

/// Everything of production that a drill must leave as it is.
fn picture(pair: &Pair) -> String {
    let catalog = "SELECT string_agg(oid || ' ' || datname, ',' ORDER BY oid) FROM pg_database";
    let content = "SELECT count(*) || ' ' || coalesce(sum(n), 0) FROM ledger";
    // The very sender that served the standby before: its line was never cut.
    let line = "SELECT string_agg(pid || ' ' || state || ' ' || usename, ',') FROM pg_stat_replication";
    let timeline = "SELECT timeline_id FROM pg_control_checkpoint()";
    let mut told: Vec<String> = [catalog, line, timeline].iter().map(|sql| pair.sql(ALPHA, "postgres", sql)).collect();
    told.extend([ALPHA, BETA].map(|which| format!("{} {}", pair.sql(which, "app", content), pair.postmaster(which))));
    told.push(format!("{} {}", pair.is_standby(ALPHA), pair.is_standby(BETA)));
    told.push(format!("{} {}", pair.path("pooler.ini").exists(), pair.path("told").exists()));
    told.join("\n")
}

fn ready() -> Pair {
    let pair = Pair::start();
    pair.sql(ALPHA, "app", "INSERT INTO ledger (n) SELECT generate_series(1, 1000)");
    pair.sql(ALPHA, "postgres", "CHECKPOINT");
    pair.streams(BETA);
    let end = pair.position(ALPHA);
    pair.until(BETA, &format!("SELECT pg_last_wal_replay_lsn() >= '{end}'"));
    pair
}

fn nothing_is_left(pair: &Pair) {
    let run = runs::list(&pair.home.state()).unwrap().remove(0);
    let state = run.state.unwrap();
    assert!(state.debts.len() == 3 && state.debts.iter().all(|debt| !debt.is_due()), "{:?}", state.debts);
    assert_eq!(std::fs::read_dir(pair.path("drill")).unwrap().count(), 0, "the drill's folder is empty");
    for which in SCRATCH {
        pair.until_refused(which);
    }
    relight::journal::verify(&run.folder.path).unwrap();
}

#[test]
fn a_drill_of_a_failover_works_on_a_copy_and_leaves_production_as_it_was() {
    let pair = ready();
    let (before, from) = (picture(&pair), pair.position(ALPHA));
    let mut line = Line::open(&pair.home, &arguments("failover-postgres", &DRILL));
    line.until("Start this plan?");
    assert!(line.text.contains("mode DRILL"), "{}", line.text);
    line.say("yes");
    let asked = line.go_on_to("Lose scratch-a").expect("the disaster is asked for");
    let [first, second] = SCRATCH;
    assert!(!pair.is_standby(first) && pair.is_standby(second), "{}", asked.text);
    assert_eq!(pair.sql(second, "app", "SELECT count(*) FROM ledger"), "1000");
    for which in SCRATCH {
        let apart = "SELECT current_setting('archive_mode') || current_setting('cluster_name')";
        assert_eq!(pair.sql(which, "postgres", apart), "offrelight_drill");
    }
    let timeline = |which| pair.sql(which, "postgres", "SELECT timeline_id FROM pg_control_checkpoint()");
    assert_ne!(timeline(first), timeline(ALPHA), "its history is its own");
    // Production takes a failover of its own while the drill waits: neither holds the other's lock.
    let scope = runs::list(&pair.home.state()).unwrap().remove(0).state.unwrap().plan.lock_scope.clone();
    assert!(scope.iter().all(|name| name.starts_with("postgresql drill on scratch-a")), "{scope:?}");
    line.say("yes");
    let asked = line.go_on_to("Point clients at scratch-b").or_else(|| panic!("{}", line.text)).unwrap();
    assert!(!pair.is_standby(second), "it was promoted");
    line.say(asked.phrase.as_deref().unwrap_or("yes"));
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{code:?} {text}");

    assert_eq!(picture(&pair), before, "{text}");
    assert_eq!(pair.written(ALPHA, &from), [""; 0], "production's log holds nothing of the drill");
    nothing_is_left(&pair);
    assert_eq!(output(&pair, "loss")["seconds_at_most"], 0);
    assert_eq!(output(&pair, "fence")["proofs"]["fence-receipt"]["server"], "scratch-a");
    let report = Line::open(&pair.home, &["report", "latest"]).finish().0;
    for words in ["Measured recovery time", "RTO 1h 00m: met", "RPO 5m 00s: met", "preparing, not counted", "seen gone"]
    {
        assert!(report.contains(words), "{words}: {report}");
    }
    let run = Line::open(&pair.home, &["--json", "report", "latest"]).finish().0;
    let run: Value = serde_json::from_str(&run).unwrap();
    let measured = &run["measured"];
    let phase = |id: &str| measured["phases"].as_array().unwrap().iter().find(|phase| phase["step"] == id).unwrap();
    assert!(
        phase("promote")["machine_seconds"].as_f64().unwrap() > 0.0 && phase("lose")["prepares"] == true,
        "{measured}"
    );
    assert!(
        measured["rto_met"] == true && measured["rpo_met"] == true && measured["loss_seconds"] == 0.0,
        "{measured}"
    );
}

#[test]
fn a_drill_whose_runner_is_killed_at_every_turn_leaves_production_as_it_was() {
    let pair = ready();
    let (before, from) = (picture(&pair), pair.position(ALPHA));
    walked(&pair, "failover-postgres", &DRILL);
    assert_eq!(picture(&pair), before);
    assert_eq!(pair.written(ALPHA, &from), [""; 0], "production's log holds nothing of the drill");
    nothing_is_left(&pair);
}

#[test]
fn a_drill_whose_pair_is_production_is_refused() {
    let pair = ready();
    let configured = std::fs::read_to_string(pair.home.config()).unwrap();
    let refused = |from: &str, to: &str| {
        assert!(configured.contains(from), "{from}");
        std::fs::write(pair.home.config(), configured.replace(from, to)).unwrap();
        let line = Line::open(&pair.home, &["plan", "failover-postgres", "--set", "asset=app", "--mode", "drill"]);
        let (text, code) = line.finish();
        assert_ne!(code, Some(0), "{text}");
        text
    };
    let is = |text: &str, words: &str| assert!(text.contains(words), "{words}: {text}");
    is(&refused("pair = \"scratch-a\"", "pair = \"alpha\""), "be a server for drills alone");
    is(&refused("drill = { pair = \"scratch-a\" }", "drill = { database = \"x\" }"), "no pair of servers for drills");
    // The other half of the live pair, as the other half for drills.
    is(&refused("standby = \"scratch-b\"", "standby = \"beta\""), "server `beta` is production");
    let data = pair.path("drill/scratch-a").display().to_string();
    is(&refused(&data, &pair.path("alpha").display().to_string()), "is there already");
    // Another name that leads into the live folder.
    std::os::unix::fs::symlink(pair.path("alpha"), pair.path("alias")).unwrap();
    is(&refused(&data, &pair.path("alias/scratch").display().to_string()), "lies in that of server `alpha`");
    let own = |port: u16| format!("port = {port}\nuser");
    is(&refused(&own(pair.port(SCRATCH[0])), &own(pair.port(ALPHA))), "is not free");
    let file = pair.path("drill/pooler.ini").display().to_string();
    is(&refused(&file, &pair.path("pooler.ini").display().to_string()), "is that of server `alpha`");
    // Production is lost, and its address is free: it is still its own.
    signal(pair.postmaster(ALPHA), Signal::KILL);
    pair.until_refused(ALPHA);
    is(&refused(&own(pair.port(SCRATCH[0])), &own(pair.port(ALPHA))), "is the address of server `alpha`");
    assert_eq!(std::fs::read_dir(pair.path("drill")).unwrap().count(), 0, "nothing was begun");
}
