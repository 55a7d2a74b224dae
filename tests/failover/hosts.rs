//! Commands on hosts: the same words arrive, a cut line is no answer, a changed key is refused.

use crate::context::context;
use crate::sshd::Sshd;
use relight::tasks::context::TaskContext;
use relight::tasks::host::{self, Command, Said};
use relight::tasks::input::Stop;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Bench {
    dir: TempDir,
    sshd: Sshd,
    cx: TaskContext,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("rl-").tempdir().unwrap();
        let sshd = Sshd::start(dir.path());
        let text = format!(
            "[estate]\nname = \"x\"\n[[stores]]\nid = \"s\"\ntype = \"local\"\npath = \"s\"\n[[assets]]\nid = \"a\"\nkind = \"other\"\n\
             [[hosts]]\nid = \"near\"\nvia = \"local\"\n\
             [[hosts]]\nid = \"far\"\nvia = \"ssh\"\naddress = \"127.0.0.1\"\nport = {}\nkey = \"key\"\nknown_hosts = \"known_hosts\"\n",
            sshd.port
        );
        let cx = context(dir.path(), &text);
        Self { dir, sshd, cx }
    }

    async fn run(&self, on: &str, argv: &[&str]) -> Result<Said, Stop> {
        let host = host::find(&self.cx, &on.into()).unwrap();
        host::run(&self.cx, host, Command::new(argv.iter().copied())).await
    }
}

#[tokio::test]
async fn the_same_words_arrive_here_and_there() {
    let bench = Bench::new();
    let words =
        ["two words", "it's", "\"quoted\" $HOME `id`", "line\nbreak\n", "", "ünïcode ☃", "-n", "back\\slash", "*"];
    for on in ["near", "far"] {
        let mut argv = vec!["printf", "%s\\0"];
        argv.extend(words);
        let said = bench.run(on, &argv).await.unwrap();
        let heard: Vec<&str> = std::str::from_utf8(&said.stdout).unwrap().split_terminator('\0').collect();
        assert_eq!(heard, words, "{on}");
        assert_eq!(bench.run(on, &["sh", "-c", "echo no >&2; exit 255"]).await.unwrap().status, 255, "{on}");
        let host = host::find(&bench.cx, &on.into()).unwrap();
        let said = host::run(&bench.cx, host, Command::new(["cat"]).stdin("kept\n")).await.unwrap();
        assert_eq!((said.status, said.text().as_str()), (0, "kept\n"), "{on}");
    }
}

#[tokio::test]
async fn a_line_that_is_cut_leaves_the_end_unknown() {
    let bench = Bench::new();
    let (began, go, done) =
        (bench.dir.path().join("began"), bench.dir.path().join("go"), bench.dir.path().join("done"));
    let script = "touch \"$1\"; while [ ! -e \"$2\" ]; do sleep 0.05; done; touch \"$3\"";
    let argv = ["sh", "-c", script, "sh", began.to_str().unwrap(), go.to_str().unwrap(), done.to_str().unwrap()];
    let cut = async {
        until(&began).await;
        bench.sshd.cut();
    };
    let (said, ()) = tokio::join!(bench.run("far", &argv), cut);
    let Err(Stop::Unknown(failure)) = said else { panic!("{said:?}") };
    assert!(failure.what.contains("was lost"), "{failure:?}");
    // What was begun there goes on, and a new line sees what became of it.
    std::fs::write(&go, "").unwrap();
    until(&done).await;
    assert_eq!(bench.run("far", &["test", "-e", done.to_str().unwrap()]).await.unwrap().status, 0);
}

#[tokio::test]
async fn a_changed_host_key_is_refused() {
    let mut bench = Bench::new();
    assert_eq!(bench.run("far", &["true"]).await.unwrap().status, 0);
    bench.sshd.reinstall();
    let made = bench.dir.path().join("made");
    let Err(Stop::Failed(failure)) = bench.run("far", &["touch", made.to_str().unwrap()]).await else {
        panic!("let in")
    };
    assert!(failure.what.contains("key of host `far` is not the one that is known"), "{failure:?}");
    assert!(!made.exists());
}

async fn until(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} did not appear", path.display());
        tokio::task::yield_now().await;
    }
}
