//! `restore-files` from end to end: an archive in S3 and a tree in a folder, at the prompt and with keys, and
//! everything that must not reach the live folder.

use crate::console::prove;
use crate::disks::{Freezable, Small};
use crate::keyboard::Console;
use crate::line::Line;
use crate::operator::{Run, at};
use crate::proxy::Fault;
use crate::refusals::{drifted, stopped_at};
use crate::scene::Place;
use crate::shop::gzip;
use crate::uploads::{STEPS, SWAP, Uploads, archive};
use relight::event::{EventKind, Purpose};
use relight::model::task::Reality;
use relight::runbook::Answer;
use relight::runbook::state::{QuestionKind, RunStatus};
use relight::runner::runs;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

async fn at_the_prompt(place: Place) {
    let uploads = Uploads::with(place).await;
    let damaged = uploads.production();
    prove(&uploads, "uploads");
    let arguments = ["run", "restore-files", "--set", "asset=uploads", "--plain", "--arm", "files were overwritten"];
    let mut line = Line::open(&uploads, &arguments);
    line.until("Start this plan?");
    assert!(line.text.contains(place.store()), "{}", line.text);
    assert!(line.text.contains("no health_url is configured"), "what is not asked is said: {}", line.text);
    line.say("yes");
    let asked = line.go_on_to(&format!("(step {SWAP} of {STEPS})")).unwrap_or_else(|| panic!("no swap"));
    assert!(asked.text.contains("inode:") && asked.text.contains("newest change:"), "{}", asked.text);
    assert_eq!(uploads.production(), damaged, "untouched until the swap");
    line.say(asked.phrase.as_deref().unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "from {place:?}: {text}");
    uploads.restored(&damaged);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_from_s3_at_the_prompt() {
    at_the_prompt(Place::Bucket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_from_a_folder_at_the_prompt() {
    at_the_prompt(Place::Folder).await;
}

async fn with_keys(place: Place) {
    let uploads = Uploads::with(place).await;
    let damaged = uploads.production();
    prove(&uploads, "uploads");
    let mut console = Console::open(&uploads.config(), &uploads.state(), "uploads");
    console.restore(place.store());
    for step in [3, 5] {
        console.says_yes_at(step);
    }
    console.comes_to(SWAP);
    assert_eq!(uploads.production(), damaged, "untouched until the swap");
    console.swaps(SWAP, &uploads.live().display().to_string());
    uploads.restored(&damaged);
    console.quits();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_from_s3_with_key_presses() {
    with_keys(Place::Bucket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_from_a_folder_with_key_presses() {
    with_keys(Place::Folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_without_sums_is_restored_only_with_a_reason() {
    let mut uploads = Uploads::with(Place::Folder).await;
    uploads.forget_sums();
    let damaged = uploads.production();
    let mut run = begun(&uploads).await;
    let said = stopped_at(&mut run, "prove").await;
    assert!(said.contains("could not tell") && said.contains("proven only to L1"), "{said}");
    run.answer(Answer::Skip { reason: "the sums were never made".to_owned() }).await.unwrap();
    assert_eq!(run.finish().await, RunStatus::CompletedWithExceptions, "{}", run.failures());
    uploads.restored(&damaged);
}

async fn begun(uploads: &Uploads) -> Run {
    let plan = uploads.plan(json!({})).await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    uploads.begin(&plan).await
}

fn swaps(run: &Run) -> usize {
    let swap = |event: &&EventKind| matches!(event, EventKind::TaskIntended { step, purpose: Purpose::Run, .. } if step.as_str() == "swap");
    run.events.iter().filter(swap).count()
}

/// Ends the run with undo: nothing of it is left beside the live folder, which is as it was.
async fn taken_back(uploads: &Uploads, run: &mut Run, production: &(u64, Vec<String>)) {
    run.abort().await;
    assert_eq!(&uploads.production(), production, "production is untouched");
    assert_eq!(uploads.beside(), [] as [std::path::PathBuf; 0], "{}", run.describe());
}

/// An archive that is refused before the swap, at one of `steps`, with `word` in the reason.
async fn refused(uploads: &Uploads, bytes: &[u8], step: &str, word: &str) {
    let production = uploads.production();
    uploads.put(bytes);
    let mut run = begun(uploads).await;
    let said = stopped_at(&mut run, step).await;
    assert!(said.contains(word), "{word}: {said}");
    assert_eq!(uploads.production(), production, "production is untouched");
    taken_back(uploads, &mut run, &production).await;
    assert_eq!(swaps(&run), 0, "the swap was never begun");
}

/// An archive whose last member has this name, kind and link.
fn hostile(name: &str, kind: tar::EntryType, link: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o644);
    builder.append_data(&mut header, "fine.txt", &b"ok"[..]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    header.set_mode(0o644);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    builder.append(&header, &b""[..]).unwrap();
    gzip(&builder.into_inner().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_archives_are_refused() {
    use tar::EntryType as Type;
    let uploads = Uploads::with(Place::Bucket).await;
    let outside = uploads.parent().join("escape");
    let cases = [
        ("../escape", Type::Regular, "", "leads out"),
        (outside.to_str().unwrap(), Type::Regular, "", "absolute"),
        ("link", Type::Symlink, "/etc", "may lead out"),
        ("deep/link", Type::Symlink, "../../escape", "leads out"),
        ("hard", Type::Link, "/etc/passwd", "absolute"),
        ("device", Type::Char, "", "device"),
    ];
    for (name, kind, link, word) in cases {
        refused(&uploads, &hostile(name, kind, link), "unpack", word).await;
        assert!(!outside.exists(), "{name}: nothing was written outside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_nothing_is_no_recovery() {
    let uploads = Uploads::with(Place::Bucket).await;
    let production = uploads.production();
    let flat = uploads.path("flat");
    std::fs::create_dir_all(flat.join("no/files")).unwrap();
    uploads.put(&gzip(&archive(&flat)));
    let mut run = begun(&uploads).await;
    let said = stopped_at(&mut run, "unpack").await;
    assert!(said.contains("nothing was unpacked") && said.contains("would empty the live one"), "{said}");
    taken_back(&uploads, &mut run, &production).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_archive_is_refused() {
    let uploads = Uploads::with(Place::Bucket).await;
    let whole = gzip(&archive(&uploads.live()));
    refused(&uploads, &whole[..whole.len() - 500], "prove", "is bad").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_changed_before_and_after_the_question_is_noticed() {
    let uploads = Uploads::with(Place::Bucket).await;
    let mut run = begun(&uploads).await;
    run.go_on(at("writers")).await.unwrap();
    std::fs::write(uploads.live().join("late.txt"), "written meanwhile").unwrap();
    let production = uploads.production();
    drifted(run.go_on(at("swap")).await, "files");
    taken_back(&uploads, &mut run, &production).await;
    assert_eq!(swaps(&run), 0);

    let mut run = begun(&uploads).await;
    let asked = run.go_on(at("swap")).await.unwrap();
    let QuestionKind::Phrase { phrase } = asked.kind else { panic!("{asked:?}") };
    std::fs::write(uploads.live().join("later.txt"), "in the last moment").unwrap();
    let production = uploads.production();
    run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    drifted(run.go_on(|question| question.step.as_str() == "swap").await, "files");
    taken_back(&uploads, &mut run, &production).await;
    assert_eq!(swaps(&run), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_phrase_swaps_nothing() {
    let uploads = Uploads::with(Place::Folder).await;
    let production = uploads.production();
    let mut run = begun(&uploads).await;
    let asked = run.go_on(at("swap")).await.unwrap();
    let QuestionKind::Phrase { phrase } = &asked.kind else { panic!("{asked:?}") };
    for wrong in [phrase.to_uppercase(), "swap uploads".to_owned(), String::new()] {
        let why = run.answer(Answer::Phrase { text: wrong }).await.unwrap_err();
        assert!(why.contains("does not match"), "{why}");
    }
    taken_back(&uploads, &mut run, &production).await;
    assert_eq!(swaps(&run), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_it_stops_before_the_unpacking_and_in_it() {
    let (uploads, _disk) = Uploads::on(Place::Bucket, |home| Small::at(&home.path("live"), "2m")).await;
    std::fs::write(uploads.live().join("ballast"), vec![1; 1_000_000]).unwrap();
    let production = uploads.production();
    let mut run = begun(&uploads).await;
    let said = stopped_at(&mut run, "space").await;
    assert!(said.contains("are needed"), "{said}");
    run.answer(Answer::Skip { reason: "room is being made".to_owned() }).await.unwrap();
    run.go_on(at("unpack")).await.unwrap();
    run.answer(Answer::Yes).await.unwrap();
    run.answered_question().await;
    let said = stopped_at(&mut run, "unpack").await;
    assert!(said.contains("larger than") || said.contains("No space left"), "{said}");
    taken_back(&uploads, &mut run, &production).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_does_not_please_is_taken_back() {
    let uploads = Uploads::with(Place::Bucket).await;
    let production = uploads.production();
    let mut run = begun(&uploads).await;
    let asked = run.go_on(at("swap")).await.unwrap();
    let QuestionKind::Phrase { phrase } = asked.kind else { panic!("{asked:?}") };
    // The comparison after the swap cannot read the backup any more.
    uploads.proxy.always("GET", "uploads_", Fault::denied());
    run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    run.answered_question().await;
    stopped_at(&mut run, "verdict").await;
    assert_ne!(uploads.production().0, production.0, "the restored folder is live");
    taken_back(&uploads, &mut run, &production).await;
    assert_eq!(run.state().status, RunStatus::AbortedClean, "{}", run.describe());
}

/// An application that answers 503 a few times, and then 200.
fn application(refusals: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let status = if n < refusals { "503 Service Unavailable" } else { "200 OK" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_is_asked_until_it_is_well() {
    let uploads = Uploads::with(Place::Bucket).await;
    uploads.with_health_url(&application(1));
    let damaged = uploads.production();
    let plan = uploads.plan(json!({})).await.unwrap();
    assert!(plan.touches.iter().any(|line| line.contains("/health")), "{:?}", plan.touches);
    let mut run = uploads.begin(&plan).await;
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    let health = run.state().steps.last().unwrap().outcome.clone();
    assert!(json!(health).to_string().contains("\"attempts\":2"), "{health:?}");
    uploads.restored(&damaged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_while_it_unpacks_begins_anew() {
    let uploads = Uploads::with(Place::Bucket).await;
    let damaged = uploads.production();
    let mut run = begun(&uploads).await;
    run.go_on(at("unpack")).await.unwrap();
    uploads.proxy.always("GET", "uploads_", Fault::StallAfter(400_000));
    run.answer(Answer::Yes).await.unwrap();
    let half = std::path::PathBuf::from(uploads.name("side")).join("deep");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !half.exists() {
        assert!(Instant::now() < deadline, "the unpacking does not begin");
    }
    crate::crashes::kill(runs::read(&run.folder).runner.unwrap());
    run.gone().await;
    crate::crashes::runner_gone(&run);
    assert_eq!(uploads.production(), damaged, "production is untouched");
    uploads.proxy.reset();
    uploads.start(&run.folder).await;
    let mut run = Run::attach(&run.folder).await;
    let asked = run.go_on(at("unpack")).await.expect("it asks before it unpacks again");
    assert_eq!(asked.kind, QuestionKind::Key, "{asked:?}");
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(swaps(&run), 1, "one swap");
    uploads.restored(&damaged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_between_the_renames_comes_back_and_ends_the_swap() {
    let (uploads, disk) = Uploads::on(Place::Bucket, |home| Freezable::at(&home.path(""))).await;
    let damaged = uploads.production();
    let mut run = begun(&uploads).await;
    let asked = run.go_on(at("swap")).await.unwrap();
    let QuestionKind::Phrase { phrase } = asked.kind else { panic!("{asked:?}") };
    let runner = runs::read(&run.folder).runner.unwrap();
    // The first rename waits in the kernel; a kill then takes hold when it has been done.
    disk.freeze();
    run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    waits_for_the_disk(runner);
    crate::crashes::kill(runner);
    disk.thaw();
    run.gone().await;
    crate::crashes::runner_gone(&run);
    let (side, aside) = (uploads.name("side"), uploads.name("aside"));
    let there = |path: &str| std::path::Path::new(path).exists();
    assert!(there(&side) && !there(&aside), "it died between the two renames: {:?}", uploads.beside());
    assert_ne!(uploads.production().0, damaged.0, "the restored folder has the live name already");

    uploads.start(&run.folder).await;
    let mut run = Run::attach(&run.folder).await;
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    let looked = |event: &EventKind| matches!(event, EventKind::Reconciled { reality: Reality::Done(_), .. });
    assert!(run.events.iter().any(looked), "it looked before it went on");
    assert_eq!(swaps(&run), 1, "one swap");
    uploads.restored(&damaged);
}

/// A thread of the process waits for the frozen filesystem.
fn waits_for_the_disk(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let waits = || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let states = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok());
        states.into_iter().any(|status| status.contains("State:\tD"))
    };
    let mut seen = 0;
    // Any disk wait looks alike; only one that lasts is the frozen one.
    while seen < 1000 {
        seen = if waits() { seen + 1 } else { 0 };
        assert!(Instant::now() < deadline, "the swap does not come to its first rename");
    }
}
