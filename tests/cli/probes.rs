//! What must hold after a step, looked at by the program itself.

use super::estate::CONFIG;
use super::program::{Sandbox, json, stdout};
use super::runs::{kill, newest, wait_for, with_input};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const BOOK: &str = r#"
id = "release"
title = "Release the gate"
kind = "checklist"
[params.url]
type = "text"
required = true
[params.within]
type = "duration"
default = "2s"
[[steps]]
id = "space"
title = "Room for the work"
use = "disk.space"
with = { path = "/", need_bytes = 1000 }
stable_for = "1s"
holds_within = "{{ param.within }}"
[[steps.post]]
title = "The application is well"
use = "http.health"
with = { url = "{{ param.url }}", within = "0s" }
[[steps.post]]
title = "Room stays"
use = "disk.space"
with = { path = "/", need_bytes = 1000 }
expect = { free_bytes = { at_least = "1kB" } }
"#;

const WAIT: &str = r#"
id = "wait"
title = "Wait for the application"
kind = "checklist"
[params.url]
type = "text"
[params.alarm]
type = "text"
[[steps]]
id = "well"
title = "The application is well"
use = "http.health"
with = { url = "{{ param.url }}", within = "10m" }
timeout = "15m"
watch_every = "1s"
[[steps.stop_if]]
title = "The alarm is raised"
use = "http.health"
with = { url = "{{ param.alarm }}", within = "0s" }
when = { status = 200 }
"#;

/// An application that is well once someone says so.
struct Application {
    url: String,
    well: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

impl Application {
    fn start(unwell: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/health", listener.local_addr().unwrap());
        let (well, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (is_well, count) = (Arc::clone(&well), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut head = [0; 4096];
                if stream.read(&mut head).is_err() {
                    continue;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let status = if is_well.load(Ordering::SeqCst) { "200 OK" } else { unwell };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                // Whoever asked may be gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, well, asked }
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("relight.toml", format!("{CONFIG}\n[runbooks]\ndirs = [\"books\"]\n"));
    sandbox.write("backups/.keep", "");
    sandbox.write("books/release.toml", BOOK);
    sandbox.write("books/wait.toml", WAIT);
    sandbox
}

#[test]
fn a_step_is_done_only_once_the_world_was_seen_to_be_as_it_must() {
    let (sandbox, application) = (sandbox(), Application::start("503 Service Unavailable"));
    let url = format!("url={}", application.url);
    let plan = stdout(&mut sandbox.relight(&["plan", "release", "--set", &url]));
    assert!(
        plan.contains("space is done only when this holds: “The application is well” (http.health ends well)"),
        "{plan}"
    );
    assert!(plan.contains("free_bytes is at least 1.00 kB) for 1s on end, within 2s"), "{plan}");

    let (text, code) = with_input(&sandbox, &["run", "release", "--set", &url], "yes\n");
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("looking whether what it did holds"), "{text}");
    assert!(text.contains("FAILED: it took effect, and that does not hold: The application is well: "), "{text}");
    assert!(text.contains("503") && text.contains("it did not hold for 1s on end within 2s"), "{text}");

    // The question stands, and is told again once the run is armed.
    let (text, code) = with_input(&sandbox, &["attach", "latest"], "arm to mend it\n");
    assert!(code == 3 && text.matches("answers: ").count() == 2, "{code} {text}");

    application.well.store(true, Ordering::SeqCst);
    let (text, code) = with_input(&sandbox, &["attach", "latest"], "look\n");
    assert!(code == 0 && text.contains(": COMPLETED"), "{code} {text}");
    let document = json(&sandbox.relight(&["report", "latest", "--json"]).assert().code(0));
    let held = document["steps"][0]["outcome"]["output"]["holds"].as_str().unwrap();
    assert!(held.contains("The application is well: it holds; Room stays: free_bytes is "), "{held}");
    let report = stdout(&mut sandbox.relight(&["report", "latest"]));
    assert!(report.contains("done only when this holds: "), "{report}");
}

#[test]
fn a_runner_killed_in_the_wait_is_followed_by_one_that_looks_again() {
    let (sandbox, application) = (sandbox(), Application::start("503 Service Unavailable"));
    let arguments = ["run", "release", "--set", &format!("url={}", application.url), "--set", "within=10m"];
    let (text, killed) = std::thread::scope(|scope| {
        let running = scope.spawn(|| with_input(&sandbox, &arguments, "yes\n"));
        wait_for("the first look", || application.asked.load(Ordering::SeqCst) > 0);
        let row = newest(&sandbox);
        kill(row["runner_pid"].as_u64().unwrap());
        (running.join().unwrap().0, row)
    });
    assert_eq!(killed["status"], "running", "{text}");
    wait_for("the free lock", || newest(&sandbox)["status"] == "runner lost");
    application.well.store(true, Ordering::SeqCst);
    let (text, code) = with_input(&sandbox, &["resume", "latest"], "");
    assert!(code == 0 && text.contains(": COMPLETED"), "{code} {text}");
    assert!(text.matches("looking whether what it did holds").count() >= 1, "{text}");
}

#[test]
fn a_condition_that_is_met_stops_the_work_and_asks() {
    let (sandbox, application) = (sandbox(), Application::start("503 Service Unavailable"));
    let alarm = Application::start("204 No Content");
    let (url, raised) = (format!("url={}", application.url), format!("alarm={}", alarm.url));
    let arguments = ["run", "wait", "--set", &url, "--set", &raised];
    let text = std::thread::scope(|scope| {
        let running = scope.spawn(|| with_input(&sandbox, &arguments, "yes\n"));
        wait_for("the work", || application.asked.load(Ordering::SeqCst) > 0);
        alarm.well.store(true, Ordering::SeqCst);
        running.join().unwrap().0
    });
    assert!(text.contains("STOPS: The alarm is raised: status is 200; it was told to stop"), "{text}");
    assert!(text.contains("FAILED: it was told to stop (The alarm is raised: status is 200)"), "{text}");
    assert_eq!(newest(&sandbox)["status"], "waiting for you", "{text}");
    // It is still raised: the work does not begin again.
    let (text, code) = with_input(&sandbox, &["attach", "latest"], "retry\nabort the alarm is raised\n");
    assert!(text.contains("it was not started, because of what would stop it: The alarm is raised"), "{text}");
    assert!(code == 2 && text.contains("ABORTED, CLEAN"), "{code} {text}");
    let report = stdout(&mut sandbox.relight(&["report", "latest"]));
    assert!(report.contains("stops on this: ") && report.contains("STOPS: "), "{report}");
}

#[test]
fn a_condition_that_cannot_be_looked_at_lets_nothing_begin() {
    let (sandbox, application) = (sandbox(), Application::start("503 Service Unavailable"));
    let url = format!("url={}", application.url);
    let arguments = ["run", "wait", "--set", &url, "--set", "alarm=http://127.0.0.1:1/"];
    let (text, _) = with_input(&sandbox, &arguments, "yes\n");
    assert!(text.contains("The alarm is raised cannot be looked at: "), "{text}");
    assert_eq!(application.asked.load(Ordering::SeqCst), 0, "the work did not begin");
}
