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

/// An application that is well once someone says so.
struct Application {
    url: String,
    well: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

impl Application {
    fn start() -> Self {
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
                let status = if is_well.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
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
    sandbox
}

#[test]
fn a_step_is_done_only_once_the_world_was_seen_to_be_as_it_must() {
    let (sandbox, application) = (sandbox(), Application::start());
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
    let (sandbox, application) = (sandbox(), Application::start());
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
