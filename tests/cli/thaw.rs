//! Backups in archive classes: refused with the way out, asked for, waited for, read, across the death of a runner.

use super::estate::bucket;
use super::moto::Moto;
use super::program::Sandbox;
use super::proxy::Proxy;
use super::runners;
use super::s3::{BUCKET, SECRET};
use std::time::{Duration, Instant};

const DUMP: &str = "base_20260102_020000.tar";
const RUN: &str = "run_20260102_020000/";
const MEMBERS: [(&str, &str); 3] =
    [("a.bin", "DEEP_ARCHIVE"), ("deep/b.bin", "DEEP_ARCHIVE"), ("list.txt", "STANDARD")];

struct Lab {
    sandbox: Sandbox,
    server: Moto,
    line: Proxy,
}

impl Lab {
    async fn new() -> Self {
        let server = Moto::start(BUCKET).await;
        let line = Proxy::start(server.address()).await;
        server.put(&format!("{BUCKET}/{DUMP}"), "GLACIER", b"the whole base").await;
        for (name, class) in MEMBERS {
            server.put(&format!("{BUCKET}/{RUN}{name}"), class, name.as_bytes()).await;
        }
        let sandbox = Sandbox::new();
        sandbox.write("relight.toml", bucket(&line.endpoint()));
        Self { sandbox, server, line }
    }

    fn says(&self, arguments: &[&str], input: &str) -> (String, i32) {
        let mut command = self.sandbox.relight(arguments);
        command.env("RELIGHT_TEST_SECRET", SECRET).write_stdin(input).timeout(Duration::from_mins(2));
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.code().unwrap_or(-1))
    }

    fn thaw(&self, asset: &str, more: &[&str]) -> (String, i32) {
        let asset = format!("asset={asset}");
        let arguments = [&["run", "thaw-backup", "--set", &asset, "--set", "every=500ms"], more].concat();
        self.says(&arguments, "yes\narm the archive is asked\nyes\n")
    }

    /// How many objects the archive was asked for.
    fn asked(&self) -> usize {
        self.line.seen().iter().filter(|line| line.starts_with("POST") && line.contains("?restore")).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_backup_is_asked_for_waited_for_and_read() {
    let lab = Lab::new().await;
    lab.server.thaws_after(2).await;
    let (text, code) = lab.says(&["fetch", "latest", "--asset", "db", "--to", "copy.tar"], "");
    assert!(code != 0 && text.contains("relight run thaw-backup"), "{code} {text}");
    assert!(!lab.sandbox.path().join("copy.tar").exists());
    let (text, code) = lab.says(&["verify", "latest", "--asset", "db"], "");
    assert!(code == 3 && text.contains("thaw-backup"), "archived says nothing about its bytes: {code} {text}");

    let (text, code) = lab.thaw("db", &[]);
    assert_eq!(code, 0, "{text}");
    for said in ["asks GLACIER for", "in 3 to 5 hours", "the only way to these bytes", "0 of 1 objects can be read"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(lab.asked(), 1);
    let (text, code) = lab.says(&["fetch", "latest", "--asset", "db", "--to", "copy.tar"], "");
    assert_eq!(
        (code & !1, std::fs::read(lab.sandbox.path().join("copy.tar")).unwrap()),
        (0, b"the whole base".to_vec()),
        "{text}"
    );
    let (text, code) = lab.thaw("db", &[]);
    assert!(code != 0 && text.contains("can be read as it is, until 20"), "{text}");
    assert_eq!(lab.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_folder_only_what_is_archived_is_asked_for() {
    let lab = Lab::new().await;
    lab.server.thaws_after(1).await;
    let (text, code) = lab.thaw("data", &["--set", "tier=expedited"]);
    assert!(code != 0 && text.contains("DEEP_ARCHIVE gives nothing out expedited"), "{text}");
    assert_eq!(lab.asked(), 0);
    let (text, code) = lab.thaw("data", &["--set", "tier=bulk", "--set", "days=3"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("within 48 hours") && text.contains("for 3 days"), "{text}");
    assert_eq!(lab.asked(), 2);
    let (text, _) = lab.says(&["fetch", "latest", "--asset", "data", "--to", "run"], "");
    for (name, _) in MEMBERS {
        let read =
            std::fs::read(lab.sandbox.path().join("run").join(name)).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(read, name.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_dies_while_the_archive_works_is_resumed_and_asks_nothing_twice() {
    let lab = Lab::new().await;
    lab.server.thaws_after(5).await;
    let state = lab.sandbox.path().join(".local/state/relight");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| lab.thaw("db", &[]));
        while lab.asked() == 0 {
            assert!(begun.elapsed() < Duration::from_mins(1), "nothing is asked for");
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_secs(1));
        runners::end_all(&state);
        let (text, code) = running.join().unwrap();
        assert!(code == 3 && text.contains("0 of 1 objects can be read"), "it was to die while it waits: {text}");
    });
    let (text, _) = lab.says(&["runs"], "");
    let run = text.split_whitespace().find(|word| word.contains("-thaw-backup-")).unwrap().to_owned();
    let (text, code) = lab.says(&["resume", &run], "yes\nretry\n");
    assert!(matches!(code, 0 | 1), "{code} {text}");
    assert_eq!(lab.asked(), 1);
    let (text, _) = lab.says(&["fetch", "latest", "--asset", "db", "--to", "copy.tar"], "");
    assert_eq!(std::fs::read(lab.sandbox.path().join("copy.tar")).unwrap(), b"the whole base", "{text}");
}
