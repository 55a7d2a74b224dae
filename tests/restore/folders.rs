//! Archives and trees into a folder beside the live one, and the swap.

use crate::bench::{context, said, source, with, wrapped};
use relight::model::content::{Form, Wrapping};
use relight::model::estate::{Asset, AssetKind, Estate, Tier};
use relight::model::objective::Objectives;
use relight::model::task::{Failure, TaskOutcome, Values};
use relight::stores::Store;
use relight::stores::memory::MemoryStore;
use relight::tasks::{Reality, TaskContext, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Shelf {
    store: Arc<MemoryStore>,
    cx: TaskContext,
    root: tempfile::TempDir,
    _work: tempfile::TempDir,
}

impl Shelf {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new("shelf"));
        let (root, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let asset = Asset {
            id: "uploads".into(),
            kind: AssetKind::Files,
            tier: Tier::Standard,
            objectives: Objectives::default(),
            sources: Vec::new(),
            server: None,
            database: None,
            path: Some(root.path().join("uploads")),
            trees: Vec::new(),
            images: None,
            health_url: None,
            drill: None,
        };
        let estate = Estate {
            name: "test".to_owned(),
            environment: "test".to_owned(),
            time_zone: chrono_tz::UTC,
            stores: Vec::new(),
            assets: vec![asset],
            servers: Vec::new(),
            hosts: Vec::new(),
            services: Vec::new(),
            jobs: Vec::new(),
            runbook_dirs: Vec::new(),
            approvers: vec![],
            quorum: 0,
        };
        let stores = BTreeMap::from([("shelf".into(), store.clone() as Arc<dyn Store>)]);
        let cx = context(estate, stores, work.path(), "r1");
        Self { store, cx, root, _work: work }
    }

    fn live(&self) -> PathBuf {
        self.root.path().join("uploads")
    }

    async fn run(&self, module: &str, input: &Value) -> TaskOutcome {
        table::all().get(module).unwrap().run(&self.cx, input.as_object().unwrap()).await
    }

    async fn done(&self, module: &str, input: &Value) -> Values {
        match self.run(module, input).await {
            TaskOutcome::Done { output } => output,
            other => panic!("{module}: {other:#?}"),
        }
    }

    async fn failed(&self, module: &str, input: &Value) -> Failure {
        match self.run(module, input).await {
            TaskOutcome::Failed { failure } => failure,
            other => panic!("{module}: {other:#?}"),
        }
    }

    async fn reconcile(&self, module: &str, input: &Value) -> Reality {
        table::all().get(module).unwrap().reconcile(&self.cx, input.as_object().unwrap()).await
    }

    async fn input(&self, source: Value) -> Value {
        let seen = self.done("files.inspect", &json!({ "asset": "uploads" })).await;
        let side = self.live().with_extension("restore_1");
        json!({
            "target": seen["target"], "live_id": seen["live_id"], "side": side, "folder": side,
            "aside": self.live().with_extension("before_1"), "source": source,
        })
    }

    fn shelve(&self, name: &str, bytes: &[u8], wrapping: &[Wrapping]) -> Value {
        let meta = self.store.put(name, wrapped(bytes, wrapping));
        source(name, meta.size, &meta.pin(), wrapping, Form::Tar)
    }
}

/// A live folder with odd names, modes, links and times.
fn fill(root: &Path) {
    std::fs::create_dir_all(root.join("deep/er")).unwrap();
    std::fs::write(root.join("a.txt"), "hello").unwrap();
    std::fs::write(root.join("deep/er/big.bin"), vec![7; 3_000_000]).unwrap();
    std::fs::write(root.join("deep/esc\u{1b}[2J\nname"), "odd").unwrap();
    std::fs::write(root.join("secret"), "key").unwrap();
    std::fs::write(root.join("empty"), "").unwrap();
    std::fs::set_permissions(root.join("secret"), PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::set_permissions(root.join("deep"), PermissionsExt::from_mode(0o2550)).unwrap();
    std::fs::hard_link(root.join("a.txt"), root.join("same")).unwrap();
    symlink("../a.txt", root.join("deep/er/../link")).unwrap();
}

fn archive(root: &Path) -> Vec<u8> {
    let output = std::process::Command::new("tar").arg("-C").arg(root).args(["-cf", "-", "."]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Everything below a folder: name, kind, mode, time, owner, content.
fn picture(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let content = match () {
                () if meta.is_dir() => {
                    open.push(path.clone());
                    "folder".to_owned()
                }
                () if meta.is_symlink() => format!("link {}", std::fs::read_link(&path).unwrap().display()),
                () => hex::encode(<sha2::Sha256 as sha2::Digest>::digest(std::fs::read(&path).unwrap())),
            };
            let name = path.strip_prefix(root).unwrap();
            lines.push(format!("{} {:o} {} {} {content}", name.display(), meta.mode(), meta.mtime(), meta.uid()));
        }
    }
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_come_back_whole_and_swap_in_and_back() {
    for wrapping in [&[][..], &[Wrapping::Gzip], &[Wrapping::Zstd]] {
        let shelf = Shelf::new();
        fill(&shelf.live());
        let original = picture(&shelf.live());
        let input = shelf.input(shelf.shelve("a.tar", &archive(&shelf.live()), wrapping)).await;
        std::fs::remove_file(shelf.live().join("a.txt")).unwrap();
        std::fs::write(shelf.live().join("secret"), "overwritten").unwrap();
        let damaged = picture(&shelf.live());

        let table = table::all();
        let count = |module: &'static str| table.get(module).unwrap().count(&shelf.cx, input.as_object().unwrap());
        let live = count("files.swap").await.unwrap();
        assert_eq!(count("files.remove-side").await.unwrap().objects, Some(0), "there is nothing yet");
        shelf.done("files.extract", &input).await;
        let side = count("files.remove-side").await.unwrap();
        assert!(side.objects > Some(6) && side.bytes > Some(0), "{side}");
        let both = count("files.swap").await.unwrap();
        assert_eq!(both.objects.zip(live.objects).map(|(both, live)| both - live), side.objects);
        assert!(matches!(shelf.reconcile("files.extract", &input).await, Reality::Done(_)));
        let seen = shelf.done("files.compare", &input).await;
        assert_eq!((&seen["files"], &seen["links"]), (&json!(6), &json!(1)));
        assert_eq!(picture(&shelf.live()), damaged, "production is untouched before the swap");
        assert!(matches!(shelf.reconcile("files.swap", &input).await, Reality::NotDone(_)));
        shelf.done("files.swap", &input).await;
        assert_eq!(picture(&shelf.live()), original);
        assert_eq!(picture(&shelf.live().with_extension("before_1")), damaged);
        assert!(matches!(shelf.reconcile("files.swap", &input).await, Reality::Done(_)));
        assert!(shelf.failed("files.swap", &input).await.what.contains("not as the plan"));
        shelf.done("files.swap-back", &input).await;
        assert_eq!(picture(&shelf.live()), damaged);
        shelf.done("files.remove-side", &input).await;
        assert_eq!(std::fs::read_dir(shelf.root.path()).unwrap().count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_objects_and_a_lost_folder_come_back() {
    let shelf = Shelf::new();
    for (name, text) in [("tree/a.txt", "one"), ("tree/sub/b.txt", "two"), ("tree2/not-ours", "x")] {
        shelf.store.put(name, text);
    }
    let tree = json!({
        "backup": "b", "asset": "uploads", "store": "shelf", "path": "tree/", "size_bytes": 6, "objects": 2,
        "content": { "wrapped": [], "form": "tree" }, "taken_at": "2026-11-21T00:00:00Z",
    });
    let input = shelf.input(tree).await;
    assert_eq!(input["live_id"], Value::Null);
    shelf.done("files.extract", &input).await;
    shelf.done("files.compare", &input).await;
    shelf.done("files.swap", &input).await;
    assert_eq!(std::fs::read_to_string(shelf.live().join("sub/b.txt")).unwrap(), "two");
    assert!(!shelf.live().join("not-ours").exists());
    shelf.done("files.swap-back", &input).await;
    assert!(!shelf.live().exists());
    shelf.store.put("tree/c.txt", "new");
    let failure = shelf.failed("files.extract", &input).await;
    assert!(failure.what.contains("3 objects"), "{failure:?}");
}

fn hostile(name: &str, kind: tar::EntryType, link: Option<&str>) -> Vec<u8> {
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
    if let Some(link) = link {
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    }
    header.set_cksum();
    builder.append(&header, &b""[..]).unwrap();
    builder.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_archives_are_refused_and_nothing_leaves_the_root() {
    use tar::EntryType as Type;
    let cases = [
        ("../escape", Type::Regular, None, "leads out"),
        ("/tmp/escape", Type::Regular, None, "absolute"),
        ("a/../../escape", Type::Regular, None, "leads out"),
        ("link", Type::Symlink, Some("/etc/passwd"), "may lead out"),
        ("d/link", Type::Symlink, Some("../../x"), "leads out"),
        ("hard", Type::Link, Some("/etc/passwd"), "absolute"),
        ("hard", Type::Link, Some("missing"), "could not be written"),
        ("dev", Type::Char, None, "device"),
        ("pipe", Type::Fifo, None, "device"),
        ("fine.txt", Type::Regular, None, "twice"),
        ("fine.txt/below", Type::Regular, None, "twice"),
    ];
    for (name, kind, link, expected) in cases {
        let shelf = Shelf::new();
        fill(&shelf.live());
        let before = picture(&shelf.live());
        let input = shelf.input(shelf.shelve("bad.tar", &hostile(name, kind, link), &[])).await;
        let failure = said(&shelf.failed("files.extract", &input).await);
        assert!(failure.contains(expected), "{name}: {failure}");
        assert!(shelf.failed("files.swap", &input).await.what.contains("not unpacked to its end"));
        assert!(matches!(shelf.reconcile("files.extract", &input).await, Reality::NotDone(_)));
        shelf.done("files.remove-side", &input).await;
        assert_eq!(picture(&shelf.live()), before);
        assert_eq!(std::fs::read_dir(shelf.root.path()).unwrap().count(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_oversized_backups_stop_and_differences_are_named() {
    let shelf = Shelf::new();
    fill(&shelf.live());
    let good = archive(&shelf.live());
    let gz = wrapped(&good, &[Wrapping::Gzip]);
    let meta = shelf.store.put("cut.tar.gz", gz[..gz.len() - 100].to_vec());
    let input = shelf.input(source("cut.tar.gz", meta.size, &meta.pin(), &[Wrapping::Gzip], Form::Tar)).await;
    assert!(said(&shelf.failed("files.extract", &input).await).contains("ends early"));

    let input = shelf.input(shelf.shelve("a.tar", &good, &[])).await;
    let bomb = with(input.clone(), json!({ "max_bytes": 1_000_000 }));
    assert!(shelf.failed("files.extract", &bomb).await.what.contains("larger than"));
    let many = with(input.clone(), json!({ "max_members": 3 }));
    assert!(shelf.failed("files.extract", &many).await.what.contains("more than 3 members"));

    shelf.done("files.extract", &input).await;
    let side = PathBuf::from(input["side"].as_str().unwrap());
    std::fs::write(side.join("a.txt"), "hellO").unwrap();
    std::fs::write(side.join("extra"), "x").unwrap();
    std::fs::remove_file(side.join("empty")).unwrap();
    let failure = said(&shelf.failed("files.compare", &input).await);
    for expected in ["has other content", "empty is missing", "the folder has"] {
        assert!(failure.contains(expected), "{expected}: {failure}");
    }
    std::fs::create_dir(PathBuf::from(input["aside"].as_str().unwrap())).unwrap();
    assert!(shelf.failed("files.swap", &input).await.what.contains("not as the plan"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_died_in_the_middle_is_settled_by_looking() {
    let shelf = Shelf::new();
    fill(&shelf.live());
    let input = shelf.input(shelf.shelve("a.tar", &archive(&shelf.live()), &[])).await;
    shelf.done("files.extract", &input).await;
    let side = PathBuf::from(input["side"].as_str().unwrap());
    // What the exchange leaves when the runner dies before the second rename.
    let (old, scratch) = (shelf.live(), shelf.root.path().join("scratch"));
    std::fs::rename(&old, &scratch).unwrap();
    std::fs::rename(&side, &old).unwrap();
    std::fs::rename(&scratch, &side).unwrap();
    assert!(matches!(shelf.reconcile("files.swap", &input).await, Reality::Done(_)));
    assert!(shelf.live().with_extension("before_1").exists() && !side.exists());
    shelf.done("files.swap-back", &input).await;
    // What two plain renames leave when the runner dies between them.
    std::fs::rename(shelf.live(), shelf.live().with_extension("before_1")).unwrap();
    assert!(matches!(shelf.reconcile("files.swap", &input).await, Reality::NotDone(_)));
    assert!(shelf.live().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_moves_when_the_folder_changes() {
    let shelf = Shelf::new();
    fill(&shelf.live());
    let ask = json!({ "target": shelf.live() });
    let first = shelf.done("files.identity", &ask).await;
    assert_eq!(shelf.done("files.identity", &ask).await["facts"], first["facts"]);
    std::fs::write(shelf.live().join("new"), "x").unwrap();
    assert_ne!(shelf.done("files.identity", &ask).await["facts"], first["facts"]);
    std::fs::rename(shelf.live(), shelf.root.path().join("moved")).unwrap();
    assert!(shelf.done("files.identity", &ask).await["facts"].to_string().contains("there is no folder"));
}
