//! A commit point through the program: recovered and not committed, overdue, led to another point, rolled back.

use crate::home::RELIGHT;
use crate::line::Line;
use crate::scene::Place;
use crate::shop::gzip;
use crate::uploads::{STEPS, SWAP, Uploads, archive};
use std::process::{Command, Output};

const BOOK: &str = include_str!("../../config/runbooks/restore-files.toml");
const OLDER: &str = "uploads-full-20260101T021500Z";

/// The estate with an older backup, and a runbook whose swap commits.
async fn estate() -> (Uploads, Vec<String>) {
    let uploads = Uploads::with(Place::Bucket).await;
    let older = uploads.path("older");
    std::fs::create_dir(&older).unwrap();
    std::fs::write(older.join("a.txt"), "as it was a day before").unwrap();
    uploads.s3.put("files/uploads_20260101_021500.tar.gz", &gzip(&archive(&older)));
    let swap = "confirm = \"phrase\"\nphrase = \"swap";
    let commits =
        "commit_point = true\ndecide_within = \"2s\"\nanother_point = { back_to = \"prove\", params = [\"backup\"] }\n";
    let book =
        BOOK.replace("id = \"restore-files\"", "id = \"restore-chosen\"").replace(swap, &format!("{commits}{swap}"));
    std::fs::create_dir(uploads.path("books")).unwrap();
    std::fs::write(uploads.path("books/restore-chosen.toml"), book).unwrap();
    uploads.reconfigure(|text| format!("{text}\n[runbooks]\ndirs = [\"books\"]\n"));
    (uploads, Uploads::picture(&older))
}

fn relight(uploads: &Uploads, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(RELIGHT);
    command.arg("--config").arg(uploads.config()).arg("--state").arg(uploads.state()).args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code().unwrap(), text)
}

/// Up to the question of the commit.
fn provisional(uploads: &Uploads) -> Line {
    let arguments = ["run", "restore-chosen", "--set", "asset=uploads", "--set", "backup=latest", "--plain"];
    let mut line = Line::open(uploads, &[&arguments[..], &["--arm", "files were overwritten"]].concat());
    line.until("swap commits: before it the run is provisional");
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to(&format!("(step {SWAP} of {STEPS})")).unwrap();
    assert!(asked.text.contains("It commits") && asked.text.contains("another-point"), "{}", asked.text);
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_does_not_please_is_led_to_another_point() {
    let (uploads, older) = estate().await;
    let damaged = uploads.production();
    let mut line = provisional(&uploads);
    line.until("OVERDUE");
    let (code, text) = relight(&uploads, &["runs"]);
    assert!(code == 1 && text.contains("overdue: they hold until someone decides"), "{code} {text}");
    assert!(text.contains("provisional"), "{text}");
    assert_eq!(uploads.production(), damaged, "time commits nothing");

    let (code, text) =
        relight(&uploads, &["amend", "latest", "--decide-within", "1h", "--reason", "its owner is asked"]);
    assert_eq!(code, 0, "{text}");
    line.until("the decision is put off by");
    let (code, text) = relight(&uploads, &["runs"]);
    assert!(code == 0 && !text.contains("overdue"), "{code} {text}");
    let (code, text) = relight(&uploads, &["amend", "latest", "--time-limit", "prove=1h", "--reason", "why"]);
    assert!(code == 64 && text.contains("its time is over"), "{code} {text}");

    let (code, text) = relight(&uploads, &["another-point", "latest", "--set", "strip=1", "--reason", "why"]);
    assert!(code != 0 && text.contains("does not let `strip` change"), "{code} {text}");
    let chosen = ["another-point", "latest", "--set", &format!("backup={OLDER}"), "--reason", "this one is bad, too"];
    let (code, text) = relight(&uploads, &chosen);
    assert!(code == 64 && text.contains("was not chosen; nothing was changed"), "{code} {text}");

    let mut elsewhere = Line::open(&uploads, &chosen);
    elsewhere.until("to go back by it:");
    assert!(elsewhere.text.contains(&format!("backup: latest -> {OLDER}")), "{}", elsewhere.text);
    assert!(elsewhere.text.contains("is taken back, and done anew"), "{}", elsewhere.text);
    let wanted = elsewhere.text.rsplit_once("; type ").unwrap().1[..8].to_owned();
    elsewhere.say(&wanted);
    elsewhere.until("Another point is chosen");

    line.until("all is taken back to prove; the new plan is in force");
    let asked = line.go_on_to(&format!("(step {SWAP} of {STEPS})")).unwrap();
    assert_eq!(uploads.production(), damaged, "nothing is committed yet");
    line.say(asked.phrase.as_deref().unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    assert_eq!(Uploads::picture(&uploads.live()), older, "the older backup is live");
    let aside = std::path::PathBuf::from(uploads.name("aside"));
    assert_eq!(Uploads::picture(&aside), damaged.1, "the damaged folder is kept");
    assert_eq!(uploads.beside(), [aside], "nothing of the first recovery is left");

    let (_, report) = relight(&uploads, &["report", "latest"]);
    for wanted in [
        "## Commit",
        "- committed ",
        "## Amendments",
        "this one is bad, too",
        "taken back to prove",
        "its owner is asked",
    ] {
        assert!(report.contains(wanted), "no `{wanted}` in {report}");
    }
    let (code, text) = relight(&uploads, &["journal", "verify"]);
    assert_eq!(code, 0, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_is_rolled_back_leaves_production_as_it_was() {
    let (uploads, _) = estate().await;
    let damaged = uploads.production();
    let mut line = provisional(&uploads);
    line.say("abort-undo it is the wrong folder");
    let (text, code) = line.finish();
    assert!(code == Some(2) && text.contains("ABORTED, CLEAN"), "{code:?} {text}");
    assert_eq!((uploads.production(), uploads.beside().len()), (damaged, 0));
    let (_, report) = relight(&uploads, &["report", "latest"]);
    assert!(report.contains("- rolled back by "), "{report}");
}
