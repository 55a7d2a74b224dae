//! `relight demo --serve` as other commands meet it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");

struct Serving {
    child: Child,
    said: Value,
}

impl Serving {
    fn start(more: &[&str]) -> Self {
        let mut child = Command::new(RELIGHT)
            .args(["demo", "--serve", "--json"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut text = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        Self { child, said: serde_json::from_str(&text).expect("one document") }
    }

    fn text(&self, key: &str) -> String {
        self.said[key].as_str().unwrap().to_owned()
    }

    /// The verdict and the exit code of `relight health --json`.
    fn health(&self) -> (Value, Option<i32>) {
        let call = Command::new(RELIGHT)
            .args(["--config", &self.text("config"), "--state", &self.text("state"), "health", "--json"])
            .output()
            .unwrap();
        (serde_json::from_slice(&call.stdout).expect("a document"), call.status.code())
    }

    fn stop(&mut self) -> Option<i32> {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "it does not end");
            std::thread::yield_now();
        }
    }
}

fn rules(document: &Value, asset: &str) -> Vec<String> {
    let assets = document["assets"].as_array().unwrap();
    let asset = assets.iter().find(|row| row["id"] == asset).unwrap();
    asset["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn health_names_the_rule_of_every_planted_problem_and_exits_2() {
    let mut serving = Serving::start(&[]);
    let (document, code) = serving.health();
    assert_eq!((code, document["verdict"].as_str()), (Some(2), Some("critical")));
    for asset in relight::demo::assets::ALL {
        match asset.trouble {
            Some(rule) => assert!(rules(&document, asset.id).iter().any(|found| found == rule), "{}", asset.id),
            None => assert_eq!(rules(&document, asset.id), [""; 0], "{}", asset.id),
        }
    }
    let folder = serving.text("folder");
    assert_eq!(serving.stop(), Some(0));
    assert!(!Path::new(&folder).exists());
}

#[test]
fn a_clean_estate_exits_0_and_without_its_object_store_3() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("sandbox");
    let mut serving = Serving::start(&["--clean", "--dir", kept.to_str().unwrap()]);
    let (document, code) = serving.health();
    assert_eq!(code, Some(0), "{document:#}");
    assert_eq!(serving.stop(), Some(0));

    let (document, code) = serving.health();
    assert_eq!((code, document["verdict"].as_str()), (Some(3), Some("unknown")));
    let assets = document["assets"].as_array().unwrap();
    assert!(assets.iter().all(|asset| asset["verdict"] == "unknown"), "all of them lie in the lost store too");
    assert!(assets.iter().all(|asset| !asset["newest"].is_null()), "what was known stays known");
}
