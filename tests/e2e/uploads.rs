//! What a test of the folder restore has around it: a live folder, and its backup as an archive in the bucket
//! or as a tree on the shelf.

use crate::home::Home;
use crate::scene::Place;
use crate::shop::gzip;
use relight::runbook::Plan;
use serde_json::{Value, json};
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const ARCHIVE: &str = "uploads_20260102_021500.tar.gz";
const TREE: &str = "uploads_20260102_021500";
const SUMS: &str = "checksums.txt";
/// The phrase of the swap is asked at this step; 3 unpacks, 5 asks for the writers.
pub const SWAP: u32 = 6;
pub const STEPS: u32 = 8;

pub struct Uploads {
    home: Home,
    /// What the live folder held when it was backed up.
    pub original: Vec<String>,
}

impl Deref for Uploads {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Uploads {
    /// A folder with its backup at `place`, damaged after it.
    pub async fn with(place: Place) -> Self {
        Self::on(place, |_| ()).await.0
    }

    /// The same, below a parent folder that `prepare` makes ready, by mounting a filesystem there for example.
    pub async fn on<T>(place: Place, prepare: impl FnOnce(&Home) -> T) -> (Self, T) {
        let mut uploads = Self { home: Home::new().await, original: Vec::new() };
        std::fs::create_dir(uploads.parent()).unwrap();
        let prepared = prepare(&uploads.home);
        uploads.fill(place);
        if place == Place::Folder {
            // A tree is proven against sums that lie in it.
            uploads.sum();
        }
        uploads.original = Self::picture(&uploads.live());
        uploads.back_up(place);
        std::fs::write(uploads.config(), uploads.config_text()).unwrap();
        std::fs::remove_file(uploads.live().join("a.txt")).unwrap();
        std::fs::write(uploads.live().join("deep/er/big.bin"), "overwritten").unwrap();
        std::fs::write(uploads.live().join("new.txt"), "made after the backup").unwrap();
        (uploads, prepared)
    }

    pub fn parent(&self) -> PathBuf {
        self.path("live")
    }

    pub fn live(&self) -> PathBuf {
        self.parent().join("uploads")
    }

    fn fill(&self, place: Place) {
        let live = self.live();
        std::fs::create_dir_all(live.join("deep/er")).unwrap();
        std::fs::write(live.join("a.txt"), "hello").unwrap();
        std::fs::write(live.join("deep/er/big.bin"), noise(1_500_000)).unwrap();
        if place == Place::Folder {
            return;
        }
        // What an archive records and a tree of objects cannot.
        std::fs::write(live.join("deep/esc\u{1b}[2J\nname"), "odd").unwrap();
        std::fs::write(live.join("empty"), "").unwrap();
        std::fs::create_dir(live.join("no files")).unwrap();
        std::fs::write(live.join("secret"), "key").unwrap();
        std::fs::set_permissions(live.join("secret"), PermissionsExt::from_mode(0o640)).unwrap();
        std::fs::set_permissions(live.join("deep"), PermissionsExt::from_mode(0o2550)).unwrap();
        std::fs::hard_link(live.join("secret"), live.join("same")).unwrap();
        symlink("secret", live.join("link")).unwrap();
    }

    fn sum(&self) {
        let sum = |name: &str| {
            let bytes = std::fs::read(self.live().join(name)).unwrap();
            format!("{}  {name}\n", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(bytes)))
        };
        std::fs::write(self.live().join(SUMS), ["a.txt", "deep/er/big.bin"].map(sum).concat()).unwrap();
    }

    /// A tree of which nobody recorded what must be in it.
    pub fn forget_sums(&mut self) {
        std::fs::remove_file(self.path("shelf").join(TREE).join(SUMS)).unwrap();
        self.original.retain(|line| !line.starts_with(SUMS));
    }

    fn back_up(&self, place: Place) {
        match place {
            Place::Bucket => self.put(&gzip(&archive(&self.live()))),
            Place::Folder => {
                let copied =
                    Command::new("cp").arg("-a").arg(self.live()).arg(self.path("shelf").join(TREE)).status().unwrap();
                assert!(copied.success());
            }
        }
    }

    /// Puts or replaces the archive in the bucket.
    pub fn put(&self, bytes: &[u8]) {
        self.s3.put(&format!("files/{ARCHIVE}"), bytes);
    }

    fn config_text(&self) -> String {
        let estate = self.estate("files/");
        format!(
            r#"{estate}

[[assets]]
id = "uploads"
kind = "files"
rpo = "1h"
rto = "1h"
path = "live/uploads"

  [[assets.sources]]
  store = "shelf"
  match = "uploads_{{time:%Y%m%d_%H%M%S}}/"
  kind = "full"

  [[assets.sources]]
  store = "bucket"
  match = "uploads_{{time:%Y%m%d_%H%M%S}}.tar.gz"
  kind = "full"
"#
        )
    }

    /// The application's health address becomes part of the asset.
    pub fn with_health_url(&self, url: &str) {
        self.reconfigure(|text| text.replace("rto = \"1h\"", &format!("rto = \"1h\"\nhealth_url = \"{url}\"")));
    }

    pub async fn plan(&self, given: Value) -> Result<Plan, Vec<String>> {
        let mut values = json!({ "asset": "uploads", "backup": "latest" });
        let (Value::Object(into), Value::Object(given)) = (&mut values, given) else { panic!("not a table") };
        into.extend(given);
        self.plan_of("restore-files", values).await
    }

    /// Which folder has the live name, and all that is in it: what must not change before the swap.
    pub fn production(&self) -> (u64, Vec<String>) {
        (self.live().symlink_metadata().unwrap().ino(), Self::picture(&self.live()))
    }

    /// Names beside the live folder.
    pub fn beside(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.parent()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| *path != self.live() && !path.ends_with("lost+found")).collect()
    }

    /// Everything below a folder: name, kind, mode, owner, content.
    pub fn picture(root: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let content = if meta.is_dir() {
                    open.push(path.clone());
                    "folder".to_owned()
                } else if meta.is_symlink() {
                    format!("link {}", std::fs::read_link(&path).unwrap().display())
                } else {
                    hex::encode(<sha2::Sha256 as sha2::Digest>::digest(std::fs::read(&path).unwrap()))
                };
                let name = path.strip_prefix(root).unwrap();
                lines.push(format!("{} {:o} {} {content}", name.display(), meta.mode(), meta.uid()));
            }
        }
        lines.sort();
        lines
    }

    /// The backup has the live name, the damaged folder its dated one, and nothing else is left.
    pub fn restored(&self, damaged: &(u64, Vec<String>)) {
        let aside = PathBuf::from(self.name("aside"));
        assert_eq!(Self::picture(&self.live()), self.original, "every file is back");
        assert_eq!((aside.symlink_metadata().unwrap().ino(), Self::picture(&aside)), *damaged, "the old one is kept");
        assert_eq!(self.beside(), [aside], "no side folder is left");
        relight::journal::verify(&self.newest_run().folder.path).unwrap();
    }
}

/// Bytes that do not compress, the same each time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..count).map(next).collect()
}

pub fn archive(root: &Path) -> Vec<u8> {
    let output = Command::new("tar").arg("-C").arg(root).args(["-cf", "-", "."]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
