//! Checklists as scripts meet them: measured items, answers of people, exit codes.

use super::estate::{EMPTY_ASSET, small};
use super::program::{json, stderr};
use serde_json::Value;

fn item<'a>(document: &'a Value, id: &str) -> &'a Value {
    document["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap()
}

#[test]
fn what_can_be_measured_is_measured_and_the_worst_item_is_the_exit_code() {
    let sandbox = small(EMPTY_ASSET);
    let document = json(&sandbox.relight(&["checklist", "daily", "--json"]).assert().code(2));
    assert_eq!(document["schema"], "relight.checklist/1");
    assert_eq!(document["verdict"], "critical");
    let fresh = item(&document, "fresh");
    assert_eq!((&fresh["verdict"], &fresh["checked_by"]), (&"critical".into(), &"measure".into()));
    assert!(fresh["answer"].as_str().unwrap().contains("uploads"));
    assert_eq!(item(&document, "stores-seen")["verdict"], "ok");
    assert_eq!(item(&document, "alerts")["verdict"], "warning", "nobody has answered yet");
}

#[test]
fn answers_are_kept_and_what_is_measured_cannot_be_answered() {
    let sandbox = small("");
    let mut ticked = sandbox.relight(&["checklist", "daily", "--passed", "fresh=looks good"]);
    assert!(stderr(&mut ticked).contains("nobody can tick it by hand"));
    ticked.assert().code(64);
    for empty in ["alerts", "alerts=", "alerts= "] {
        sandbox.relight(&["checklist", "daily", "--passed", empty]).assert().code(64);
    }
    sandbox.relight(&["checklist", "daily", "--failed", "alerts=pager \u{1b}[2J rings", "--json"]).assert().code(2);
    let passed = ["checklist", "daily", "--passed", "alerts=none open", "--json"];
    let document = json(&sandbox.relight(&passed).assert().code(0));
    let alerts = item(&document, "alerts");
    assert_eq!((&alerts["verdict"], &alerts["note"]["text"]), (&"ok".into(), &"none open".into()));
    assert!(alerts["note"]["by"]["name"].is_string());
    // The answer is there for the next call, and the one before it is not lost.
    let document = json(&sandbox.relight(&["checklist", "daily", "--json"]).assert().code(0));
    assert_eq!(item(&document, "alerts")["verdict"], "ok");
    let kept = std::fs::read_to_string(sandbox.path().join(".local/state/relight/checklist.jsonl")).unwrap();
    assert_eq!(kept.lines().count(), 2);
    // Another list has answers of its own.
    let weekly = json(&sandbox.relight(&["checklist", "weekly", "--json"]).assert().code(1));
    assert_eq!(item(&weekly, "test-restore")["note"], Value::Null);
}

#[test]
fn an_unseen_store_leaves_measured_items_unknown() {
    let sandbox = small("");
    std::fs::rename(sandbox.path().join("backups"), sandbox.path().join("gone")).unwrap();
    let document = json(&sandbox.relight(&["checklist", "daily", "--json"]).assert());
    for id in ["copied", "sizes", "stores-seen"] {
        assert_eq!(item(&document, id)["verdict"], "unknown", "{id}");
    }
}

#[test]
fn own_lists_replace_built_in_ones_and_an_unknown_name_is_a_wrong_call() {
    let sandbox = small("\n[checklists]\ndirs = [\"lists\"]\n");
    let own =
        "title = \"Ours\"\nperiod = \"week\"\n[[items]]\nid = \"logs\"\ntitle = \"Logs\"\nrules = [\"log-hole\"]\n";
    sandbox.write("lists/daily.toml", own);
    sandbox.write("lists/weekly.toml", own.replace("log-hole", "log-hoel"));
    let document = json(&sandbox.relight(&["checklist", "daily", "--json"]).assert().code(0));
    assert_eq!((&document["title"], &document["period"]), (&"Ours".into(), &"week".into()));
    let mut broken = sandbox.relight(&["checklist", "weekly"]);
    let text = stderr(&mut broken);
    assert!(text.contains("did you mean `log-hole`?") && text.contains("there is no checklist `weekly`"), "{text}");
    broken.assert().code(64);
}
