//! A cluster that archives its log, base backups of it, a ledger whose commit times the server itself tells, and one
//! promotion; all of it in four stores: plain, packed, in a bucket, and with a hole.

use crate::disks::Small;
use crate::home::Home;
use crate::postgres::{BIN, account_words};
use crate::proxy::Proxy;
use crate::s3::{BUCKET, KEY, S3Fixture, SECRET};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
pub const ASSETS: [&str; 4] = ["plain", "packed", "bucket", "holed"];

pub struct Lab {
    pub home: Home,
    pub port: u16,
    /// Stands before the bucket.
    pub proxy: Proxy,
    _disks: Vec<Small>,
    dir: tempfile::TempDir,
    account: Vec<String>,
    s3: S3Fixture,
    /// Commit times in microseconds since the epoch, in the order of the ledger's numbers.
    pub commits: Vec<i64>,
    /// The last commit before the base backup began, and the last before the hole.
    pub base_at: usize,
    pub hole_at: usize,
    /// The last commit before the restore point.
    pub deploy_at: usize,
    /// Files of the archive.
    pub files: usize,
    /// The segment that one store lacks.
    pub hole: String,
}

impl Lab {
    pub async fn build() -> Self {
        Self::filled(|_| Vec::new()).await
    }

    /// All but the journals on a file system of its own, of this size.
    pub async fn on_a_small_disk(size: &str) -> Self {
        Self::filled(|dir| {
            let disk = Small::at(dir, size);
            let state = dir.join("state");
            std::fs::create_dir(&state).unwrap();
            let journals = Small::at(&state, "64m,mode=700");
            vec![journals, disk]
        })
        .await
    }

    async fn filled(disks: impl FnOnce(&Path) -> Vec<Small>) -> Self {
        let mut lab = Self::inside(disks).await;
        lab.begin();
        lab.write();
        lab.shelve();
        lab.configure();
        lab
    }

    async fn inside(disks: impl FnOnce(&Path) -> Vec<Small>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let s3 = S3Fixture::start().await;
        let address = s3.server.endpoint().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        let proxy = Proxy::start(address).await;
        let dir = tempfile::Builder::new().prefix("rl-pitr-").tempdir().unwrap();
        let disks = disks(dir.path());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = Home::at(dir.path());
        let lab = Self {
            home,
            port,
            proxy,
            _disks: disks,
            dir,
            account: account_words(),
            s3,
            commits: Vec::new(),
            base_at: 0,
            hole_at: 0,
            deploy_at: 0,
            files: 0,
            hole: String::new(),
        };
        for folder in ["", "spool", "base"] {
            std::fs::create_dir_all(lab.path(folder)).unwrap();
            if let Some(name) = lab.account.get(2) {
                assert!(Command::new("chown").arg(name).arg(lab.path(folder)).status().unwrap().success());
            }
        }
        lab
    }

    /// A cluster that archives to the folder `spool`, and stores without any backup: a bucket and a folder.
    pub async fn bare() -> Self {
        let lab = Self::inside(|_| Vec::new()).await;
        lab.begin();
        lab.configure_bare();
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn begin(&self) {
        let data = self.text("live");
        self.must("initdb", &["--auth=trust", "--username=relight", "--no-sync", "--no-locale", "-D", &data]);
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nfsync = off\nautovacuum = off\n\
             track_commit_timestamp = on\nmax_connections = 37\nshared_buffers = '16MB'\nmin_wal_size = '32MB'\n\
             archive_mode = on\narchive_command = 'cp %p {}/%f'\n",
            self.port,
            self.text("spool"),
        );
        let file = self.path("live/postgresql.conf");
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{before}\n{settings}")).unwrap();
        self.start();
        self.sql("postgres", "CREATE DATABASE app");
        self.sql("app", "CREATE TABLE ledger (n bigint PRIMARY KEY, note text)");
    }

    pub fn start(&self) {
        let (data, log) = (self.text("live"), self.text("live.log"));
        self.must("pg_ctl", &["start", "-D", &data, "-w", "-t", "60", "-s", "-l", &log]);
    }

    /// Ends the server of a folder at once, as a crash would.
    pub fn crash(&self, folder: &str) {
        self.must("pg_ctl", &["stop", "-m", "immediate", "-w", "-s", "-D", &self.text(folder)]);
    }

    /// Numbers into the ledger, one commit every 100 ms: some before the base backup, more after it, on two timelines.
    fn write(&mut self) {
        self.numbers(3);
        self.base_at = self.count();
        for (form, folder) in [("tar", "tar"), ("plain", "files")] {
            let to = self.text(&format!("base/{folder}"));
            let source = format!("host=127.0.0.1 port={} user=relight", self.port);
            let mut words = vec!["-D", &to, "-d", &source, "-F", form, "-X", "stream", "-c", "fast", "-l", folder];
            if form == "tar" {
                words.push("-z");
            }
            self.must("pg_basebackup", &words);
        }
        self.numbers(8);
        self.switch();
        self.numbers(8);
        self.hole_at = self.count();
        self.switch();
        self.numbers(5);
        self.deploy_at = self.count();
        self.sql("app", "SELECT pg_create_restore_point('before deploy')");
        self.numbers(5);
        self.hole = self.switch();
        self.promote();
        self.numbers(10);
        self.switch();
        self.numbers(4);
        self.switch();
        let sql =
            "SELECT (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint FROM ledger ORDER BY n";
        self.commits = self.sql("app", sql).lines().map(|line| line.parse().unwrap()).collect();
        assert!(self.commits.is_sorted());
        self.files = std::fs::read_dir(self.path("spool")).unwrap().count();
    }

    pub fn numbers(&self, count: u32) {
        let one =
            "INSERT INTO ledger SELECT coalesce(max(n), 0) + 1, repeat('x', 200) FROM ledger;\nSELECT pg_sleep(0.1);\n";
        self.sql("app", &one.repeat(count as usize));
    }

    pub fn count(&self) -> usize {
        self.sql("app", "SELECT count(*) FROM ledger").parse().unwrap()
    }

    /// Ends the segment, and waits until it is archived.
    pub fn switch(&self) -> String {
        let name = self.sql("app", "SELECT pg_walfile_name(pg_switch_wal())");
        self.archived(&name);
        let (file, deadline) = (self.path("spool").join(&name), Instant::now() + PATIENCE);
        // It is copied under its own name: its last byte tells that it is whole.
        while file.metadata().unwrap().len() < 16 << 20 {
            assert!(Instant::now() < deadline, "{name} is cut off");
            std::thread::sleep(Duration::from_millis(20));
        }
        name
    }

    /// Waits until the server has archived a file.
    pub fn archived(&self, name: &str) {
        let (file, deadline) = (self.path("spool").join(name), Instant::now() + PATIENCE);
        while !file.exists() {
            assert!(Instant::now() < deadline, "{name} is not archived");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn promote(&self) {
        let data = self.text("live");
        self.must("pg_ctl", &["stop", "-D", &data, "-m", "fast", "-w", "-s"]);
        std::fs::write(self.path("live/standby.signal"), "").unwrap();
        self.start();
        self.must("pg_ctl", &["promote", "-D", &data, "-w", "-s"]);
        self.archived("00000002.history");
    }

    /// The archive in the forms that the stores have.
    fn shelve(&self) {
        let began = "20260101_000000";
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.path("spool")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for (at, file) in files.iter().enumerate() {
            let (name, bytes) = (named(file), std::fs::read(file).unwrap());
            self.put("plain", &format!("wal/{name}"), &bytes);
            let (ending, packed) =
                if at % 2 == 0 { ("gz", gzip(&bytes)) } else { ("zst", zstd::encode_all(&bytes[..], 1).unwrap()) };
            self.put("packed", &format!("wal/{name}.{ending}"), &packed);
            self.s3.put(&format!("wal/{name}.gz"), &gzip(&bytes));
            if name != self.hole {
                self.put("holed", &format!("wal/{name}"), &bytes);
            }
        }
        for (form, store) in [("tar", "plain"), ("files", "packed"), ("tar", "bucket"), ("tar", "holed")] {
            let from = self.path(&format!("base/{form}"));
            for file in walk(&from) {
                let key = format!("base/{began}/{}", file.strip_prefix(&from).unwrap().to_str().unwrap());
                let bytes = std::fs::read(&file).unwrap();
                if store == "bucket" { self.s3.put(&key, &bytes) } else { self.put(store, &key, &bytes) }
            }
        }
    }

    fn put(&self, store: &str, name: &str, bytes: &[u8]) {
        let file = self.path(store).join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// The bucket comes first, the folder second; the log has a store of its own.
    fn configure_bare(&self) {
        std::fs::create_dir(self.path("shelf")).unwrap();
        let mut text = self.configuration_of_server();
        let places = [
            ("bucket", Self::bucket_at(&self.proxy.endpoint())),
            ("shelf", "type = \"local\"\npath = \"shelf\"\n".to_owned()),
            ("archive", "type = \"local\"\npath = \"spool\"\n".to_owned()),
        ];
        for (id, place) in places {
            text.push_str(&format!("[[stores]]\nid = \"{id}\"\n{place}"));
        }
        text.push_str("[[assets]]\nid = \"db\"\nkind = \"postgresql\"\nserver = \"live\"\ndatabase = \"app\"\n");
        for store in ["bucket", "shelf"] {
            text.push_str(&format!(
                "[[assets.sources]]\nstore = \"{store}\"\nmatch = \"full/full_{{time:%Y%m%d_%H%M%S}}/\"\nkind = \"full\"\n"
            ));
        }
        text.push_str("[[assets.sources]]\nstore = \"archive\"\nmatch = \"*\"\nkind = \"log\"\n");
        std::fs::write(self.home.config(), text).unwrap();
    }

    fn bucket_at(endpoint: &str) -> String {
        format!(
            "type = \"s3\"\nbucket = \"{BUCKET}\"\nendpoint = \"{endpoint}\"\naccess_key_id = \"{KEY}\"\n\
             secret_access_key = {{ file = \"secret\" }}\n"
        )
    }

    /// The file behind a key of the bucket.
    pub fn object(&self, key: &str) -> PathBuf {
        self.s3.file(key)
    }

    fn configuration_of_server(&self) -> String {
        let run_as = serde_json::to_string(&self.account).unwrap();
        std::fs::write(self.path("secret"), SECRET).unwrap();
        std::fs::set_permissions(self.path("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
        format!(
            "[estate]\nname = \"lab\"\ntime_zone = \"Europe/Berlin\"\n[[hosts]]\nid = \"box\"\nvia = \"local\"\nrun_as = {run_as}\n\
             [[servers]]\nid = \"live\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"relight\"\n\
             [servers.home]\nhost = \"box\"\ndata_dir = \"{}\"\nbin_dir = \"{BIN}\"\n",
            self.port,
            self.text("live"),
        )
    }

    fn configure(&self) {
        let mut text = self.configuration_of_server();
        for asset in ASSETS {
            let place = if asset == "bucket" {
                Self::bucket_at(&self.proxy.endpoint())
            } else {
                format!("type = \"local\"\npath = \"{asset}\"\n")
            };
            text.push_str(&format!(
                "[[stores]]\nid = \"{asset}\"\n{place}\
                 [[assets]]\nid = \"{asset}\"\nkind = \"postgresql\"\nserver = \"live\"\ndatabase = \"app\"\n\
                 [[assets.sources]]\nstore = \"{asset}\"\nmatch = \"base/{{time:%Y%m%d_%H%M%S}}/\"\nkind = \"full\"\n\
                 [[assets.sources]]\nstore = \"{asset}\"\nmatch = \"wal/\"\nkind = \"log\"\n"
            ));
        }
        std::fs::write(self.home.config(), text).unwrap();
    }

    fn program(&self, name: &str) -> Command {
        let words: Vec<String> = self.account.iter().cloned().chain([format!("{BIN}/{name}")]).collect();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/");
        command
    }

    fn must(&self, name: &str, arguments: &[&str]) {
        let output = self.program(name).args(arguments).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn ask(&self, database: &str, sql: &str) -> Output {
        let mut child = self
            .program("psql")
            .args(["-h", "127.0.0.1", "-U", "relight", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"])
            .args(["-p", &self.port.to_string(), "-d", database])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.ask(database, sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Names of what lies beside the live folder because of a recovery.
    pub fn beside(&self) -> Vec<String> {
        let there = std::fs::read_dir(self.dir.path()).unwrap().flatten();
        let mut names: Vec<String> = there.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| name.starts_with("live.recover_") || name.starts_with("live.before_"));
        names.sort();
        names
    }

    /// How many rows were committed by an instant.
    pub fn committed_by(&self, micros: i64) -> usize {
        self.commits.iter().filter(|at| **at <= micros).count()
    }
}

/// An instant as an operator may write it, in a zone of their own.
pub fn written(micros: i64) -> String {
    let at = chrono::DateTime::from_timestamp_micros(micros).unwrap();
    at.with_timezone(&chrono::FixedOffset::east_opt(3600).unwrap()).format("%Y-%m-%d %H:%M:%S%.6f%:z").to_string()
}

fn named(file: &Path) -> String {
    file.file_name().unwrap().to_str().unwrap().to_owned()
}

pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Drop for Lab {
    fn drop(&mut self) {
        crate::runners::end_all(&self.home.state());
        let folders = self.beside().into_iter().chain(["live".to_owned()]);
        for folder in folders.filter(|folder| self.path(folder).join("postmaster.pid").exists()) {
            let _ = self.program("pg_ctl").args(["stop", "-m", "immediate", "-s", "-D", &self.text(&folder)]).output();
        }
    }
}
