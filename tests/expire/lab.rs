//! Nights of backups in a folder or in a bucket, and what is left of them.

use crate::home::Home;
use crate::line::{Asked, Line};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::path::PathBuf;

pub struct Lab {
    pub home: Home,
}

pub fn night(day: u32) -> String {
    format!("settings_202609{day:02}.json.gz")
}

pub fn content(day: u32) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    write!(packed, "{{ \"day\": {day}, \"noise\": \"{}\" }}", "0123456789abcdef".repeat(64)).unwrap();
    packed.finish().unwrap()
}

impl Lab {
    /// One store of this definition, one asset with these sources, on a folder `store` that is empty.
    pub fn with(store: &str, sources: &str) -> Self {
        let home = Home::new();
        std::fs::create_dir(home.path("store")).unwrap();
        let text = format!(
            "[estate]\nname = \"shop\"\n\n[[stores]]\nid = \"main\"\n{store}\n\n[[assets]]\nid = \"settings\"\nkind = \
             \"config\"\n{sources}"
        );
        std::fs::write(home.config(), text).unwrap();
        Self { home }
    }

    /// A folder with the nights of 1 to 10 September, of which three are asked for.
    pub fn of_files() -> Self {
        let lab = Self::with("type = \"local\"\npath = \"store\"", &source("settings_{time:%Y%m%d}.json.gz"));
        for day in 1..=10 {
            lab.put(&night(day), &content(day));
        }
        lab
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path("store").join(name)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.file(name).parent().unwrap()).unwrap();
        std::fs::write(self.file(name), bytes).unwrap();
    }

    /// Names in the store, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.home.path("store")).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn prove(&self, day: u32, code: i32) {
        let backup = format!("settings-full-202609{day:02}");
        let done = self.home.relight(&["verify", &backup, "--level", "L3"]);
        assert_eq!(done.status.code(), Some(code), "{}", String::from_utf8_lossy(&[done.stdout, done.stderr].concat()));
    }

    /// A run that stands at its phrase.
    pub fn at_the_phrase(&self, more: &[&str]) -> (Line, Asked) {
        let mut line = self.home.open(&[&ARGUMENTS[..], more].concat());
        line.until("Start this plan?");
        line.say("yes");
        let asked = line.asked().unwrap_or_else(|| panic!("nothing is asked: {}", line.text));
        assert!(asked.phrase.is_some(), "{}", line.text);
        (line, asked)
    }
}

pub const ARGUMENTS: [&str; 5] = ["expire-backups", "--set", "asset=settings", "--set", "store=main"];

pub fn source(pattern: &str) -> String {
    format!(
        "\n  [[assets.sources]]\n  store = \"main\"\n  match = \"{pattern}\"\n  kind = \"full\"\n  retention = {{ \
         daily = 3 }}\n"
    )
}

/// The nights as names.
pub fn nights(days: impl IntoIterator<Item = u32>) -> Vec<String> {
    days.into_iter().map(night).collect()
}
