//! The service that cron backs up: database, Redis, application data and configuration, and nights of backups as its own
//! scripts make them, in their layout and with their options.

use crate::home::{Home, free_port, must, stamp, walk};
use crate::postgres::{BIN, Cluster};
use crate::s3::{BUCKET, KEY, S3Fixture};
use chrono::{DateTime, Duration, Utc};
use relight::model::time::Clock as _;
use relight::wiring::SystemClock;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

pub const DATABASE: &str = "pynomaly_prod";
const DATA: &str = "pynomaly-data-prod";
const NOBODY: &str = "65534";
const SCHEMA: &str = "CREATE TABLE models (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE);\n\
    CREATE TABLE predictions (id bigserial PRIMARY KEY, model bigint NOT NULL REFERENCES models, score float8 NOT NULL);\n\
    INSERT INTO models (name) SELECT 'model ' || n FROM generate_series(1, 40) n;\n\
    INSERT INTO predictions (model, score) SELECT 1 + n % 40, n / 6000.0 FROM generate_series(1, 6000) n;";
/// What cron runs; the job for Redis is not among it.
const CRON: &str = "0 2 * * * root /opt/pynomaly/scripts/backup/backup-database.sh\n\
    15 2 * * * root /opt/pynomaly/scripts/backup/backup-application-data.sh\n\
    30 2 * * * root /opt/pynomaly/scripts/backup/backup-configurations.sh\n\
    45 2 * * * root /opt/pynomaly/scripts/backup/backup-logs.sh\n\
    0 * * * * root /opt/pynomaly/scripts/backup/backup-database-incremental.sh\n\
    30 * * * * root /opt/pynomaly/scripts/backup/backup-critical-data.sh\n";

pub struct Ops {
    pub cluster: Cluster,
    pub s3: S3Fixture,
    /// Instants of the nightly dumps, oldest first.
    pub nights: Vec<DateTime<Utc>>,
    pub redis: u16,
    home: Home,
}

impl Deref for Ops {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Ops {
    pub async fn build() -> Self {
        let (home, s3, cluster) = (Home::new(), S3Fixture::start().await, Cluster::start());
        std::fs::set_permissions(home.path("."), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(s3.file("").parent().unwrap().join(DATA)).unwrap();
        cluster.sql("postgres", "CREATE ROLE postgres SUPERUSER LOGIN");
        cluster.sql("postgres", &format!("CREATE DATABASE {DATABASE} OWNER postgres"));
        cluster.sql(DATABASE, SCHEMA);
        let redis = free_port();
        let now = SystemClock.now();
        let today = now.date_naive().and_hms_opt(2, 0, 1).unwrap().and_utc();
        let last = if today + Duration::hours(1) > now { today - Duration::days(1) } else { today };
        let nights = (0..2).rev().map(|days| last - Duration::days(days)).collect();
        let lab = Self { cluster, s3, nights, redis, home };
        lab.live();
        lab.start_redis();
        lab.configure();
        for night in lab.nights.clone() {
            lab.nightly_dump(night);
            lab.nightly_data(night + Duration::minutes(15));
            lab.nightly_config(night + Duration::minutes(30));
        }
        // Somebody ran the script for Redis by hand, a day and an hour ago.
        lab.redis_dump(now - Duration::hours(25));
        lab
    }

    fn live(&self) {
        for (file, text) in [
            ("opt/data/datasets/a.csv", "1,2\n"),
            ("opt/data/uploads/notes.txt", "notes\n"),
            ("opt/data/scratch.tmp", "not backed up to the bucket\n"),
            ("opt/config/app.yml", "workers: 4\n"),
            ("opt/config/secrets/token", "open sesame\n"),
            ("keys/backup.key", "a passphrase of the operators\n"),
            ("etc/cron.d/pynomaly-backup", ""),
        ] {
            let file = self.path(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
        }
        for (name, mode) in [("keys/backup.key", 0o600), ("opt/config/secrets/token", 0o640)] {
            std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(mode)).unwrap();
        }
        for folder in ["database", "redis", "application/current", "application/incremental", "config"] {
            std::fs::create_dir_all(self.path("backups").join(folder)).unwrap();
        }
        std::fs::create_dir(self.path("drills")).unwrap();
        // The scripts that have a body; of those for logs and critical data there are lines and nothing else.
        let scripts = self.path("opt/scripts");
        std::fs::create_dir(&scripts).unwrap();
        for name in ["backup-database", "backup-application-data", "backup-configurations", "backup-redis"] {
            let script = scripts.join(format!("{name}.sh"));
            std::fs::write(&script, "#!/bin/bash\n").unwrap();
            std::fs::set_permissions(script, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let cron = CRON.replace("/opt/pynomaly/scripts/backup", scripts.to_str().unwrap());
        std::fs::write(self.path("etc/cron.d/pynomaly-backup"), cron).unwrap();
    }

    fn start_redis(&self) {
        let data = self.path("redis-data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o750)).unwrap();
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
        let (port, folder) = (self.redis, data.display());
        let settings = format!("bind 127.0.0.1\nport {port}\ndir {folder}\ndaemonize yes\nsave 900 1\n");
        std::fs::write(self.path("redis.conf"), settings).unwrap();
        let ping = format!("redis-cli -p {port} PING >/dev/null 2>&1");
        let lock = format!("exec 9>{}\nflock 9\n", self.path("service.lock").display());
        let server = format!("setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups redis-server");
        let settings = self.path("redis.conf");
        let start = format!("{lock}{ping} && exit 0\nsetsid --wait {server} {} 9>&-\n", settings.display());
        let stop = format!("{lock}{ping} || exit 0\nredis-cli -p {port} SHUTDOWN\nexit 0\n");
        for (name, text) in [("start.sh", start), ("stop.sh", stop)] {
            std::fs::write(self.path(name), format!("#!/bin/bash\n{text}")).unwrap();
            std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        must(&mut Command::new(self.path("start.sh")));
        self.until("redis answers", || self.try_cli(&["PING"]).contains("PONG"));
        self.cli(&["EVAL", "for i = 1, 200 do redis.call('SET', 'score:' .. i, i) end", "0"]);
    }

    fn until(&self, what: &str, reached: impl Fn() -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !reached() {
            assert!(std::time::Instant::now() < deadline, "not in time: {what}, port {}", self.redis);
            std::thread::yield_now();
        }
    }

    fn try_cli(&self, words: &[&str]) -> String {
        let done = Command::new("redis-cli").args(["-p", &self.redis.to_string()]).args(words).output().unwrap();
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    pub fn cli(&self, words: &[&str]) -> String {
        must(Command::new("redis-cli").args(["-p", &self.redis.to_string()]).args(words)).trim().to_owned()
    }

    fn configure(&self) {
        let at = |name: &str| format!("\"{}\"", self.path(name).display());
        let (port, endpoint) = (self.cluster.port, self.s3.server.endpoint());
        let bucket = |name: &str| {
            format!(
                "bucket = \"{name}\"\nendpoint = \"{endpoint}\"\naccess_key_id = \"{KEY}\"\n\
                 secret_access_key = {{ env = \"LAB_S3_SECRET\" }}"
            )
        };
        let places: Vec<(&str, String)> = vec![
            ("path = \"/var/backups/pynomaly\"", format!("path = {}", at("backups"))),
            ("bucket = \"pynomaly-backups-prod\"\nregion = \"us-east-1\"", bucket(BUCKET)),
            ("bucket = \"pynomaly-data-prod\"\nregion = \"us-east-1\"", bucket(DATA)),
            ("\"/opt/pynomaly/backup.key\"", at("keys/backup.key")),
            ("host = \"localhost\"\nport = 5432", format!("host = \"127.0.0.1\"\nport = {port}\nbin_dir = \"{BIN}\"")),
            ("host = \"localhost\"\nport = 6379", format!("host = \"127.0.0.1\"\nport = {}", self.redis)),
            ("\"/var/lib/redis\"", at("redis-data")),
            ("[\"systemctl\", \"stop\", \"redis\"]", format!("[{}]", at("stop.sh"))),
            ("[\"systemctl\", \"start\", \"redis\"]", format!("[{}]", at("start.sh"))),
            ("\"/etc/cron.d/pynomaly-backup\"", at("etc/cron.d/pynomaly-backup")),
            ("\"/opt/pynomaly/data\"", at("opt/data")),
            ("\"/opt/pynomaly/config\"", at("opt/config")),
            ("\"/var/tmp/drills/data\"", at("drills/data")),
            // No application runs in the lab; its answer is not part of what is tested.
            ("health_url = \"http://localhost:8000/health\"\n", String::new()),
        ];
        let places: Vec<(&str, &str)> = places.iter().map(|(there, here)| (*there, here.as_str())).collect();
        self.home.configure("pynomaly-ops", &places);
    }

    /// Plain SQL, compressed by `pg_dump` itself, and a row in the catalog under another name.
    fn nightly_dump(&self, at: DateTime<Utc>) {
        let folder = self.path("backups/database");
        let file = folder.join(format!("pynomaly_db_{}.sql.gz", stamp(at)));
        let mut dump = self.cluster.program("pg_dump");
        dump.args(["-U", "postgres", "-d", DATABASE, "--no-password", "--verbose", "--format=plain", "--compress=9"]);
        must(dump.arg("--file").arg(&file));
        let bytes = std::fs::read(&file).unwrap();
        self.s3.put(&format!("database/daily/{}", file.file_name().unwrap().to_str().unwrap()), &bytes);
        let mut catalog =
            std::fs::File::options().create(true).append(true).open(folder.join("backup_catalog.csv")).unwrap();
        let done = (at + Duration::seconds(40)).format("%Y-%m-%dT%H:%M:%SZ");
        writeln!(catalog, "database_backup_{}.sql.gz,{done},{}", stamp(at), bytes.len()).unwrap();
    }

    /// The mirror, with what it replaces moved to a dated folder; and what the bucket gets of it.
    fn nightly_data(&self, at: DateTime<Utc>) {
        let backups = self.path("backups/application");
        let mut rsync = Command::new("rsync");
        rsync.args(["-a", "--delete", "--backup"]);
        rsync.arg(format!("--backup-dir={}", backups.join("incremental").join(stamp(at)).display()));
        must(rsync.arg(format!("{}/", self.path("opt/data").display())).arg(backups.join("current")));
        let root = self.path("opt/data");
        for file in walk(&root) {
            let name = file.strip_prefix(&root).unwrap();
            if name.extension().is_none_or(|ending| ending != "tmp" && ending != "log") {
                let there = self.data_bucket().join(name);
                std::fs::create_dir_all(there.parent().unwrap()).unwrap();
                std::fs::copy(&file, there).unwrap();
            }
        }
        // The next night finds another content.
        std::fs::write(root.join("datasets/a.csv"), format!("1,2\n{}\n", stamp(at))).unwrap();
    }

    /// The very options of the script; and those without which it cannot work where there is no terminal.
    fn nightly_config(&self, at: DateTime<Utc>) {
        let plain = self.path("backups/config").join(format!("config_{}.tar.gz", stamp(at)));
        must(Command::new("tar").arg("-czf").arg(&plain).arg("-C").arg(self.path("opt")).arg("config"));
        let keys = tempfile::Builder::new().prefix("rl-gpg-").tempdir().unwrap();
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(keys.path()).args(["--batch", "--pinentry-mode", "loopback", "--no-autostart"]);
        gpg.args(["--cipher-algo", "AES256", "--compress-algo", "1", "--s2k-mode", "3"]);
        gpg.args(["--s2k-digest-algo", "SHA512", "--s2k-count", "65536", "--passphrase-file"]);
        must(gpg.arg(self.path("keys/backup.key")).arg("--symmetric").arg(&plain));
        let sealed = plain.with_extension("gz.gpg");
        self.s3.put(
            &format!("config/{}", sealed.file_name().unwrap().to_str().unwrap()),
            &std::fs::read(&sealed).unwrap(),
        );
        std::fs::remove_file(plain).unwrap();
    }

    fn redis_dump(&self, at: DateTime<Utc>) {
        let before = self.cli(&["LASTSAVE"]);
        // Its clock counts whole seconds, and the one that it started with must not pass for the new save.
        self.until("a second after the last save", || self.cli(&["TIME"]).lines().next() != Some(before.as_str()));
        self.cli(&["BGSAVE"]);
        self.until("the snapshot is made", || self.cli(&["LASTSAVE"]) != before);
        let file = self.path("backups/redis").join(format!("redis_dump_{}.rdb", stamp(at)));
        std::fs::copy(self.path("redis-data/dump.rdb"), &file).unwrap();
        must(Command::new("gzip").arg(&file));
        let name = format!("redis/redis_dump_{}.rdb.gz", stamp(at));
        self.s3.put(&name, &std::fs::read(file.with_extension("rdb.gz")).unwrap());
    }

    /// The folder behind the bucket of application data.
    pub fn data_bucket(&self) -> PathBuf {
        self.s3.file("").parent().unwrap().join(DATA)
    }

    pub fn content(&self, database: &str) -> String {
        self.cluster.sql(
            database,
            "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM models t; \
             SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM predictions t",
        )
    }

    /// Every backup by an own walk: files by name, mirrors and their changes by their folder.
    pub fn listed(&self) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for (store, root) in
            [("host", self.path("backups")), ("bucket", self.s3.file("")), ("data-bucket", self.data_bucket())]
        {
            for file in walk(&root) {
                let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let parts: Vec<&str> = name.split('/').collect();
                let backup = match parts.as_slice() {
                    _ if store == "data-bucket" => String::new(),
                    ["application", "current", ..] => "application/current/".to_owned(),
                    ["application", "incremental", stamp, ..] => format!("application/incremental/{stamp}/"),
                    ["database", "backup_catalog.csv"] => continue,
                    _ if name.ends_with(".sha256") => continue,
                    _ => name,
                };
                found.insert((store.to_owned(), backup));
            }
        }
        found
    }
}

/// No server outlives its test.
impl Drop for Ops {
    fn drop(&mut self) {
        crate::runners::end_all(&self.state());
        crate::workers::end_all_in(&self.path("."));
    }
}
