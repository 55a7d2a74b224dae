//! The agent platform: database, Redis, uploads, configuration and source, and nights of backups as its own scripts
//! make them, in their layout and with their flags.

use crate::docker::Docker;
use crate::home::{Home, free_port, must, stamp, walk};
use crate::physical::Physical;
use crate::postgres::BIN;
use chrono::{DateTime, Duration, Utc};
use relight::model::time::Clock as _;
use relight::wiring::SystemClock;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const DATABASE: &str = "freeagentics";
pub const API: &str = "freeagentics/api:latest";
pub const WEB: &str = "freeagentics/web:latest";
const NOBODY: &str = "65534";
const SCHEMA: &str = "CREATE TABLE agents (id bigserial PRIMARY KEY, name text NOT NULL, belief jsonb NOT NULL);\n\
    CREATE TABLE user_profiles (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE);\n\
    CREATE TABLE user_settings (user_id bigint PRIMARY KEY REFERENCES user_profiles, theme text NOT NULL);\n\
    INSERT INTO agents (name, belief) SELECT 'agent ' || n, jsonb_build_object('p', n / 4000.0) FROM generate_series(1, 4000) n;\n\
    INSERT INTO user_profiles (email) SELECT md5(n::text) || '@example.org' FROM generate_series(1, 1500) n;\n\
    INSERT INTO user_settings SELECT id, 'dark' FROM user_profiles;";

pub struct Agents {
    pub cluster: Physical,
    /// Instants of the nightly backups, oldest first.
    pub nights: Vec<DateTime<Utc>>,
    pub redis: u16,
    /// Its containers' engine, where a test needs one.
    pub docker: Option<Docker>,
    home: Home,
}

impl Deref for Agents {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Agents {
    pub fn build() -> Self {
        Self::with(None)
    }

    /// The same, with the two images of the platform in an engine.
    pub fn with_images() -> Self {
        let docker = Docker::start();
        docker.image(API, "agents");
        docker.layered(API, WEB, "pages");
        Self::with(Some(docker))
    }

    fn with(docker: Option<Docker>) -> Self {
        let home = Home::new();
        std::fs::set_permissions(home.path("."), PermissionsExt::from_mode(0o755)).unwrap();
        let wal = home.path("backup/postgres/wal");
        std::fs::create_dir_all(&wal).unwrap();
        let archive = format!("archive_mode = on\narchive_command = 'cp %p {}/%f'\n", wal.display());
        std::fs::set_permissions(&wal, PermissionsExt::from_mode(0o777)).unwrap();
        let cluster = Physical::start_in(&home.path("pg"), &archive);
        cluster.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        cluster.sql(DATABASE, SCHEMA);
        let redis = free_port();
        let now = SystemClock.now();
        let today = now.date_naive().and_hms_opt(2, 0, 0).unwrap().and_utc();
        let last = if today > now { today - Duration::days(1) } else { today };
        let nights = (0..2).rev().map(|days| last - Duration::days(days)).collect();
        let lab = Self { cluster, nights, redis, docker, home };
        lab.live();
        lab.configure();
        for night in lab.nights.clone() {
            lab.nightly(night);
        }
        lab.base(now);
        lab
    }

    fn live(&self) {
        for (file, text) in [
            ("opt/uploads/a/picture.png", "picture"),
            ("opt/uploads/b/notes.txt", "notes"),
            ("etc/nginx/nginx.conf", "events {}\n"),
            ("etc/nginx/sites/api", "server {}\n"),
            ("etc/prometheus/prometheus.yml", "global: {}\n"),
            ("etc/grafana/grafana.ini", "[server]\n"),
            ("etc/letsencrypt/live/privkey.pem", "-----BEGIN PRIVATE KEY-----\nnot one\n"),
            ("etc/.env", "POSTGRES_PASSWORD=open\n"),
            ("keys/operations", "a passphrase of the operators\n"),
        ] {
            let file = self.path(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
        }
        std::fs::set_permissions(self.path("keys/operations"), PermissionsExt::from_mode(0o600)).unwrap();
        let repository = self.path("opt/repository");
        must(Command::new("git").args(["init", "-q"]).arg(&repository));
        std::fs::write(repository.join("main.py"), "print('agents')\n").unwrap();
        let git = |words: &[&str]| must(Command::new("git").arg("-C").arg(&repository).args(words));
        git(&["add", "."]);
        git(&["-c", "user.name=ci", "-c", "user.email=ci@example.org", "commit", "-q", "-m", "Begin"]);
        must(Command::new("git").args(["clone", "-q", "--mirror"]).arg(&repository).arg(self.path("opt/mirror")));
        self.start_redis();
    }

    fn start_redis(&self) {
        let data = self.path("redis-data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, PermissionsExt::from_mode(0o750)).unwrap();
        std::os::unix::fs::chown(&data, Some(65534), Some(65534)).unwrap();
        let settings = format!(
            "bind 127.0.0.1\nport {}\ndir {}\ndaemonize yes\nsave 900 1\nrepl-diskless-sync-delay 0\n",
            self.redis,
            data.display()
        );
        std::fs::write(self.path("redis.conf"), settings).unwrap();
        let ping = format!("redis-cli -p {} PING >/dev/null 2>&1", self.redis);
        let lock = format!("exec 9>{}\nflock 9\n", self.path("service.lock").display());
        let server = format!("setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups redis-server");
        let start =
            format!("{lock}{ping} && exit 0\nsetsid --wait {server} {} 9>&-\n", self.path("redis.conf").display());
        let stop = format!("{lock}{ping} || exit 0\nredis-cli -p {} SHUTDOWN\nexit 0\n", self.redis);
        for (name, text) in [("start.sh", start), ("stop.sh", stop)] {
            std::fs::write(self.path(name), format!("#!/bin/bash\n{text}")).unwrap();
            std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        must(&mut Command::new(self.path("start.sh")));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !self.try_cli(&["PING"]).contains("PONG") {
            assert!(std::time::Instant::now() < deadline, "redis does not answer");
            std::thread::yield_now();
        }
        let fill = "for i = 1, 300 do redis.call('SET', 'session:' .. i, 'user ' .. i) end";
        self.cli(&["EVAL", fill, "0"]);
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
        let port = self.cluster.port;
        let engine =
            self.docker.as_ref().map_or_else(|| "\"false\"".to_owned(), |docker| format!("{:?}", docker.words()));
        let places: Vec<(&str, String)> = vec![
            ("[\"docker\"]", format!("[{}]", engine.trim_matches(['[', ']']))),
            ("path = \"/backup\"", format!("path = {}", at("backup"))),
            ("\"/etc/relight/operations.passphrase\"", at("keys/operations")),
            ("host = \"localhost\"\nport = 5432", format!("host = \"127.0.0.1\"\nport = {port}\nbin_dir = \"{BIN}\"")),
            ("host = \"localhost\"\nport = 6379", format!("host = \"127.0.0.1\"\nport = {}", self.redis)),
            ("run_as = [\"runuser\", \"-u\", \"postgres\", \"--\"]", format!("run_as = {}", self.cluster.run_as())),
            (
                "data_dir = \"/var/lib/postgresql/data\"\n  bin_dir = \"/usr/lib/postgresql/15/bin\"",
                format!("data_dir = \"{}\"\n  bin_dir = \"{BIN}\"", self.cluster.data.display()),
            ),
            ("\"/var/lib/redis\"", at("redis-data")),
            ("[\"systemctl\", \"stop\", \"redis\"]", format!("[{}]", at("stop.sh"))),
            ("[\"systemctl\", \"start\", \"redis\"]", format!("[{}]", at("start.sh"))),
            ("\"/opt/freeagentics/uploads\"", at("opt/uploads")),
            ("\"/opt/freeagentics/mirror\"", at("opt/mirror")),
            ("\"/etc/nginx\"", at("etc/nginx")),
            ("\"/etc/prometheus\"", at("etc/prometheus")),
            ("\"/etc/grafana\"", at("etc/grafana")),
            ("\"/etc/letsencrypt\"", at("etc/letsencrypt")),
        ];
        let places: Vec<(&str, &str)> = places.iter().map(|(there, here)| (*there, here.as_str())).collect();
        self.home.configure("freeagentics", &places);
    }

    /// The folder of one kind and night.
    fn folder(&self, kind: &str, stamp: &str) -> PathBuf {
        let folder = self.path("backup").join(kind).join(stamp);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn nightly(&self, night: DateTime<Utc>) {
        let name = stamp(night);
        self.nightly_dump(&self.folder("postgres", &name), &name);
        self.nightly_redis(&self.folder("redis", &name));
        self.nightly_user_data(&self.folder("user-data", &name));
        let config = self.folder("config", &name);
        for tree in ["nginx", "prometheus", "grafana", "letsencrypt"] {
            must(Command::new("cp").arg("-r").arg(self.path("etc").join(tree)).arg(&config));
        }
        must(Command::new("cp").arg(self.path("etc/.env")).arg(&config));
        let code = self.folder("code", &name);
        must(
            Command::new("git")
                .args(["clone", "-q", "--mirror"])
                .arg(self.path("opt/repository"))
                .arg(code.join("freeagentics.git")),
        );
        // The script asks the clock again: the archive's stamp is a second later than its folder's.
        let later = stamp(night + Duration::seconds(1));
        let archive = code.join(format!("source_code_{later}.tar.gz"));
        must(Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(&code).arg("freeagentics.git"));
        must(Command::new("rm").arg("-rf").arg(code.join("freeagentics.git")));
        for (image, name) in [(API, "api"), (WEB, "web")] {
            let Some(docker) = &self.docker else { continue };
            let file = code.join(format!("{name}_image_{later}.tar"));
            docker.must(&["save", image, "--output", file.to_str().unwrap()]);
        }
    }

    fn nightly_dump(&self, folder: &Path, stamp: &str) {
        let file = folder.join(format!("{DATABASE}_{stamp}.dump"));
        let mut dump = self.client("pg_dump");
        must(dump.args(["-U", "postgres", "-d", DATABASE, "--format=custom", "--compress=9", "--file"]).arg(&file));
        let listed = must(self.client("pg_restore").arg("--list").arg(&file));
        std::fs::write(folder.join("backup_contents.txt"), listed).unwrap();
        std::fs::write(folder.join("checksums.txt"), must(Command::new("sha256sum").arg(&file))).unwrap();
    }

    fn nightly_redis(&self, folder: &Path) {
        self.cli(&["BGSAVE"]);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !self.cli(&["INFO", "persistence"]).contains("rdb_bgsave_in_progress:0") {
            assert!(std::time::Instant::now() < deadline, "the snapshot is not made");
            std::thread::yield_now();
        }
        must(Command::new("cp").arg(self.path("redis-data/dump.rdb")).arg(folder));
        must(Command::new("cp").arg(self.path("redis.conf")).arg(folder));
        let info = self.cli(&["INFO", "server"]);
        let version = info.lines().find(|line| line.starts_with("redis_version")).unwrap().trim().to_owned();
        let text = format!("{}{version}\n{}\n", must(&mut Command::new("date")), self.cli(&["DBSIZE"]));
        std::fs::write(folder.join("backup_info.txt"), text).unwrap();
    }

    fn nightly_user_data(&self, folder: &Path) {
        must(Command::new("rsync").arg("-a").arg(self.path("opt/uploads")).arg(folder));
        let mut dump = self.client("pg_dump");
        dump.args(["-U", "postgres", "-d", DATABASE, "--format=custom", "-t", "user_profiles", "-t", "user_settings"]);
        must(dump.arg("--file").arg(folder.join("user_data.dump")));
        self.cli(&["--rdb", folder.join("sessions.rdb").to_str().unwrap()]);
        let text = format!("{}5\n{}", must(&mut Command::new("date")), must(Command::new("du").arg("-sh").arg(folder)));
        std::fs::write(folder.join("manifest.txt"), text).unwrap();
    }

    /// A base backup, and enough log after it.
    fn base(&self, at: DateTime<Utc>) {
        let folder = self.folder("postgres/basebackup", &stamp(at));
        let mut base = self.client("pg_basebackup");
        base.args(["-U", "postgres", "-F", "tar", "-z", "-c", "fast", "-X", "stream", "-D"]).arg(&folder);
        must(&mut base);
        self.archived();
    }

    /// Ends the segment, and waits until it is archived whole.
    pub fn archived(&self) {
        self.cluster.switch(&self.path("backup/postgres/wal"));
    }

    /// One of PostgreSQL's clients, as the scripts run it: as root.
    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(Path::new(BIN).join(name));
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.cluster.port.to_string());
        command
    }

    /// Every row in primary order, as checksums.
    pub fn content(&self, database: &str) -> String {
        self.cluster.sql(
            database,
            "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM agents t; \
             SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM user_profiles t; \
             SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.user_id)) || ' ' || count(*) FROM user_settings t",
        )
    }

    /// Every backup by an own walk: files by name, trees by their folder.
    pub fn listed(&self) -> BTreeSet<(String, String)> {
        let root = self.path("backup");
        let notes = ["backup_contents.txt", "checksums.txt", "redis.conf", "backup_info.txt", "manifest.txt"];
        let mut found = BTreeSet::new();
        for file in walk(&root) {
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let parts: Vec<&str> = name.split('/').collect();
            let last = *parts.last().unwrap();
            match parts.as_slice() {
                // The script's open copy of the private keys is no backup that anyone should restore from.
                ["postgres", "wal", ..] | ["config", _, "letsencrypt", ..] => {}
                ["postgres", "basebackup", ..] | ["user-data", _, "uploads", ..] | ["config", _, _, _, ..] => {
                    found.insert(("backup".to_owned(), format!("{}/", parts[..3].join("/"))));
                }
                _ if notes.contains(&last) || last.ends_with(".sha256") => {}
                _ => {
                    found.insert(("backup".to_owned(), name));
                }
            }
        }
        found
    }
}

/// No server outlives its test.
impl Drop for Agents {
    fn drop(&mut self) {
        crate::runners::end_all(&self.state());
        crate::workers::end_all_in(&self.path("."));
    }
}
