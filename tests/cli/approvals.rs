//! A second person through the program: keys, codes, the control socket, and what is refused.

use super::estate::CONFIG;
use super::program::{Sandbox, json, stdout};
use std::time::Duration;

const RISKY: &str = r#"
id = "risky"
title = "Do something that two people answer for"
kind = "checklist"

[[steps]]
id = "space"
title = "Room for the work"
use = "disk.space"
with = { path = "/", need_bytes = "1000" }
approve = { quorum = 1, ttl = "30m", loss = "five minutes of orders" }
"#;

pub fn said(sandbox: &Sandbox, arguments: &[&str], input: &str) -> (String, i32) {
    let output = sandbox.relight(arguments).write_stdin(input).timeout(Duration::from_mins(2)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (text, output.status.code().unwrap_or(-1))
}

/// A sandbox whose approvers are grace, and the user that runs this test.
pub fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let me = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let me = me.trim().to_owned();
    let mut entries = String::new();
    for name in ["grace", &me] {
        let text = stdout(&mut sandbox.relight(&["approver", "new", "--key", &format!("{name}.key"), "--name", name]));
        entries += &format!("[[approvers]]{}\n", text.split_once("[[approvers]]").unwrap().1);
    }
    sandbox.write("relight.toml", format!("{CONFIG}\n{entries}\n[runbooks]\ndirs = [\"books\"]\n"));
    sandbox.write("backups/.keep", "");
    sandbox.write("books/risky.toml", RISKY);
    (sandbox, me)
}

fn code_of(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.contains("CODE is"));
    lines.nth(1).unwrap().trim().to_owned()
}

#[test]
fn a_code_is_signed_offline_and_counts_once() {
    let (sandbox, me) = sandbox();
    let (text, code) = said(&sandbox, &["run", "risky"], "yes\n");
    assert!(code == 3 && text.contains("needs the approval of another person"), "{text}");
    assert!(text.contains("| loss: five minutes of orders") && text.contains("| step: space"), "{text}");
    let request = code_of(&text);
    // Another device: no configuration, no state.
    let away = Sandbox::new();
    away.write("grace.key", std::fs::read_to_string(sandbox.path().join("grace.key")).unwrap());
    let arguments = ["approve", &request, "--key", "grace.key"];
    let (open, code) = said(&away, &arguments, "yes\n");
    assert!(code == 64 && open.contains("can be read by others"), "{open}");
    std::process::Command::new("chmod").args(["600", "grace.key"]).current_dir(away.path()).status().unwrap();
    let (no, code) = said(&away, &arguments, "y\n");
    assert!(code == 64 && no.contains("nothing was signed"), "{no}");
    let (signed, code) = said(&away, &arguments, "yes\n");
    assert!(code == 0 && signed.contains("loss: five minutes of orders"), "{signed}");
    let answer = signed.lines().find(|line| line.starts_with("approve grace ")).unwrap();
    let mut wrong = request.clone();
    wrong.replace_range(20..21, if &request[20..21] == "7" { "8" } else { "7" });
    let (told, code) = said(&away, &["approve", &wrong, "--key", "grace.key"], "yes\n");
    assert!(code == 64 && told.contains("the code cannot be read"), "{told}");

    let (told, code) = said(&sandbox, &["approve", "latest", "--key", &format!("{me}.key")], "yes\n");
    assert!(code == 2 && told.contains("nobody approves their own work"), "{told}");
    let (told, code) = said(&sandbox, &["attach", "latest"], &format!("{answer}\n"));
    assert!(code == 0 && told.contains("approved by grace") && told.contains(": COMPLETED"), "{told}");

    // The same signature in another run of the same runbook.
    let (text, _) = said(&sandbox, &["run", "risky"], &format!("yes\n{answer}\n"));
    assert!(text.contains("refused") && text.contains("is not one of grace over this request"), "{text}");
}

#[test]
fn a_second_terminal_approves_through_the_socket_and_the_journal_holds_the_signature() {
    let (sandbox, _) = sandbox();
    let (_, code) = said(&sandbox, &["run", "risky"], "yes\n");
    assert_eq!(code, 3);
    let (told, code) = said(&sandbox, &["approve", "latest", "--key", "grace.key"], "yes\n");
    assert!(code == 0 && told.contains("approved by grace"), "{told}");
    let (told, code) = said(&sandbox, &["attach", "latest"], "");
    assert!(code == 0 && told.contains(": COMPLETED"), "{told}");
    let (told, code) = said(&sandbox, &["approve", "latest", "--key", "grace.key"], "yes\n");
    assert!(code != 0 && !told.contains("approved by"), "{told}");
    let events = stdout(&mut sandbox.relight(&["journal", "export", "latest"]));
    assert!(events.contains("\"type\":\"approval-given\"") && events.contains("\"approver\":\"grace\""), "{events}");
    let document = json(&sandbox.relight(&["report", "latest", "--json"]).assert().code(0));
    assert_eq!(document["plan"]["approvers"][0]["name"], "grace");
}

#[test]
fn keys_and_approvers_are_checked_where_they_are_written() {
    let (sandbox, _) = sandbox();
    let (told, code) = said(&sandbox, &["approver", "new", "--key", "grace.key", "--name", "grace"], "");
    assert!(code == 64 && told.contains("cannot be made"), "a key was written over: {told}");
    sandbox.write("relight.toml", format!("{CONFIG}\n[[approvers]]\nname = \"x\"\npublic_key = \"AAAA\"\n"));
    let (told, code) = said(&sandbox, &["config", "check"], "");
    assert!(code == 78 && told.contains("must be an Ed25519 public key"), "{told}");
    sandbox.write("relight.toml", format!("{CONFIG}\n[runbooks]\ndirs = [\"books\"]\n"));
    let (told, code) = said(&sandbox, &["plan", "risky"], "");
    assert!(code != 0 && told.contains("needs 1 approval(s), and the configuration names 0"), "{told}");
}

#[test]
fn a_bundle_verifies_with_openssl_alone_and_a_changed_byte_is_found() {
    let (sandbox, _) = sandbox();
    said(&sandbox, &["run", "risky"], "yes\n");
    said(&sandbox, &["approve", "latest", "--key", "grace.key"], "yes\n");
    let (told, code) = said(&sandbox, &["attach", "latest"], "");
    assert_eq!(code, 0, "{told}");
    let (told, code) = said(&sandbox, &["report", "latest", "--bundle", "bundle", "--key", "grace.key"], "");
    assert!(code == 0 && told.contains("signed by grace"), "{told}");
    let how = std::fs::read_to_string(sandbox.path().join("bundle/VERIFY.md")).unwrap();
    let commands: Vec<&str> = how.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(commands.len(), 4);
    let run = |script: &str| {
        let script = format!("set -e\n{script}");
        std::process::Command::new("bash")
            .args(["-c", &script])
            .current_dir(sandbox.path().join("bundle"))
            .output()
            .unwrap()
    };
    for command in &commands {
        let output = run(command);
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let chain = String::from_utf8(run(commands[3]).stdout).unwrap();
    assert!(chain.contains("the chain holds") && !chain.contains("broken"), "{chain}");
    let sums = sandbox.path().join("bundle/SHA256SUMS");
    let text = std::fs::read_to_string(&sums).unwrap();
    std::fs::write(&sums, text.replacen('a', "b", 1)).unwrap();
    assert!(!run(commands[0]).status.success() && !run(commands[1]).status.success());
    let (told, code) = said(&sandbox, &["report", "latest", "--bundle", "bundle.tar", "--key", "grace.key"], "");
    assert!(code == 0 && sandbox.path().join("bundle.tar").exists(), "{told}");
}
