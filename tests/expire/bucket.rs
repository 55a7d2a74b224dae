//! A bucket of nights behind a proxy that fails, locks and hangs.

use crate::lab::{Lab, content, night, nights, source};
use crate::proxy::{Fault, Proxy};
use crate::s3::{BUCKET, KEY, S3Fixture, TestSecrets, config_at};
use relight::model::time::Clock as _;
use relight::runner::runs;
use relight::stores::{Patience, Store as _, open_to_prune};
use relight::wiring::SystemClock;
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

struct Bucket {
    lab: Lab,
    s3: S3Fixture,
    proxy: Proxy,
}

/// Six nights, of which three are asked for.
async fn bucket() -> Bucket {
    let s3 = S3Fixture::start().await;
    let proxy = Proxy::start(s3.server.address()).await;
    let store = format!(
        "type = \"s3\"\nbucket = \"{BUCKET}\"\nendpoint = \"{}\"\naccess_key_id = \"{KEY}\"\nsecret_access_key = {{ \
         env = \"LAB_S3_SECRET\" }}",
        proxy.endpoint()
    );
    let lab = Lab::with(&store, &source("settings_{time:%Y%m%d}.json.gz"));
    for day in 1..=6 {
        s3.put(&night(day), &content(day));
    }
    lab.prove(6, 0);
    Bucket { lab, s3, proxy }
}

impl Bucket {
    fn there(&self) -> Vec<String> {
        nights((1..=6).filter(|day| self.s3.file(&night(*day)).exists()))
    }

    fn asked_to_remove(&self, day: u32) -> usize {
        let wanted = format!("DELETE /{BUCKET}/{}", night(day));
        self.proxy.seen().iter().filter(|line| line.starts_with(&wanted)).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_in_the_middle_loses_nothing_else_and_is_gone_on_with() {
    let on = bucket().await;
    let (mut line, asked) = on.lab.at_the_phrase(&[]);
    on.proxy.always("DELETE", &night(2), Fault::slow_down());
    line.say(asked.phrase.as_deref().unwrap());
    let asked = line.asked().expect("the failure asks");
    assert_eq!(on.there(), nights(2..=6), "{}", line.text);
    assert_eq!(on.asked_to_remove(3), 0, "what comes after was not touched");
    assert!(line.text.contains("2 of 3 objects are still there"), "{}", line.text);
    on.proxy.reset();
    line.say(asked.phrase.as_deref().unwrap_or("retry"));
    let (text, code) = line.finish();
    assert!(code == Some(0), "{text}");
    assert_eq!(on.there(), nights(4..=6));
    assert_eq!(on.asked_to_remove(4) + on.asked_to_remove(5) + on.asked_to_remove(6), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_object_lock_keeps_is_said_and_stays() {
    let on = bucket().await;
    let config = config_at(&on.proxy.endpoint(), "main", "");
    let store = open_to_prune(&config, &TestSecrets, Patience::default()).await.unwrap();
    let meta = store.head(&night(2)).await.unwrap();
    let (mut line, asked) = on.lab.at_the_phrase(&[]);
    let until = SystemClock.now() + chrono::Duration::days(30);
    let headers = vec![
        ("etag", format!("\"{}\"", meta.etag.unwrap())),
        ("content-length", meta.size.to_string()),
        ("last-modified", meta.modified.unwrap().format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        ("x-amz-object-lock-mode", "GOVERNANCE".to_owned()),
        ("x-amz-object-lock-retain-until-date", until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
    ];
    on.proxy.always("HEAD", &night(2), Fault::Answer(200, headers, String::new()));
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    let said = format!("an object lock (GOVERNANCE) keeps it until {}", until.format("%Y-%m-%d"));
    assert!(line.text.contains(&said), "{}", line.text);
    assert!(line.text.contains("removed before: `settings_20260901.json.gz`"), "{}", line.text);
    line.say("abort it is locked");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!((on.there(), on.asked_to_remove(2)), (nights(2..=6), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_looks_and_goes_on() {
    let on = bucket().await;
    let (mut line, asked) = on.lab.at_the_phrase(&[]);
    on.proxy.always("DELETE", &night(2), Fault::Hang);
    line.say(asked.phrase.as_deref().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    while on.asked_to_remove(2) == 0 {
        assert!(Instant::now() < deadline, "the second was never asked for: {}", line.text);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let entry = runs::list(&on.lab.home.state()).unwrap().remove(0);
    let pid = i32::try_from(entry.runner.expect("a live runner")).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    while runs::read(&entry.folder).runner.is_some() {
        assert!(Instant::now() < deadline, "the runner did not die");
    }
    drop(line);
    assert_eq!(on.there(), nights(2..=6));
    on.proxy.reset();
    let (text, code) = on.lab.home.resume().finish();
    assert!(code == Some(0), "{text}");
    assert_eq!(on.there(), nights(4..=6));
    relight::journal::verify(&entry.folder.path).unwrap();
    assert!(text.contains("2 of 3 objects are still there"), "it looked before it went on: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_conditions_is_asked_for_no_removal() {
    let on = bucket().await;
    on.proxy.always("DELETE", ".relight-probe-", Fault::Answer(204, vec![], String::new()));
    let (mut line, asked) = on.lab.at_the_phrase(&[]);
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    assert!(line.text.contains("no notice of conditions on deletes"), "{}", line.text);
    line.say("abort it cannot be done safely");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!(on.there(), nights(1..=6));
}
