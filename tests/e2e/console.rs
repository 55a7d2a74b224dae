//! The console itself, in a terminal of its own: a whole restore with key presses, read from the screen.

use crate::line::Line;
use crate::pty::Terminal;
use crate::scene::{Form, Place, RELIGHT, Scene};
use relight::runner::runs::{self, RunEntry};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Longest wait for anything on the screen.
const PATIENCE: Duration = Duration::from_mins(1);

struct Console(Terminal);

impl Console {
    fn open(scene: &Scene) -> Self {
        let (config, state) = (scene.config(), scene.state());
        let arguments = ["--config".into(), config.into_os_string(), "--state".into(), state.into_os_string()];
        let terminal = Terminal::start(Path::new(RELIGHT), &arguments, &BTreeMap::new(), (120, 36)).unwrap();
        let mut console = Self(terminal);
        console.sees("orders");
        console.sees("scanned");
        console
    }

    fn sees(&mut self, text: &str) {
        self.0.wait_for(text, PATIENCE).unwrap();
    }

    fn keys(&mut self, keys: &str) {
        self.0.type_keys(keys).unwrap();
    }

    /// From the overview to the started and armed run.
    fn restore(&mut self) {
        self.keys("R");
        self.sees("p makes the plan");
        self.keys("jj<right>");
        let chosen = |line: &str| line.contains("Copy  ") && line.contains("bucket");
        self.0.wait("the copy in S3", PATIENCE, |screen| screen.lines().any(chosen)).unwrap();
        self.keys("p");
        self.sees("nothing has been changed yet");
        self.sees("from store bucket");
        self.keys("s");
        self.sees("Start this plan?");
        self.keys("y");
        self.sees("Read-only: arm the run");
        self.keys("a");
        self.sees("Arm this run");
        self.keys("rows missing in orders<c-y>");
        self.sees("RUN ARMED");
    }

    /// Opens the question of a step and says yes to it.
    fn says_yes_at(&mut self, step: u32) {
        self.sees(&format!("your turn  {step} "));
        self.keys("a");
        self.sees("Leave open");
        self.keys("y");
        self.0.wait("the dialog closes", PATIENCE, |screen| !screen.contains("Leave open")).unwrap();
    }

    /// Types the phrase of the swap as the dialog shows it.
    fn swaps(&mut self) {
        self.sees("your turn  8 ");
        self.keys("a");
        self.0.wait("the phrase", PATIENCE, |screen| phrase(screen).is_some()).unwrap();
        let phrase = phrase(&self.0.text()).unwrap();
        self.keys(&phrase);
        self.keys("<c-y>");
        self.0.wait("the end", PATIENCE, |screen| screen.contains("completed") && screen.contains(" ended ")).unwrap();
    }

    fn quits(mut self) {
        self.keys("q");
        // It asks first unless it already knows that the runner has gone.
        if self.0.wait_for("Leave the console?", PATIENCE).is_ok() {
            self.keys("y");
        }
        assert_eq!(self.0.exit_code(PATIENCE), Ok(0));
    }
}

/// What the open dialog wants typed.
fn phrase(screen: &str) -> Option<String> {
    screen.lines().find_map(|line| {
        let shown = &line[line.find("swap orders")?..];
        let words: Vec<&str> = shown.split_whitespace().take(3).collect();
        Some(words.join(" "))
    })
}

/// A proven backup is what the form offers by itself.
fn prove(scene: &Scene) {
    let (proven, code) = Line::open(scene, &["verify", "latest", "--asset", "orders"]).finish();
    assert_eq!(code, Some(0), "{proven}");
}

fn newest(scene: &Scene) -> RunEntry {
    runs::list(&scene.state()).unwrap().remove(0)
}

fn name(scene: &Scene, of: &str) -> String {
    newest(scene).state.unwrap().plan.names[of].as_str().unwrap().to_owned()
}

/// The content is back under the live name, the damaged database stands beside it, and nothing else does.
fn restored(scene: &Scene, damaged: &(String, String)) {
    let aside = name(scene, "aside");
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content, "rows and checksums are back");
    assert_eq!(&(scene.shop.oid(&aside), scene.shop.cluster.content(&aside)), damaged, "the old one is kept");
    assert_eq!(scene.shop.databases(&scene.database), [aside], "no side database is left");
    relight::journal::verify(&newest(scene).folder.path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_restore_from_s3_with_key_presses() {
    let scene = Scene::with(Place::Bucket, |shop| Form::CustomGz.bytes(shop)).await;
    let damaged = scene.production();
    prove(&scene);
    let mut console = Console::open(&scene);
    console.restore();
    for step in [3, 5, 7] {
        console.says_yes_at(step);
    }
    console.sees("your turn  8 ");
    assert_eq!(scene.production(), damaged, "untouched until the swap");
    console.swaps();
    restored(&scene, &damaged);
    console.quits();
}
