//! The live cluster lies dead, or what a recovery needs goes away while it works: nothing is lost, and it ends well once
//! that is back.

use crate::disks::Ballast;
use crate::instants::carried_out;
use crate::lab::{Lab, written};
use crate::line::{Asked, Line};
use crate::proxy::Fault;
use relight::runbook::state::RunStatus;
use relight::runner::runs;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_lies_dead_with_its_files_damaged_is_recovered() {
    let lab = Lab::build().await;
    let at = lab.commits[lab.base_at + 9] + 10;
    lab.crash("live");
    std::fs::remove_file(lab.path("live/global/pg_filenode.map")).unwrap();
    let text = carried_out(&lab, "plain", &written(at), &[]);
    assert_eq!(lab.count(), lab.committed_by(at), "{text}");

    lab.crash("live");
    std::fs::remove_file(lab.path("live/global/pg_control")).unwrap();
    let text = carried_out(&lab, "bucket", "latest", &["--set", "timeline=2"]);
    assert_eq!(lab.count(), lab.commits.len(), "{text}");
    assert!(text.contains("damaged to its control file"), "{text}");
    assert_eq!(lab.beside().len(), 2, "both old folders are kept");
}

/// A run of `recover-postgres` out of the bucket, somebody at it who tries again what failed.
struct Walk<'a> {
    lab: &'a Lab,
    line: Line,
}

impl<'a> Walk<'a> {
    fn begin(lab: &'a Lab, target: &str) -> Self {
        let target = format!("target={target}");
        let words =
            ["run", "recover-postgres", "--plain", "--arm", "data was lost", "--set", "asset=bucket", "--set", &target];
        let mut line = Line::open(&lab.home, &words);
        line.until("Start this plan?");
        line.say("yes");
        Self { lab, line }
    }

    /// The next question that is about a failure of `step`, whose reason has `word`.
    fn fails(&mut self, step: &str, word: &str) -> Asked {
        let asked = loop {
            let asked = self.line.asked().unwrap_or_else(|| panic!("{step} did not fail: {}", self.line.text));
            if asked.answers.contains("retry") || asked.answers.contains("look") {
                break asked;
            }
            self.line.say(asked.phrase.as_deref().unwrap_or("yes"));
        };
        assert!(asked.text.contains(step) && asked.text.contains(word), "{step}, {word}: {}", asked.text);
        assert_eq!(self.lab.count(), self.lab.commits.len(), "the live cluster goes on as it was");
        asked
    }

    fn again(&mut self, asked: &Asked) {
        self.line.say(if asked.answers.contains("retry") { "retry" } else { "look" });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_recovery_needs_goes_away_step_by_step() {
    let lab = Lab::on_a_small_disk("1500m").await;
    let at = lab.commits[lab.base_at + 9] + 10;
    let mut walk = Walk::begin(&lab, &written(at));
    walk.line.go_on_to("Unpack the base backup").unwrap();

    lab.proxy.next("GET", "base.tar.gz", 1, Fault::CutAfter(500_000));
    lab.proxy.always("GET", "base.tar.gz", Fault::Drop);
    walk.line.say("yes");
    let asked = walk.fails("Unpack the base backup", "bucket");
    lab.proxy.reset();

    let ballast = Ballast::on(&lab.path(""), 4 << 20);
    walk.again(&asked);
    let asked = walk.fails("Unpack the base backup", "No space left on device");
    drop(ballast);

    lab.proxy.always("GET", "wal/", Fault::slow_down());
    walk.again(&asked);
    let asked = walk.fails("Fetch the log", "SlowDown");
    lab.proxy.reset();

    let ballast = Ballast::on(&lab.path(""), 20 << 20);
    walk.again(&asked);
    let asked = walk.fails("Fetch the log", "No space left on device");
    drop(ballast);
    walk.again(&asked);

    // Recovered, and nothing exchanged: both servers die.
    let asked = walk.line.go_on_to("It commits").unwrap_or_else(|| panic!("{}", walk.line.text));
    let side = lab.beside().into_iter().find(|name| lab.path(name).join("postmaster.pid").exists()).unwrap();
    lab.crash(&side);
    lab.crash("live");
    walk.line.say(&asked.phrase.unwrap());
    for _ in 0..6 {
        let Some(asked) = walk.line.asked() else { break };
        let known = ["yes", "retry", "look"].into_iter().find(|word| asked.answers.contains(word));
        let drift = asked.answers.contains("accept").then_some("accept both were killed");
        let answer = asked.phrase.as_deref().or(drift).or(known);
        walk.line.say(answer.unwrap_or_else(|| panic!("{}", asked.text)));
    }
    let state = runs::list(&lab.home.state()).unwrap().remove(0).state.unwrap();
    let well = matches!(state.status, RunStatus::Completed | RunStatus::CompletedWithExceptions);
    assert!(well, "{}", walk.line.text);
    assert_eq!(lab.count(), lab.committed_by(at), "{}", walk.line.text);
    assert_eq!(lab.beside().len(), 1, "the old folder is kept, and nothing else");
}
