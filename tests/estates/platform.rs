//! The workflow platform: its cluster, its Redis, and nights of backups in buckets as its own scripts make them, in
//! their layout and with their flags.

use crate::home::{Home, free_port, must, stamp, walk};
use crate::physical::{PATIENCE, Physical};
use crate::postgres::BIN;
use crate::s3::{KEY, S3Fixture};
use chrono::{DateTime, Duration, Utc};
use relight::model::time::Clock as _;
use relight::wiring::SystemClock;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

pub const DATABASE: &str = "platform_production";
const BUCKETS: [(&str, &str); 4] = [
    ("db-backups", "platform-db-backups"),
    ("redis-backups", "platform-redis-backups"),
    ("config-backups", "platform-config-backups"),
    ("archive", "platform-db-backups-archive"),
];
const SCHEMA: &str = "CREATE TABLE workflows (id bigserial PRIMARY KEY, name text NOT NULL, state text NOT NULL);\n\
    CREATE TABLE runs (id bigserial PRIMARY KEY, workflow bigint NOT NULL REFERENCES workflows, log text);\n\
    INSERT INTO workflows (name, state) SELECT 'flow ' || n, 'active' FROM generate_series(1, 500) n;\n\
    INSERT INTO runs (workflow, log) SELECT 1 + n % 500, md5(n::text) FROM generate_series(1, 5000) n;";

pub struct Platform {
    pub cluster: Physical,
    pub redis: u16,
    /// Instants of the nightly backups, oldest first.
    pub nights: Vec<DateTime<Utc>>,
    pub s3: S3Fixture,
    home: Home,
}

impl Deref for Platform {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Platform {
    /// The system with its live data, and nothing in its buckets but the log.
    pub async fn bare() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (home, s3) = (Home::new(), S3Fixture::start().await);
        let root = s3.file("").parent().unwrap().to_owned();
        for path in [home.path("."), root.clone()] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        for (_, bucket) in BUCKETS {
            std::fs::create_dir(root.join(bucket)).unwrap();
        }
        let wal = root.join(BUCKETS[0].1).join("wal");
        std::fs::create_dir(&wal).unwrap();
        std::fs::set_permissions(&wal, PermissionsExt::from_mode(0o777)).unwrap();
        let archive =
            format!("archive_mode = on\narchive_timeout = 300\narchive_command = 'cp %p {}/%f'\n", wal.display());
        let cluster = Physical::start_in(&home.path("pg"), &archive);
        cluster.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        cluster.sql(DATABASE, SCHEMA);
        let now = SystemClock.now();
        let today = now.date_naive().and_hms_opt(2, 0, 0).unwrap().and_utc();
        let last = if today > now { today - Duration::days(1) } else { today };
        let nights = (0..2).rev().map(|days| last - Duration::days(days)).collect();
        let lab = Self { cluster, redis: free_port(), nights, s3, home };
        lab.start_redis();
        lab.configure();
        lab
    }

    /// The same after two nights of its scripts.
    pub async fn build() -> Self {
        let lab = Self::bare().await;
        for night in lab.nights.clone() {
            lab.nightly_full(night);
            lab.work(20);
            lab.incremental(night + Duration::hours(6), night);
            lab.nightly_redis(night + Duration::hours(1));
            lab.nightly_configuration(night + Duration::hours(4));
        }
        // The first night was one of a Redis that had its log of changes in one file; the script still looks for that.
        let old = lab.bucket("redis-backups").join(stamp(lab.nights[0] + Duration::hours(1))).join("appendonly.aof");
        std::fs::write(&old, "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$4\r\njob1\r\n$6\r\nqueued\r\n")
            .unwrap();
        must(Command::new("gzip").arg(&old));
        lab.cluster.switch(&lab.wal());
        lab
    }

    pub fn bucket(&self, store: &str) -> PathBuf {
        let name = BUCKETS.iter().find(|(id, _)| *id == store).unwrap().1;
        self.s3.file("").parent().unwrap().join(name)
    }

    pub fn wal(&self) -> PathBuf {
        self.bucket("db-backups").join("wal")
    }

    /// Rows as the application writes them.
    pub fn work(&self, rows: u32) {
        self.cluster.sql(
            DATABASE,
            &format!("INSERT INTO runs (workflow, log) SELECT 1 + n % 500, md5((n * 7)::text) FROM generate_series(1, {rows}) n"),
        );
    }

    fn start_redis(&self) {
        let data = self.path("redis-data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o750)).unwrap();
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
        let settings = format!(
            "bind 127.0.0.1\nport {}\ndir {}\ndaemonize yes\nsave 900 1 300 10 60 10000\nappendonly yes\nappendfsync everysec\n\
             auto-aof-rewrite-percentage 100\nrepl-diskless-sync-delay 0\n",
            self.redis,
            data.display()
        );
        std::fs::write(self.path("redis.conf"), settings).unwrap();
        let ping = format!("redis-cli -p {} PING >/dev/null 2>&1", self.redis);
        let lock = format!("exec 9>{}\nflock 9\n", self.path("service.lock").display());
        let server = "setpriv --reuid=65534 --regid=65534 --clear-groups redis-server";
        let start =
            format!("{lock}{ping} && exit 0\nsetsid --wait {server} {} 9>&-\n", self.path("redis.conf").display());
        let stop = format!("{lock}{ping} || exit 0\nredis-cli -p {} SHUTDOWN\nexit 0\n", self.redis);
        for (name, text) in [("start.sh", start), ("stop.sh", stop)] {
            std::fs::write(self.path(name), format!("#!/bin/bash\n{text}")).unwrap();
            std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        self.restart_redis();
        self.cli(&["EVAL", "for i = 1, 400 do redis.call('SET', 'job:' .. i, 'queued ' .. i) end", "0"]);
    }

    /// Starts it where it does not run.
    pub fn restart_redis(&self) {
        must(&mut Command::new(self.path("start.sh")));
        let deadline = Instant::now() + PATIENCE;
        let answers = || {
            let asked = Command::new("redis-cli").args(["-p", &self.redis.to_string(), "PING"]).output().unwrap();
            String::from_utf8_lossy(&asked.stdout).contains("PONG")
        };
        while !answers() {
            assert!(Instant::now() < deadline, "redis does not answer");
            std::thread::yield_now();
        }
    }

    pub fn cli(&self, words: &[&str]) -> String {
        must(Command::new("redis-cli").args(["-p", &self.redis.to_string()]).args(words)).trim().to_owned()
    }

    fn configure(&self) {
        let at = |name: &str| format!("\"{}\"", self.path(name).display());
        let endpoint = self.s3.server.endpoint();
        let credentials = format!(
            "endpoint = \"{endpoint}\"\naccess_key_id = \"{KEY}\"\nsecret_access_key = {{ env = \"LAB_S3_SECRET\" }}\n"
        );
        let of = |region: &str| (format!("region = \"{region}\"\n"), format!("region = \"{region}\"\n{credentials}"));
        let (east, west) = (of("us-east-1"), of("us-west-2"));
        let server = format!("host = \"127.0.0.1\"\nport = {}\nbin_dir = \"{BIN}\"", self.cluster.port);
        let redis = format!("host = \"127.0.0.1\"\nport = {}", self.redis);
        let host = format!("run_as = {}", self.cluster.run_as());
        let data = format!("data_dir = {}\n  bin_dir = \"{BIN}\"", at("pg/main"));
        let (stop, start) = (format!("[{}]", at("stop.sh")), format!("[{}]", at("start.sh")));
        let folder = at("redis-data");
        self.home.configure(
            "platform",
            &[
                (&east.0, &east.1),
                (&west.0, &west.1),
                ("run_as = [\"runuser\", \"-u\", \"postgres\", \"--\"]", &host),
                ("host = \"localhost\"\nport = 5432", &server),
                ("data_dir = \"/var/lib/postgresql/14/main\"\n  bin_dir = \"/usr/lib/postgresql/14/bin\"", &data),
                ("host = \"localhost\"\nport = 6379", &redis),
                ("\"/var/lib/redis\"", &folder),
                ("[\"systemctl\", \"stop\", \"redis\"]", &stop),
                ("[\"systemctl\", \"start\", \"redis\"]", &start),
            ],
        );
    }

    /// What the script's upload does: everything of the folder under its prefix.
    fn upload(&self, folder: &Path, store: &str, prefix: &str) {
        let to = self.bucket(store).join(prefix);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        must(Command::new("cp").arg("-r").arg(folder).arg(&to));
        must(Command::new("rm").arg("-rf").arg(folder));
    }

    fn staging(&self, name: &str) -> PathBuf {
        let folder = self.path("pg").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        self.cluster.give(&folder);
        folder
    }

    fn metadata(folder: &Path, more: &str) {
        let size: u64 = walk(folder).iter().map(|file| file.metadata().unwrap().len()).sum();
        let text = format!("{{\"database\": \"{DATABASE}\", \"size_bytes\": {size}, \"duration_seconds\": 3, {more}}}");
        std::fs::write(folder.join("metadata.json"), text).unwrap();
    }

    fn nightly_full(&self, night: DateTime<Utc>) {
        let name = format!("full_{}", stamp(night));
        let folder = self.staging(&name);
        let to = folder.to_str().unwrap();
        self.cluster
            .must("pg_basebackup", &["-D", to, "-F", "tar", "-z", "-P", "-X", "stream", "-c", "fast", "-l", &name]);
        let more = format!(
            "\"backup_type\": \"full\", \"timestamp\": \"{}\", \"s3_path\": \"s3://platform-db-backups/full/{name}/\", \
             \"recovery_target_time\": \"{}\"",
            stamp(night),
            SystemClock.now().format("%Y-%m-%d %H:%M:%S UTC")
        );
        Self::metadata(&folder, &more);
        self.upload(&folder, "db-backups", &format!("full/{name}"));
    }

    /// Segments as the receiver writes them, one of them unfinished.
    fn incremental(&self, at: DateTime<Utc>, full: DateTime<Utc>) {
        let name = format!("incremental_{}", stamp(at));
        let folder = self.staging(&name);
        let end = self.cluster.sql("postgres", "SELECT pg_current_wal_lsn() + 16 * 1024 * 1024");
        let mut receiver = self.cluster.program("pg_receivewal");
        receiver.args(["--synchronous", "--compress=9", "--no-loop", "--endpos", &end, "-D"]).arg(&folder);
        let mut child = receiver.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the receiver does not come to its end");
            self.work(10);
            self.cluster.sql("postgres", "SELECT pg_switch_wal()");
        }
        let more = format!(
            "\"backup_type\": \"incremental\", \"timestamp\": \"{}\", \"base_backup\": \"full_{}\", \
             \"s3_path\": \"s3://platform-db-backups/incremental/{name}/\"",
            stamp(at),
            stamp(full)
        );
        Self::metadata(&folder, &more);
        self.upload(&folder, "db-backups", &format!("incremental/{name}"));
    }

    pub fn nightly_redis(&self, at: DateTime<Utc>) {
        self.cli(&["BGSAVE"]);
        let deadline = Instant::now() + PATIENCE;
        while !self.cli(&["INFO", "persistence"]).contains("rdb_bgsave_in_progress:0") {
            assert!(Instant::now() < deadline, "the snapshot is not made");
            std::thread::yield_now();
        }
        let folder = self.staging("redis");
        must(Command::new("cp").arg(self.path("redis-data/dump.rdb")).arg(&folder));
        must(Command::new("gzip").arg(folder.join("dump.rdb")));
        // `appendonly.aof` is looked for in the data folder, where Redis 7 has a folder instead: it is skipped in silence.
        assert!(!self.path("redis-data/appendonly.aof").exists());
        self.upload(&folder, "redis-backups", &stamp(at));
    }

    fn nightly_configuration(&self, at: DateTime<Utc>) {
        for (tool, folder, files) in [
            ("k8s", "kubernetes", ["production_all.yaml", "production_secrets.yaml"]),
            ("helm", "helm", ["gateway_values.yaml", "gateway_manifest.yaml"]),
            ("argocd", "argocd", ["applications.yaml", "projects.yaml"]),
        ] {
            let name = format!("{tool}_{}", stamp(at));
            let export = self.staging(&name);
            for file in files {
                std::fs::write(export.join(file), format!("kind: List # {file}\n")).unwrap();
            }
            let to = self.bucket("config-backups").join(folder);
            std::fs::create_dir_all(&to).unwrap();
            let archive = to.join(format!("{name}.tar.gz"));
            must(Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(self.path("pg")).arg(&name));
            must(Command::new("rm").arg("-rf").arg(export));
        }
    }

    /// Every row in primary order, as checksums.
    pub fn content(&self) -> String {
        self.cluster.sql(
            DATABASE,
            "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM workflows t; \
             SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM runs t",
        )
    }

    /// Every backup by an own walk over the buckets: files by name, fulls and incrementals by their folder.
    pub fn listed(&self) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (store, _) in BUCKETS {
            let root = self.bucket(store);
            for file in walk(&root) {
                let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let parts: Vec<&str> = name.split('/').collect();
                match parts.as_slice() {
                    ["wal", ..] => continue,
                    ["full" | "incremental", folder, ..] => {
                        found.insert((store.to_owned(), format!("{}/{folder}/", parts[0])))
                    }
                    _ => found.insert((store.to_owned(), name)),
                };
            }
        }
        found
    }
}

/// No server outlives its test.
impl Drop for Platform {
    fn drop(&mut self) {
        crate::runners::end_all(&self.state());
        crate::workers::end_all_in(&self.path("redis-data"));
    }
}
