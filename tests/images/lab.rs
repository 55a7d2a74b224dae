//! A host with an engine, two images of a shop in it, and a folder for their backups.

use crate::disks::Small;
use crate::docker::Docker;
use crate::home::Home;
use crate::proxy::Proxy;
use crate::s3::{BUCKET, KEY, S3Fixture};
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub const API: &str = "shop/api:latest";
pub const WEB: &str = "shop/web:latest";
pub const RESTORE: [&str; 5] = ["restore-images", "--set", "asset=images", "--set", "backup=latest"];

pub struct Lab {
    pub docker: Docker,
    home: Home,
    /// What the engine keeps everything on.
    _disk: Option<Small>,
}

impl Deref for Lab {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Lab {
    pub fn new() -> Self {
        Self::around(Docker::start(), None)
    }

    pub fn on_a_small_disk(size: &str) -> Self {
        let (docker, disk) = Docker::prepared(|data| Small::at(data, size));
        Self::around(docker, Some(disk))
    }

    fn around(docker: Docker, disk: Option<Small>) -> Self {
        let lab = Self { docker, home: Home::new(), _disk: disk };
        lab.docker.image(API, "api one");
        lab.docker.layered(API, WEB, "web one");
        std::fs::create_dir(lab.path("store")).unwrap();
        let script = format!(
            "#!/bin/bash\nat={}/$1\nif [ -e \"$at.hold\" ]; then touch \"$at.reached\"; while [ -e \"$at.hold\" ]; do \
             sleep 0.02; done; fi\nexec {} \"$@\"\n",
            lab.path(".").display(),
            lab.docker.words().join(" ")
        );
        std::fs::write(lab.path("engine"), script).unwrap();
        std::fs::set_permissions(lab.path("engine"), std::fs::Permissions::from_mode(0o755)).unwrap();
        lab.configure("tar.gz");
        lab
    }

    /// Makes the next order of this name wait, and say that it has come so far.
    pub fn hold(&self, order: &str) {
        let _ = std::fs::remove_file(self.path(&format!("{order}.reached")));
        std::fs::write(self.path(&format!("{order}.hold")), "").unwrap();
    }

    /// Waits until it has come there.
    pub fn reached(&self, order: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.path(&format!("{order}.reached")).exists() {
            assert!(Instant::now() < deadline, "`{order}` is not reached");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn let_go(&self, order: &str) {
        std::fs::remove_file(self.path(&format!("{order}.hold"))).unwrap();
    }

    pub fn configure(&self, ending: &str) {
        let text = format!(
            "[estate]\nname = \"shop\"\n\n[[stores]]\nid = \"disk\"\ntype = \"local\"\npath = \"store\"\n\n\
             [[hosts]]\nid = \"here\"\nvia = \"local\"\n\n\
             [[assets]]\nid = \"images\"\nkind = \"images\"\nproof = {{ level = \"L4\", every = \"7d\" }}\n\n\
             \x20 [assets.images]\n  host = \"here\"\n  engine = [\"{}\"]\n  names = [\"{API}\", \"{WEB}\"]\n\n\
             \x20 [[assets.sources]]\n  store = \"disk\"\n  match = \"images_{{time:%Y%m%d_%H%M%S}}.{ending}\"\n  \
             kind = \"archive\"\n",
            self.path("engine").display(),
        );
        std::fs::write(self.config(), text).unwrap();
        let checked = self.relight(&["config", "check"]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }

    pub fn back_up(&self) -> PathBuf {
        self.completed(&["backup-images", "--set", "asset=images"]);
        let files = std::fs::read_dir(self.path("store")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.extension().is_none_or(|ending| ending != "sha256")).max().unwrap()
    }

    /// Takes the newest backup from the folder into a bucket, which is reached through a proxy.
    pub async fn shelve_in_bucket(&self) -> (S3Fixture, Proxy) {
        let archive = self.back_up();
        let s3 = S3Fixture::start().await;
        let proxy = Proxy::start(s3.server.address()).await;
        for file in [archive.clone(), format!("{}.sha256", archive.display()).into()] {
            let name = file.file_name().unwrap().to_str().unwrap();
            s3.put(name, &std::fs::read(&file).unwrap());
            std::fs::remove_file(&file).unwrap();
        }
        let bucket = format!(
            "type = \"s3\"\nbucket = \"{BUCKET}\"\nendpoint = \"{}\"\naccess_key_id = \"{KEY}\"\n\
             secret_access_key = {{ env = \"LAB_S3_SECRET\" }}",
            proxy.endpoint()
        );
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), text.replace("type = \"local\"\npath = \"store\"", &bucket)).unwrap();
        (s3, proxy)
    }

    pub fn ids(&self) -> [String; 2] {
        [self.docker.id(API), self.docker.id(WEB)]
    }

    /// The newest proof of the newest backup.
    pub fn proof(&self) -> serde_json::Value {
        let (catalog, _) = self.json(&["catalog"]);
        let backups = catalog["backups"].as_array().unwrap();
        let newest = backups.iter().max_by_key(|backup| backup["taken_at"].as_str().unwrap().to_owned()).unwrap();
        newest["proof"].clone()
    }
}
