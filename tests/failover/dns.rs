//! A record in a zone of a real name server, moved and moved back.

use crate::bench::Bench;
use crate::named::Named;
use crate::pair::{ALPHA, BETA, Pair, signal};
use crate::roles::carried_out;
use relight::model::task::{Failure, TaskOutcome, Values};
use relight::stores::local::{FolderPlace, LocalStore};
use relight::tasks::Shelf;
use relight::tasks::module::Reality;
use relight::tasks::traffic::dns::{Record, Said};
use rustix::process::Signal;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

fn bench(named: &Named, secret: &str) -> Bench {
    Bench::new(&format!(
        "[[servers]]\nid = \"alpha\"\nhost = \"127.0.0.1\"\nstandby = \"beta\"\n\
         [servers.traffic]\ntype = \"dns\"\nserver = \"127.0.0.1\"\nport = {}\nzone = \"example.test\"\nname = \"db.example.test\"\n\
         ttl = 20\nkey = \"relight\"\nsecret = {{ command = [\"printf\", \"%s\", \"{secret}\"] }}\n\
         addresses = {{ beta = \"192.0.2.2\" }}\n\
         [[servers]]\nid = \"beta\"\nhost = \"beta.example.test\"\n",
        named.port
    ))
}

fn done(outcome: TaskOutcome) -> Values {
    match outcome {
        TaskOutcome::Done { output } => output,
        other => panic!("{other:?}"),
    }
}

fn failed(outcome: TaskOutcome) -> Failure {
    match outcome {
        TaskOutcome::Failed { failure } => failure,
        other => panic!("{other:?}"),
    }
}

fn to(server: &str) -> Values {
    json!({ "asset": "app", "server": server, "stamp": "20261121_021500" }).as_object().unwrap().clone()
}

#[tokio::test]
async fn a_record_moves_and_moves_back_with_its_former_values() {
    let named = Named::start();
    let bench = bench(&named, &named.secret);
    assert_eq!(named.says("db.example.test").await, [("192.0.2.1".to_owned(), 600), ("192.0.2.9".to_owned(), 600)]);
    let output = done(bench.run("traffic.point", &to("beta")).await);
    assert_eq!(output["traffic"], "db.example.test says A 192.0.2.2");
    assert_eq!(output["kept"], "A 192.0.2.1, 192.0.2.9");
    assert_eq!(named.says("db.example.test").await, [("192.0.2.2".to_owned(), 20)]);
    let Reality::Done(seen) = bench.look("traffic.point", &to("beta")).await else { panic!("it says it") };
    assert_eq!(seen, output);
    // Once more changes nothing, and forgets nothing.
    assert_eq!(done(bench.run("traffic.point", &to("beta")).await), output);
    let output = done(bench.run("traffic.point-back", &to("alpha")).await);
    assert_eq!(output["traffic"], "db.example.test says A 192.0.2.1, 192.0.2.9 again");
    assert_eq!(named.says("db.example.test").await, [("192.0.2.1".to_owned(), 600), ("192.0.2.9".to_owned(), 600)]);
}

#[tokio::test]
async fn who_takes_the_run_over_on_another_machine_can_point_back() {
    let named = Named::start();
    let shared = tempfile::tempdir().unwrap();
    let place = || Shelf::shared(Arc::new(FolderPlace::new(LocalStore::new("shared", shared.path()))));
    let (mut first, mut second) = (bench(&named, &named.secret), bench(&named, &named.secret));
    (first.cx.shelf, second.cx.shelf) = (place(), place());
    done(first.run("traffic.point", &to("beta")).await);
    // It finds the step done, and points back with nothing of the first machine but the shared place.
    drop(first);
    let Reality::Done(seen) = second.look("traffic.point", &to("beta")).await else { panic!("it says it") };
    assert_eq!(seen["kept"], "A 192.0.2.1, 192.0.2.9");
    done(second.run("traffic.point-back", &to("alpha")).await);
    assert_eq!(named.says("db.example.test").await, [("192.0.2.1".to_owned(), 600), ("192.0.2.9".to_owned(), 600)]);
}

#[tokio::test]
async fn what_someone_else_changed_meanwhile_stays() {
    let named = Named::start();
    let bench = bench(&named, &named.secret);
    done(bench.run("traffic.point", &to("beta")).await);
    let dns = bench.dns();
    let record = Record::of(&bench.cx, dns, "other").unwrap();
    let said = |value: &str| Said { kind: "A".to_owned(), ttl: 5, values: vec![value.to_owned()] };
    record.change(&said("192.0.2.2"), &said("192.0.2.77")).await.unwrap();
    let failure = failed(bench.run("traffic.point-back", &to("alpha")).await);
    assert!(failure.what.contains("says A 192.0.2.77, not A 192.0.2.2 as this run left it"), "{failure:?}");
    // The update itself rests on what is replaced: between the look and the change nobody slips in.
    let late = record.change(&said("192.0.2.2"), &said("192.0.2.3")).await.unwrap_err();
    assert!(late.what().contains("refuses") && format!("{late:?}").contains("someone else changes it"), "{late:?}");
    assert_eq!(named.says("db.example.test").await, [("192.0.2.77".to_owned(), 5)]);
}

#[tokio::test]
async fn a_wrong_key_and_a_lost_server_change_nothing_and_tell_no_secret() {
    let mut named = Named::start();
    let wrong = "d3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmcgd3Jvbmc=";
    let bench = bench(&named, wrong);
    let failure = failed(bench.run("traffic.point", &to("beta")).await);
    assert!(failure.meaning.contains("does not accept the key `relight`"), "{failure:?}");
    assert!(!format!("{failure:?}").contains(wrong));
    assert_eq!(named.says("db.example.test").await.len(), 2);
    named.stop();
    let failure = failed(bench.run("traffic.point", &to("beta")).await);
    assert!(failure.what.contains("cannot be reached"), "{failure:?}");
    let Reality::Unknown(_) = bench.look("traffic.point", &to("beta")).await else { panic!("nobody knows") };
}

#[test]
fn a_failover_moves_the_record_and_keeps_its_key_to_itself() {
    let (pair, named) = (Pair::start(), Named::start());
    let key = pair.path("dns.key");
    std::fs::write(&key, &named.secret).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = std::fs::read_to_string(pair.home.config()).unwrap();
    let (before, rest) = text.split_once("[servers.traffic]\n").unwrap();
    let (_, after) = rest.split_once("reload = ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let traffic = format!(
        "[servers.traffic]\ntype = \"dns\"\nserver = \"127.0.0.1\"\nport = {}\nzone = \"example.test\"\nname = \"db.example.test\"\n\
         key = \"relight\"\nsecret = {{ file = \"dns.key\" }}\naddresses = {{ alpha = \"192.0.2.1\", beta = \"192.0.2.2\" }}\n",
        named.port
    );
    std::fs::write(pair.home.config(), format!("{before}{traffic}{after}")).unwrap();
    pair.streams(BETA);
    signal(pair.postmaster(ALPHA), Signal::KILL);
    pair.until_refused(ALPHA);
    let text = carried_out(&pair, "failover-postgres", &[]);
    assert!(text.contains("moves clients by the DNS record db.example.test at 127.0.0.1"), "{text}");
    let says = tokio::runtime::Runtime::new().unwrap().block_on(named.says("db.example.test"));
    assert_eq!(says, [("192.0.2.2".to_owned(), 30)]);
    let mut folders = vec![pair.home.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    let told = bytes.windows(named.secret.len()).any(|part| part == named.secret.as_bytes());
                    assert!(!told, "{}", entry.path().display());
                }
                _ => {}
            }
        }
    }
}
