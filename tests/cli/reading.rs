//! The commands that look and change nothing.

use super::estate::{EMPTY_ASSET, gzip, small};
use super::program::{Sandbox, json, stderr, stdout};
use serde_json::{Value, json};
use sha2::Digest as _;

const NEWEST: &str = "orders-full-20260102T020000Z";

#[test]
fn the_catalog_document_has_the_fields_of_its_schema() {
    let sandbox = small("");
    sandbox.write("backups/stray\u{1b}[2J.txt", "?");
    let document = json(&sandbox.relight(&["catalog", "--json"]).assert().code(0));
    assert_eq!(document["schema"], "relight.catalog/1");
    assert!(document["generated_at"].as_str().unwrap().ends_with('Z'));
    let backup = &document["backups"][0];
    assert_eq!(backup["id"], NEWEST);
    assert_eq!(backup["asset"], "orders");
    assert_eq!(backup["kind"], "full");
    assert_eq!(backup["taken_at"], "2026-01-02T02:00:00Z");
    for field in ["size_bytes", "complete", "encrypted", "chain", "proof", "labels"] {
        assert!(backup.get(field).is_some(), "{field} is absent");
    }
    let copy = &backup["copies"][0];
    assert_eq!(copy["store"], "disk");
    assert_eq!(copy["path"], "orders_20260102_020000.sql.gz");
    for field in ["size_bytes", "modified_at", "storage_class"] {
        assert!(copy.get(field).is_some(), "{field} is absent");
    }
    let store = &document["stores"][0];
    assert_eq!((&store["id"], &store["status"], &store["objects"]), (&json!("disk"), &json!("ok"), &json!(3)));
    assert_eq!(store["error"], Value::Null);
    assert_eq!(document["unrecognised"]["count"], 1);
    assert!(document["unrecognised"]["samples"][0].as_str().unwrap().contains("\\x1b[2J"));
}

#[test]
fn text_is_aligned_escaped_and_coloured_only_on_request() {
    let sandbox = small("");
    sandbox.write("backups/stray\u{1b}[2J.txt", "?");
    let plain = stdout(&mut sandbox.relight(&["catalog"]));
    assert!(plain.starts_with("BACKUP ") && plain.contains(NEWEST) && plain.contains("stray\\x1b[2J.txt"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let coloured = stdout(&mut sandbox.relight(&["catalog", "--color", "always"]));
    assert!(coloured.contains("\u{1b}[1m") && !coloured.contains("\u{1b}[2J"), "{coloured}");
    let forced = stdout(sandbox.relight(&["catalog", "--color", "always"]).env("NO_COLOR", "1"));
    assert_eq!(forced, coloured, "a flag outranks the environment");
}

#[test]
fn health_says_its_verdict_with_its_exit_code() {
    let sandbox = small(EMPTY_ASSET);
    let document = json(&sandbox.relight(&["health", "--json"]).assert().code(2));
    assert_eq!(document["schema"], "relight.health/1");
    assert_eq!(document["verdict"], "critical");
    let asset = &document["assets"][0];
    assert_eq!((&asset["id"], &asset["verdict"]), (&json!("uploads"), &json!("critical")));
    for field in ["age_seconds", "rpo_seconds", "newest", "window", "copies", "proof"] {
        assert!(asset.get(field).is_some(), "{field} is absent");
    }
    let finding = &asset["findings"][0];
    for field in ["rule", "severity", "message", "evidence", "remedy"] {
        assert!(finding.get(field).is_some(), "{field} is absent");
    }
    let text = stdout(&mut sandbox.relight(&["health"]));
    assert!(text.starts_with("small (test): critical"), "{text}");
    assert!(text.contains(finding["message"].as_str().unwrap()), "{text}");
}

#[test]
fn a_lost_store_is_unknown_and_what_it_held_stays_listed() {
    let sandbox = small("");
    sandbox.relight(&["catalog"]).assert().code(0);
    std::fs::rename(sandbox.path().join("backups"), sandbox.path().join("away")).unwrap();
    let document = json(&sandbox.relight(&["catalog", "--json"]).assert().code(3));
    assert_ne!(document["stores"][0]["status"], "ok");
    assert!(document["stores"][0]["error"].is_string());
    assert_eq!(document["backups"][0]["id"], NEWEST);
    sandbox.relight(&["health"]).assert().code(3);
}

#[test]
fn show_takes_an_id_its_beginning_and_latest() {
    let sandbox = small("");
    for text in [NEWEST, "orders-full-20260102", "latest"] {
        let document = json(&sandbox.relight(&["show", text, "--json"]).assert().code(0));
        assert_eq!(document["schema"], "relight.show/1");
        assert_eq!(document["backup"]["id"], NEWEST);
        assert_eq!(document["chain"], json!([NEWEST]));
    }
    let mut many = sandbox.relight(&["show", "orders-full-2026"]);
    many.assert().code(64);
    assert!(stderr(&mut many).contains("fits 2 backups"));
    sandbox.relight(&["show", "nothing"]).assert().code(64);
}

#[test]
fn a_window_has_its_ends_and_an_unknown_asset_its_nearest_name() {
    let sandbox = small(EMPTY_ASSET);
    let document = json(&sandbox.relight(&["window", "orders", "--json"]).assert().code(0));
    assert_eq!(document["schema"], "relight.window/1");
    assert_eq!(document["earliest"], "2026-01-01T02:00:00Z");
    assert_eq!(document["latest"], "2026-01-02T02:00:00Z");
    assert_eq!(document["holes"], json!([]));
    sandbox.relight(&["window", "uploads"]).assert().code(2);
    let mut wrong = sandbox.relight(&["window", "order"]);
    wrong.assert().code(64);
    assert!(stderr(&mut wrong).contains("did you mean `orders`?"));
}

#[test]
fn a_base_backup_that_was_stored_after_its_log_is_not_called_absent() {
    let sandbox = small(
        r#"
[[assets]]
id = "cluster"
kind = "postgresql"

  [[assets.sources]]
  store = "disk"
  match = "base/{time:%Y%m%d_%H%M%S}/"
  kind = "full"

  [[assets.sources]]
  store = "disk"
  match = "wal/*"
  kind = "log"
"#,
    );
    let log = "backups/wal/000000010000000000000002";
    sandbox.write(log, vec![7; 16 << 20]);
    let before = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    std::fs::File::options().write(true).open(sandbox.path().join(log)).unwrap().set_modified(before).unwrap();
    let mut none = sandbox.relight(&["window", "cluster"]);
    none.assert().code(2);
    assert!(stdout(&mut none).contains("no base backup that it continues"), "{}", stdout(&mut none));

    sandbox.write("backups/base/20260101_020000/base.tar.gz", gzip("not read for this"));
    let mut unsure = sandbox.relight(&["window", "cluster"]);
    unsure.assert().code(2);
    let text = stdout(&mut unsure);
    assert!(
        text.contains("nothing that is sure to be restorable") && text.contains("a base backup, not placed"),
        "{text}"
    );
    let document = json(&sandbox.relight(&["window", "cluster", "--json"]).assert().code(2));
    assert_eq!((&document["log_without_base"], &document["unplaced_bases"]), (&json!(true), &json!(1)));

    // One that tells its place, far from the log.
    let manifest = "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n],\n\"WAL-Ranges\": [\n\
        { \"Timeline\": 1, \"Start-LSN\": \"0/9000028\", \"End-LSN\": \"0/9000138\" }\n],\n";
    let sum = hex::encode(sha2::Sha256::digest(manifest));
    let manifest = format!("{manifest}\"Manifest-Checksum\": \"{sum}\"}}\n");
    sandbox.write("backups/base/20260101_020000/backup_manifest", manifest);
    let text = stdout(&mut sandbox.relight(&["window", "cluster"]));
    assert!(text.contains("no base backup that it continues"), "{text}");
}

#[test]
fn metrics_are_prometheus_text() {
    let sandbox = small(EMPTY_ASSET);
    let text = stdout(&mut sandbox.relight(&["metrics"]));
    assert!(text.contains("relight_asset_status{estate=\"small\",asset=\"uploads\"} 2\n"), "{text}");
    assert!(text.contains("relight_backups{estate=\"small\",asset=\"orders\"} 2\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(series.starts_with("relight_") && series.ends_with('}'), "{line}");
        value.parse::<f64>().unwrap();
    }
}

#[test]
fn doctor_looks_at_everything_and_says_what_to_do() {
    let sandbox = small("\n[[servers]]\nid = \"gone\"\nhost = \"127.0.0.1\"\nport = 1\n");
    let mut command = sandbox.relight(&["doctor", "--json"]);
    let document: Value = serde_json::from_str(&stdout(&mut command)).unwrap();
    assert_eq!(document["schema"], "relight.doctor/1");
    let checks = document["checks"].as_array().unwrap();
    let verdict = |subject: &str| &checks.iter().find(|check| check["subject"] == subject).unwrap()["verdict"];
    assert_eq!(verdict("configuration"), "ok");
    assert_eq!(verdict("state"), "ok");
    assert_eq!(verdict("store"), "ok");
    assert_eq!(verdict("server"), "unknown");
    assert_eq!(verdict("tool"), "ok", "the PostgreSQL client programs are needed: {checks:?}");
}

#[test]
fn wrong_calls_and_missing_configuration_have_their_own_codes() {
    let sandbox = Sandbox::new();
    sandbox.relight(&["--no-such-flag"]).assert().code(64);
    sandbox.relight(&["no-such-command"]).assert().code(64);
    sandbox.relight(&["--help"]).assert().code(0);
    sandbox.relight(&["--version"]).assert().code(0);
    let mut console = sandbox.relight(&[]);
    console.assert().code(64);
    assert!(stderr(&mut console).contains("needs a terminal"));
    let mut none = sandbox.relight(&["health"]);
    none.assert().code(78);
    let text = stderr(&mut none);
    assert!(text.contains("no configuration was found") && text.contains("relight demo"), "{text}");
    assert!(!text.to_lowercase().contains("backtrace"), "{text}");
}

#[test]
fn a_state_folder_that_others_can_read_is_refused() {
    let sandbox = small("");
    let state = sandbox.path().join("open");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut refused = sandbox.relight(&["health", "--state", state.to_str().unwrap()]);
    refused.assert().code(78);
    assert!(stderr(&mut refused).contains("chmod 700"));
}

#[test]
fn a_reader_that_leaves_early_ends_it_quietly() {
    let sandbox = small("");
    let program = assert_cmd::cargo::cargo_bin("relight");
    let mut child = std::process::Command::new(program)
        .args(["completions", "bash"])
        .current_dir(sandbox.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn completions_and_manual_pages_are_made_from_the_same_rows() {
    let sandbox = Sandbox::new();
    assert!(stdout(&mut sandbox.relight(&["completions", "bash"])).contains("doctor"));
    assert!(stdout(&mut sandbox.relight(&["man"])).contains(".TH relight 1"));
    assert!(stdout(&mut sandbox.relight(&["man", "health"])).contains("relight-health"));
    sandbox.relight(&["man", "helth"]).assert().code(64);
}
