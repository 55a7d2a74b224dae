//! The anomaly-detection service: database with its log, registry of models and six folders of configuration, and nights
//! of backups as its own scripts make them: in their layout, each job with a second of its own.

use crate::home::{Home, must, stamp, walk};
use crate::physical::Physical;
use crate::postgres::BIN;
use crate::proxy::Proxy;
use crate::s3::{BUCKET, KEY, S3Fixture};
use chrono::{DateTime, Duration, Utc};
use relight::model::time::Clock as _;
use relight::wiring::SystemClock;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const DATABASE: &str = "pynomaly";
pub const MODELS: &str = "pynomaly-model-backups";
const SCHEMA: &str = "CREATE TABLE detectors (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, threshold float8 NOT NULL);\n\
    CREATE TABLE anomalies (id bigserial PRIMARY KEY, detector bigint NOT NULL REFERENCES detectors, score float8 NOT NULL, \
      at timestamptz NOT NULL);\n\
    INSERT INTO detectors (name, threshold) SELECT 'detector ' || n, n / 50.0 FROM generate_series(1, 50) n;\n\
    INSERT INTO anomalies (detector, score, at) SELECT 1 + n % 50, n / 5000.0, \
      timestamptz '2026-01-01' + n * interval '1 minute' FROM generate_series(1, 5000) n;";

/// Folders of configuration below the lab, as the script packs them: one archive of all.
pub const TREES: [&str; 6] = [
    "etc/pynomaly",
    "opt/pynomaly/config",
    "etc/nginx/sites-available",
    "etc/systemd/system",
    "etc/prometheus",
    "etc/grafana",
];

pub struct Deploy {
    pub cluster: Physical,
    pub s3: S3Fixture,
    /// Stands before the buckets.
    pub proxy: Proxy,
    /// Instants at which the scripts of a night begin, oldest first.
    pub nights: Vec<DateTime<Utc>>,
    home: Home,
}

impl Deref for Deploy {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Deploy {
    pub async fn build() -> Self {
        let (home, s3) = (Home::new(), S3Fixture::start().await);
        let address = s3.server.endpoint().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        let proxy = Proxy::start(address).await;
        std::fs::set_permissions(home.path("."), PermissionsExt::from_mode(0o755)).unwrap();
        let wal = home.path("backup/postgres/wal");
        std::fs::create_dir_all(&wal).unwrap();
        std::fs::set_permissions(&wal, PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::create_dir(s3.file("").parent().unwrap().join(MODELS)).unwrap();
        let archive = format!("archive_mode = on\narchive_command = 'cp %p {}/%f'\n", wal.display());
        let cluster = Physical::start_in(&home.path("pg"), &archive);
        cluster.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        cluster.sql(DATABASE, SCHEMA);
        let now = SystemClock.now();
        let today = now.date_naive().and_hms_opt(2, 0, 0).unwrap().and_utc();
        // While tonight's backups are being made, last night's are too old already: they are waited for.
        let made = today + Duration::seconds(90);
        if (today..made).contains(&now) {
            tokio::time::sleep((made - now).to_std().unwrap()).await;
        }
        let last = if today > now { today - Duration::days(1) } else { today };
        let nights = (0..2).rev().map(|days| last - Duration::days(days)).collect();
        let lab = Self { cluster, s3, proxy, nights, home };
        lab.live();
        lab.configure();
        for night in lab.nights.clone() {
            lab.nightly(night);
        }
        lab
    }

    fn live(&self) {
        for (file, text) in [
            ("etc/pynomaly/settings.toml", "workers = 4\n"),
            ("etc/pynomaly-old/settings.toml", "workers = 1\n"),
            ("opt/pynomaly/config/detectors.yml", "default: isolation-forest\n"),
            ("etc/nginx/sites-available/api", "server {}\n"),
            ("etc/systemd/system/pynomaly.service", "[Service]\nExecStart=/opt/pynomaly/bin/api\n"),
            ("etc/prometheus/prometheus.yml", "global: {}\n"),
            ("etc/grafana/grafana.ini", "[server]\n"),
        ] {
            let file = self.path(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
        }
        // One name is the beginning of the next.
        for (model, bytes) in [("model-1", 9000), ("model-10", 70_000), ("fraud", 400)] {
            let folder = self.path("data/models").join(model);
            std::fs::create_dir_all(folder.join("weights")).unwrap();
            let weights: Vec<u8> = (0..bytes).map(|n: usize| (n * model.len() % 251) as u8).collect();
            std::fs::write(folder.join("weights/0.bin"), weights).unwrap();
            std::fs::write(folder.join("model.json"), format!("{{\"id\": \"{model}\"}}\n")).unwrap();
        }
    }

    fn configure(&self) {
        let at = |name: &str| format!("\"{}\"", self.path(name).display());
        let (port, endpoint) = (self.cluster.port, self.proxy.endpoint());
        let bucket = |name: &str| {
            format!(
                "bucket = \"{name}\"\nendpoint = \"{endpoint}\"\naccess_key_id = \"{KEY}\"\n\
                 secret_access_key = {{ env = \"LAB_S3_SECRET\" }}"
            )
        };
        let mut places: Vec<(String, String)> = vec![
            ("path = \"/backup\"".into(), format!("path = {}", at("backup"))),
            ("bucket = \"pynomaly-backups\"\nregion = \"us-east-1\"".into(), bucket(BUCKET)),
            (format!("bucket = \"{MODELS}\"\nregion = \"us-east-1\""), bucket(MODELS)),
            (
                "host = \"localhost\"\nport = 5432".into(),
                format!("host = \"127.0.0.1\"\nport = {port}\nbin_dir = \"{BIN}\""),
            ),
            (
                "run_as = [\"runuser\", \"-u\", \"postgres\", \"--\"]".into(),
                format!("run_as = {}", self.cluster.run_as()),
            ),
            (
                "data_dir = \"/var/lib/postgresql/15/main\"\n  bin_dir = \"/usr/lib/postgresql/15/bin\"".into(),
                format!("data_dir = \"{}\"\n  bin_dir = \"{BIN}\"", self.cluster.data.display()),
            ),
            ("\"/data/models\"".into(), at("data/models")),
            ("\"/var/tmp/drills/models\"".into(), at("drills/models")),
            // No application runs in the lab; its answer is not part of what is tested.
            ("health_url = \"http://localhost:8000/health\"\n".into(), String::new()),
        ];
        places.extend(TREES.map(|tree| (format!("\"/{tree}\""), at(tree))));
        let places: Vec<(&str, &str)> = places.iter().map(|(there, here)| (there.as_str(), here.as_str())).collect();
        std::fs::create_dir(self.path("drills")).unwrap();
        self.home.configure("pynomaly-deploy", &places);
    }

    /// The three jobs of a night, each with its own stamp.
    fn nightly(&self, night: DateTime<Utc>) {
        self.nightly_dump(night + Duration::seconds(1));
        self.nightly_config(night + Duration::seconds(38));
        self.nightly_models(night + Duration::seconds(73));
    }

    /// Custom format at the highest level, then gzip over it, under a name that says plain SQL.
    fn nightly_dump(&self, at: DateTime<Utc>) {
        let name = format!("pynomaly_backup_{}.sql.gz", stamp(at));
        let folder = self.path("backup/postgres/daily");
        std::fs::create_dir_all(&folder).unwrap();
        let plain = folder.join(name.trim_end_matches(".gz"));
        let mut dump = Command::new(Path::new(BIN).join("pg_dump"));
        dump.env("PGHOST", "127.0.0.1").env("PGPORT", self.cluster.port.to_string());
        must(dump.args(["-U", "postgres", "-d", DATABASE, "-F", "c", "--compress=9", "--file"]).arg(&plain));
        must(Command::new("gzip").arg(&plain));
        self.s3.put(&format!("postgres/daily/{name}"), &std::fs::read(folder.join(&name)).unwrap());
    }

    fn nightly_config(&self, at: DateTime<Utc>) {
        let name = format!("config_backup_{}.tar.gz", stamp(at));
        let folder = self.path("backup/config");
        std::fs::create_dir_all(&folder).unwrap();
        let mut tar = Command::new("tar");
        tar.args(["--exclude=*.log", "--exclude=*.tmp", "--exclude=*.cache", "-czf"]).arg(folder.join(&name));
        must(tar.args(TREES.map(|tree| self.path(tree))));
        self.s3.put(&format!("config/{name}"), &std::fs::read(folder.join(&name)).unwrap());
    }

    /// Every file of every model, then the manifest: what the model script leaves in its bucket.
    pub fn nightly_models(&self, at: DateTime<Utc>) {
        let root = self.path("data/models");
        let mut models = Vec::new();
        let mut ids: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
        ids.sort();
        for model in ids {
            let id = model.file_name().unwrap().to_str().unwrap().to_owned();
            let files: Vec<Value> = walk(&model)
                .into_iter()
                .map(|file| {
                    let bytes = std::fs::read(&file).unwrap();
                    let relative = file.strip_prefix(&model).unwrap().to_str().unwrap().to_owned();
                    self.put_model(&format!("models/{}/{id}/{relative}", stamp(at)), &bytes);
                    json!({
                        "name": file.file_name().unwrap().to_str().unwrap(),
                        "relative_path": relative,
                        "size": bytes.len(),
                        "checksum": hex::encode(Sha256::digest(&bytes)),
                        "modified": 1_768_000_000.25,
                    })
                })
                .collect();
            let total: u64 = files.iter().map(|file| file["size"].as_u64().unwrap()).sum();
            models.push(json!({
                "model_id": id, "path": model.to_str().unwrap(), "total_size": total, "files": files,
            }));
        }
        let manifest = json!({
            "backup_timestamp": (at - Duration::seconds(2)).format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            "registry_path": root.to_str().unwrap(),
            "models": models,
        });
        let text = serde_json::to_vec_pretty(&manifest).unwrap();
        self.put_model(&format!("manifests/manifest_{}.json", stamp(at)), &text);
    }

    /// The file behind a key of the models' bucket.
    pub fn model_file(&self, key: &str) -> PathBuf {
        self.s3.file("").parent().unwrap().join(MODELS).join(key)
    }

    fn put_model(&self, key: &str, bytes: &[u8]) {
        let file = self.model_file(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// Stamp of the newest run of the models' script.
    pub fn models_stamp(&self) -> String {
        stamp(self.nights[1] + Duration::seconds(73))
    }

    /// The segment that is written now, closed and archived.
    pub fn archived(&self) {
        self.cluster.sql(DATABASE, "UPDATE detectors SET threshold = threshold");
        self.cluster.switch(&self.path("backup/postgres/wal"));
    }

    /// Every row of both tables in primary order, as checksums.
    pub fn content(&self, database: &str) -> String {
        self.cluster.sql(
            database,
            "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM detectors t; \
             SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM anomalies t",
        )
    }

    /// Every backup by an own walk: files by name, runs of the models' script by their folder.
    pub fn listed(&self) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        let buckets = self.s3.file("").parent().unwrap().to_owned();
        for (store, root) in
            [("host", self.path("backup")), ("bucket", buckets.join(BUCKET)), ("model-bucket", buckets.join(MODELS))]
        {
            for file in walk(&root) {
                let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let parts: Vec<&str> = name.split('/').collect();
                let backup = match parts.as_slice() {
                    ["postgres", "wal", _] | ["manifests", _] => continue,
                    ["postgres", "base", stamp, ..] => format!("postgres/base/{stamp}/"),
                    ["models", stamp, ..] => format!("models/{stamp}/"),
                    _ if name.ends_with(".sha256") => continue,
                    _ => name,
                };
                found.insert((store.to_owned(), backup));
            }
        }
        found
    }

    /// `verify` of the newest backup: what it said, and its exit code.
    pub fn verify(&self, asset: &str) -> (String, Option<i32>) {
        let done = self.relight(&["verify", "latest", "--asset", asset]);
        (String::from_utf8([done.stdout, done.stderr].concat()).unwrap(), done.status.code())
    }
}
