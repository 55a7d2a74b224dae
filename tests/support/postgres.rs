//! A private PostgreSQL cluster on loopback for one test; stopped and removed when dropped.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub const BIN: &str = "/usr/lib/postgresql/15/bin";
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Cluster {
    pub port: u16,
    root: tempfile::TempDir,
    server: Mutex<Child>,
    account: Option<(u32, u32)>,
    settings: Vec<String>,
}

/// The account that the server runs as when the test runs as root, which PostgreSQL refuses.
pub fn account() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

/// Words that make a command run as an account that PostgreSQL accepts.
pub fn account_words() -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let name = ["postgres", "nobody"].into_iter().find(|name| users.contains(&format!("\n{name}:"))).unwrap();
    ["runuser", "-u", name, "--"].map(str::to_owned).into()
}

fn as_account(program: &str, account: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(Path::new(BIN).join(program));
    if let Some((uid, gid)) = account {
        command.uid(uid).gid(gid);
    }
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir("/");
    command
}

impl Cluster {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(settings: &[&str]) -> Self {
        let account = account();
        let root = tempfile::Builder::new().prefix("relight-pg-").tempdir().unwrap();
        let data = root.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for path in [root.path(), &data] {
            if let Some((uid, gid)) = account {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let made = as_account("initdb", account)
            .args(["--auth=trust", "--username=relight", "--no-sync", "--encoding=UTF8", "--no-locale", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let server = Mutex::new(serve(root.path(), port, account, &settings));
        let cluster = Self { port, root, server, account, settings };
        cluster.wait_until_ready();
        cluster
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = as_account("pg_isready", None).args(self.address("postgres")).output().unwrap();
            if ready.status.success() {
                return;
            }
            let log = || std::fs::read_to_string(self.root.path().join("log")).unwrap_or_default();
            assert!(self.server().try_wait().unwrap().is_none(), "the server ended: {}", log());
            assert!(Instant::now() < deadline, "the server does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn server(&self) -> MutexGuard<'_, Child> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the server at once, with all its sessions and no word to them, as a crash would.
    pub fn crash(&self) {
        let mut server = self.server();
        let pid = rustix::process::Pid::from_child(&server);
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
        server.wait().unwrap();
    }

    /// Starts a server that crashed; it recovers by itself.
    pub fn start_again(&self) {
        *self.server() = serve(self.root.path(), self.port, self.account, &self.settings);
        self.wait_until_ready();
    }

    /// Folder that the server's account may write to.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.root.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        self.give(&path);
        path
    }

    pub fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.account {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    fn address(&self, database: &str) -> Vec<String> {
        ["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "relight", "-d", database].map(str::to_owned).into()
    }

    /// Runs SQL and returns what it prints, unaligned and without headers.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.try_sql(database, sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn try_sql(&self, database: &str, sql: &str) -> Output {
        let mut child = as_account("psql", None)
            .args(self.address(database))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// One of PostgreSQL's programs, pointed at this server as its superuser.
    pub fn program(&self, name: &str) -> Command {
        let mut command = as_account(name, None);
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "relight");
        command
    }

    pub fn dump(&self, database: &str, format: &str) -> Vec<u8> {
        self.dump_with(database, &[&format!("--format={format}")])
    }

    pub fn dump_with(&self, database: &str, options: &[&str]) -> Vec<u8> {
        let output = as_account("pg_dump", None).args(self.address(database)).args(options).output().unwrap();
        assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A session that stays: connected, idle, until it is dropped or ended by the server.
    pub fn guest(&self, database: &str) -> Child {
        let mut child = as_account("psql", None)
            .args(self.address(database))
            .args(["-X", "-q"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        let pipe = child.stdin.as_mut().unwrap();
        pipe.write_all(b"SELECT 1;\n").unwrap();
        let here =
            format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND query = 'SELECT 1;'");
        while self.sql("postgres", &here) == "0" {
            assert!(Instant::now() < deadline, "the guest session did not appear");
        }
        child
    }

    /// The content of every table in primary order, as one text: equal texts are equal databases.
    pub fn content(&self, database: &str) -> String {
        self.sql(
            database,
            "SELECT 'orders ' || md5(string_agg(o::text, E'\\n' ORDER BY o.id)) || ' ' || count(*) FROM orders o; \
             SELECT 'items ' || md5(string_agg(i::text, E'\\n' ORDER BY i.id)) || ' ' || count(*) FROM items i; \
             SELECT 'notes ' || md5(string_agg(n::text, E'\\n' ORDER BY n.\"no\")) || ' ' || count(*) FROM \"odd \"\"schema\".\"no\\tes\" n; \
             SELECT last_value FROM orders_id_seq",
        )
    }
}

fn serve(root: &Path, port: u16, account: Option<(u32, u32)>, settings: &[String]) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(root.join("log")).unwrap();
    let mut command = as_account("postgres", account);
    command.arg("-D").arg(root.join("data")).args(["-p", &port.to_string()]);
    let ours = ["listen_addresses=127.0.0.1", "fsync=off", "unix_socket_directories=", "max_prepared_transactions=4"];
    for setting in ours.into_iter().chain(settings.iter().map(String::as_str)) {
        command.args(["-c", setting]);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut server = self.server();
        let pid = rustix::process::Pid::from_child(&server);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if matches!(server.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = server.wait();
    }
}

/// A shop with enough rows to take a moment, odd names, foreign keys, a sequence and an index.
pub const SHOP: &str = "CREATE TABLE orders (id bigserial PRIMARY KEY, customer text NOT NULL, placed timestamptz NOT NULL, note text);\n\
    CREATE TABLE items (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, price numeric(10,2) CHECK (price >= 0));\n\
    CREATE SCHEMA \"odd \"\"schema\";\n\
    CREATE TABLE \"odd \"\"schema\".\"no\\tes\" (\"no\" int PRIMARY KEY, body text);\n\
    INSERT INTO orders (customer, placed, note) SELECT md5(n::text), timestamptz '2026-01-01' + n * interval '1 minute', \
      CASE WHEN n % 7 = 0 THEN NULL ELSE E'line\\n\\\\.\\ttab ' || repeat(md5((n * 7)::text), 8) END FROM generate_series(1, 20000) n;\n\
    INSERT INTO items SELECT n, 1 + n % 20000, (n % 1000) / 10.0 FROM generate_series(1, 30000) n;\n\
    INSERT INTO \"odd \"\"schema\".\"no\\tes\" VALUES (1, E'\\\\restrict x'), (2, NULL), (3, 'COPY public.orders (id) FROM stdin;');\n\
    CREATE INDEX items_by_order ON items (order_id);\n";
