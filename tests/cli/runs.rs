//! Runs from the command line: answered on standard input, left, lost, resumed, told.

use super::estate::CONFIG;
use super::program::{Sandbox, json, stderr, stdout};
use serde_json::Value;
use std::process::{Child, ChildStdin, Stdio};
use std::time::{Duration, Instant};

const CHECK: &str = r#"
id = "check"
title = "Check this machine"
kind = "checklist"

[params.need]
title = "Bytes"
type = "integer"
min = 0
max = 1000000000000000000
default = "1000"

[[steps]]
id = "space"
title = "Room for the work"
use = "disk.space"
with = { path = "/", need_bytes = "{{ param.need }}" }
skip = "with-reason"

[[steps]]
id = "ready"
title = "Readiness"
ask = "Is the team in the call?"
answer = "yes-no"
skip = "with-reason"

[[steps]]
id = "call"
title = "Call the owner"
attest = "Call the owner, and write what they said."
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("relight.toml", format!("{CONFIG}\n[runbooks]\ndirs = [\"books\"]\n"));
    sandbox.write("backups/.keep", "");
    sandbox.write("books/check.toml", CHECK);
    sandbox
}

/// What `relight` prints when it reads `input` to its end, and how it ends.
pub fn with_input(sandbox: &Sandbox, arguments: &[&str], input: &str) -> (String, i32) {
    let output = sandbox.relight(arguments).write_stdin(input).timeout(Duration::from_mins(2)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (text, output.status.code().unwrap_or(-1))
}

/// The row of the newest run.
pub fn newest(sandbox: &Sandbox) -> Value {
    json(&sandbox.relight(&["runs", "--json"]).assert())["runs"][0].clone()
}

pub fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::yield_now();
    }
}

pub fn kill(pid: u64) {
    let status = std::process::Command::new("/bin/kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_plan_is_shown_whole_and_every_problem_is_named() {
    let sandbox = sandbox();
    let text = stdout(&mut sandbox.relight(&["plan", "check"]));
    for word in ["Check this machine", "mode REAL", "digest ", "need  1000", "Room for the work", "not needed"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let document = json(&sandbox.relight(&["plan", "check", "--mode", "dry-run", "--json"]).assert().code(0));
    assert_eq!((document["schema"].as_str(), document["mode"].as_str()), (Some("relight.plan/1"), Some("dry-run")));
    assert_eq!(document["digest"].as_str().unwrap().len(), 64);
    let wrong = ["plan", "check", "--set", "need=much", "--set", "colour=red"];
    let told = stderr(&mut sandbox.relight(&wrong));
    assert!(told.contains("no parameter `colour`") && told.contains("`much` is not a whole number"), "{told}");
    sandbox.relight(&wrong).assert().code(64);
    sandbox.relight(&["plan", "chek"]).assert().code(64);
    sandbox.relight(&["plan", "check", "--mode", "drill"]).assert().code(0);
    assert!(stdout(&mut sandbox.relight(&["runs"])).contains("no runs"), "planning makes no run");
}

#[test]
fn a_run_is_answered_on_lines_and_ends_with_a_verdict() {
    let sandbox = sandbox();
    let (text, code) = with_input(&sandbox, &["run", "check"], "yes\nyes\nby-hand she said go\n");
    assert_eq!(code, 0, "{text}");
    for word in ["Start this plan? yes/no", "Question 1", "free_bytes", "the run is over: completed", ": COMPLETED"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let row = newest(&sandbox);
    assert_eq!((row["status"].as_str(), row["over"].as_bool()), (Some("completed"), Some(true)));
    let (verdict, code) = with_input(&sandbox, &["attach", "latest"], "");
    assert!(code == 0 && verdict.contains(": COMPLETED"), "{verdict}");
}

#[test]
fn only_the_word_yes_starts_a_plan() {
    let sandbox = sandbox();
    for input in ["no\n", "y\n", ""] {
        let (text, code) = with_input(&sandbox, &["run", "check"], input);
        assert_eq!(code, 64, "{text}");
    }
    assert!(stdout(&mut sandbox.relight(&["runs"])).contains("no runs"));
}

#[test]
fn the_end_of_input_leaves_the_run_waiting_and_attach_finishes_it() {
    let sandbox = sandbox();
    let (text, code) = with_input(&sandbox, &["run", "check"], "yes\n");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("The run waits") && text.contains("relight attach "), "{text}");
    assert_eq!(newest(&sandbox)["status"], "waiting for you");
    let input = "perhaps\nskip\nskip nobody needed\nyes\nhe agreed\n";
    let (text, code) = with_input(&sandbox, &["attach", "latest"], input);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("refused: answer yes or no") && text.contains("a yes is no evidence"), "{text}");
    assert!(text.contains("exception: ready: skipped") && text.contains("COMPLETED WITH EXCEPTIONS"), "{text}");

    let report = stdout(&mut sandbox.relight(&["report", "latest"]));
    for word in
        ["# Check this machine", "“perhaps”", "refused: answer yes or no", "nobody needed", "he agreed", "free\\_bytes"]
    {
        assert!(report.contains(word) || report.contains(&word.replace('\\', "")), "{word}: {report}");
    }
    let document = json(&sandbox.relight(&["report", "latest", "--json"]).assert().code(0));
    assert_eq!(document["schema"], "relight.run/1");
    assert_eq!(document["exceptions"][0]["step"], "ready");
    assert_eq!(document["steps"][2]["state"], "done");
    assert_eq!(document["chain_head"]["entry"], document["events"]);
    let lines = stdout(&mut sandbox.relight(&["journal", "export", "latest"]));
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(document["events"], events.len());
    assert!(events.iter().all(|event| event["schema"] == "relight.event/1"));
}

#[test]
fn a_failed_step_is_told_with_its_evidence_and_the_run_can_be_aborted() {
    let sandbox = sandbox();
    let too_much = ["run", "check", "--set", "need=1000000000000000000"];
    let (text, code) = with_input(&sandbox, &too_much, "yes\nretry\nabort no room tonight\n");
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("FAILED: / has ") && text.contains("next: make room"), "{text}");
    assert!(text.contains("starts, attempt 2") && text.contains("ABORTED, CLEAN"), "{text}");
    assert!(text.contains("no room tonight"), "{text}");
}

#[test]
fn a_killed_runner_is_noticed_and_the_run_resumes_where_it_was() {
    let sandbox = sandbox();
    let (mut told, held) = following(&sandbox);
    wait_for("the question", || newest(&sandbox)["status"] == "waiting for you");
    kill(newest(&sandbox)["runner_pid"].as_u64().unwrap());
    let status = told.wait().unwrap();
    drop(held);
    assert_eq!(status.code(), Some(3));
    let text = std::fs::read_to_string(sandbox.path().join("told")).unwrap();
    assert!(text.contains("RUNNER LOST") && text.contains("relight resume "), "{text}");
    // The socket of a killed process closes before its lock is free.
    wait_for("the free lock", || newest(&sandbox)["status"] == "runner lost");
    let (text, code) = with_input(&sandbox, &["attach", "latest"], "");
    assert!(code == 3 && text.contains("relight resume "), "{text}");
    let (text, code) = with_input(&sandbox, &["resume", "latest"], "yes\nby-hand said go\n");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("a runner took the run up") && text.contains(": COMPLETED"), "{text}");
}

/// `relight run check`, started, with its standard input held open; it prints into the file `told`.
fn following(sandbox: &Sandbox) -> (Child, ChildStdin) {
    use std::io::Write as _;
    let out = std::fs::File::create(sandbox.path().join("told")).unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("relight"))
        .args(["run", "check"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", sandbox.path())
        .current_dir(sandbox.path())
        .stdin(Stdio::piped())
        .stdout(out)
        .spawn()
        .unwrap();
    // Waiting for a child closes the input that it still owns.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"yes\n").unwrap();
    (child, stdin)
}

#[test]
fn a_tampered_journal_is_named_with_file_and_line() {
    let sandbox = sandbox();
    let (_, code) = with_input(&sandbox, &["run", "check"], "yes\nyes\nby-hand she said go\n");
    assert_eq!(code, 0);
    let intact = stdout(&mut sandbox.relight(&["journal", "verify"]));
    assert!(intact.contains(": intact, "), "{intact}");
    let id = newest(&sandbox)["id"].as_str().unwrap().to_owned();
    let file = sandbox.path().join(".local/state/relight/runs").join(&id).join("journal.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("she said go", "she said no")).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("she said go")).unwrap();
    let told = stdout(&mut sandbox.relight(&["journal", "verify", &id]));
    assert!(told.contains("DAMAGED") && told.contains(&format!("journal.jsonl, line {line}: ")), "{told}");
    let document = json(&sandbox.relight(&["journal", "verify", "--json"]).assert().code(2));
    assert_eq!(document["runs"][0]["damage"][0]["line"], line);
    sandbox.relight(&["report", "latest"]).assert().code(2);
    assert_eq!(newest(&sandbox)["status"], "unreadable");
}

#[test]
fn a_run_is_handed_over_with_a_read_back_and_the_journal_keeps_it() {
    let sandbox = sandbox();
    with_input(&sandbox, &["run", "check"], "yes\n");
    let (text, code) = with_input(&sandbox, &["handover", "latest", "--take"], "");
    assert!(code == 0 && text.contains("No handover is offered"), "{text}");
    let next = "Ask the owner, then go on";
    let offer = ["handover", "latest", "--to", "grace", "--believed", "the disk is fine", "--next", next];
    let (text, code) = with_input(&sandbox, &offer, "");
    assert!(code == 0 && text.contains("offered to grace"), "{text}");
    let (text, code) = with_input(&sandbox, &["handover", "latest", "--take"], "go on\n");
    assert!(code == 64 && text.contains("not the next action"), "{text}");
    let (text, code) = with_input(&sandbox, &["handover", "latest", "--take"], "ask the owner then go on\n");
    assert!(code == 0 && text.contains("open:     Readiness: your turn"), "{text}");
    assert!(text.contains("believed: the disk is fine"), "{text}");
    let events = stdout(&mut sandbox.relight(&["journal", "export", "latest"]));
    assert!(events.contains("\"type\":\"handover-taken\"") && events.contains("ask the owner then go on"), "{events}");
    let (text, code) = with_input(&sandbox, &["attach", "latest"], "yes\nby-hand she said go\n");
    assert!(code == 0 && text.contains(": COMPLETED"), "{text}");
}
