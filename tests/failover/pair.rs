//! Two real PostgreSQL servers, `alpha` and `beta`, one following the other, and a configuration for them.

use crate::home::Home;
use crate::postgres::{BIN, account_words};
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub const ALPHA: usize = 0;
pub const BETA: usize = 1;
/// The pair that drills make.
pub const SCRATCH: [usize; 2] = [2, 3];
const NAMES: [&str; 4] = ["alpha", "beta", "drill/scratch-a", "drill/scratch-b"];
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Pair {
    pub home: Home,
    pub ports: [u16; 2],
    scratch_ports: [u16; 2],
    dir: tempfile::TempDir,
    account: Vec<String>,
}

impl Pair {
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("rl-pair-").tempdir().unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let all = [free(), free(), free(), free()].map(|listener| listener.local_addr().unwrap().port());
        let (ports, scratch_ports) = ([all[0], all[1]], [all[2], all[3]]);
        let pair = Self { home: Home::at(dir.path()), ports, scratch_ports, dir, account: account_words() };
        std::fs::create_dir(pair.path("drill")).unwrap();
        if let Some(name) = pair.account.get(2) {
            let drill = pair.path("drill");
            let given = Command::new("chown").arg(name).arg(pair.dir.path()).arg(drill).status().unwrap();
            assert!(given.success());
        }
        std::fs::create_dir(pair.path("shelf")).unwrap();
        pair.must(
            "initdb",
            &["--auth=trust", "--username=relight", "--no-sync", "--no-locale", "-D", &pair.data(ALPHA)],
        );
        let settings = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nwal_log_hints = on\nfsync = off\nautovacuum = off\n\
                        wal_keep_size = '512MB'\nwal_retrieve_retry_interval = '200ms'\n";
        let file = pair.path("alpha/postgresql.conf");
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{before}\n{settings}")).unwrap();
        pair.begin(ALPHA);
        pair.sql(ALPHA, "postgres", "CREATE DATABASE app");
        pair.sql(
            ALPHA,
            "app",
            "CREATE TABLE ledger (n bigint PRIMARY KEY, written timestamptz DEFAULT clock_timestamp())",
        );
        let source = format!("host=127.0.0.1 port={} user=relight", ports[ALPHA]);
        pair.must("pg_basebackup", &["-D", &pair.data(BETA), "-d", &source, "-R", "-X", "stream", "-c", "fast"]);
        pair.begin(BETA);
        std::fs::write(pair.home.config(), pair.configuration()).unwrap();
        pair
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self, which: usize) -> String {
        self.path(NAMES[which]).to_str().unwrap().to_owned()
    }

    fn configuration(&self) -> String {
        let run_as = serde_json::to_string(&self.account).unwrap();
        let server = |which: usize| {
            format!(
                "[[servers]]\nid = \"{0}\"\nhost = \"127.0.0.1\"\nport = {1}\nuser = \"relight\"\n{2}\
                 [servers.home]\nhost = \"box\"\ndata_dir = \"{3}\"\nbin_dir = \"{BIN}\"\nstart_options = [\"-c\", \"port={1}\"]\n",
                NAMES[which],
                self.ports[which],
                if which == ALPHA { "standby = \"beta\"\n" } else { "" },
                self.data(which),
            )
        };
        let scratch = |which: usize| {
            let id = NAMES[which].trim_start_matches("drill/");
            format!(
                "[[servers]]\nid = \"{id}\"\nhost = \"127.0.0.1\"\nport = {1}\nuser = \"relight\"\n{2}\
                 [servers.home]\nhost = \"box\"\ndata_dir = \"{0}\"\nbin_dir = \"{BIN}\"\nstart_options = [\"-c\", \"port={1}\"]\n",
                self.data(which),
                self.port(which),
                if which == SCRATCH[0] { "standby = \"scratch-b\"\n" } else { "" },
            )
        };
        let (pooler, told) = (self.path("pooler.ini"), self.path("told"));
        format!(
            "[estate]\nname = \"pair\"\n[[stores]]\nid = \"shelf\"\ntype = \"local\"\npath = \"shelf\"\n\
             [[hosts]]\nid = \"box\"\nvia = \"local\"\nrun_as = {run_as}\n{}\
             [servers.traffic]\nhost = \"box\"\npath = \"{}\"\ncontent = \"app = host={{host}} port={{port}}\\n\"\nreload = [\"touch\", \"{}\"]\n{}{}\
                 [servers.traffic]\nhost = \"box\"\npath = \"{}\"\ncontent = \"app = host={{host}} port={{port}}\\n\"\n{}\
             [[assets]]\nid = \"app\"\nkind = \"postgresql\"\nserver = \"alpha\"\ndatabase = \"app\"\nrto = \"1h\"\nrpo = \"5m\"\ndrill = {{ pair = \"scratch-a\" }}\n",
            server(ALPHA),
            pooler.display(),
            told.display(),
            server(BETA),
            scratch(SCRATCH[0]),
            self.path("drill/pooler.ini").display(),
            scratch(SCRATCH[1]),
        )
    }

    pub fn port(&self, which: usize) -> u16 {
        [self.ports, self.scratch_ports].concat()[which]
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

    pub fn account(&self) -> &[String] {
        &self.account
    }

    /// Stops a server in order.
    pub fn end(&self, which: usize) {
        self.must("pg_ctl", &["stop", "-D", &self.data(which), "-m", "fast", "-w", "-s"]);
    }

    fn begin(&self, which: usize) {
        let (data, port, log) =
            (self.data(which), format!("-p {}", self.ports[which]), format!("{}.log", self.data(which)));
        self.must("pg_ctl", &["start", "-D", &data, "-w", "-t", "60", "-s", "-l", &log, "-o", &port]);
    }

    fn ask(&self, which: usize, database: &str, sql: &str) -> Output {
        let port = self.port(which).to_string();
        self.program("psql")
            .args([
                "-h",
                "127.0.0.1",
                "-U",
                "relight",
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-p",
                &port,
                "-d",
                database,
                "-c",
                sql,
            ])
            .output()
            .unwrap()
    }

    pub fn sql(&self, which: usize, database: &str, sql: &str) -> String {
        let output = self.ask(which, database, sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub fn is_standby(&self, which: usize) -> bool {
        self.sql(which, "postgres", "SELECT pg_is_in_recovery()") == "t"
    }

    /// Numbers in the ledger of one server.
    pub fn ledger(&self, which: usize) -> Vec<u64> {
        let text = self.sql(which, "app", "SELECT n FROM ledger ORDER BY n");
        text.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Waits until a statement answers `t`.
    pub fn until(&self, which: usize, sql: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.ask(which, "postgres", sql).stdout != b"t\n" {
            assert!(Instant::now() < deadline, "{sql}");
        }
    }

    pub fn streams(&self, which: usize) {
        self.until(which, "SELECT status = 'streaming' FROM pg_stat_wal_receiver");
    }

    pub fn postmaster(&self, which: usize) -> u32 {
        let file = std::fs::read_to_string(Path::new(&self.data(which)).join("postmaster.pid")).unwrap();
        file.lines().next().unwrap().parse().unwrap()
    }

    /// A server's processes, the postmaster first.
    pub fn processes(&self, which: usize) -> Vec<u32> {
        let master = self.postmaster(which);
        let list = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        [master].into_iter().chain(list.split_whitespace().map(|pid| pid.parse().unwrap())).collect()
    }

    /// Waits until nobody listens for a server any more.
    pub fn until_refused(&self, which: usize) {
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(("127.0.0.1", self.port(which))).is_ok() {
            assert!(Instant::now() < deadline, "it still listens");
        }
    }

    /// Data folders of `alpha` that were set aside.
    pub fn aside(&self) -> usize {
        let there = std::fs::read_dir(self.path("")).unwrap().flatten();
        there.filter(|entry| entry.file_name().to_string_lossy().starts_with("alpha.before_")).count()
    }

    /// The end of a primary's log.
    pub fn position(&self, which: usize) -> String {
        self.sql(which, "postgres", "SELECT pg_current_wal_insert_lsn()")
    }

    /// Records in a primary's log from a position on, without those that every primary writes by itself.
    pub fn written(&self, which: usize, from: &str) -> Vec<String> {
        let to = self.position(which);
        if to == from {
            return Vec::new();
        }
        let folder = format!("{}/pg_wal", self.data(which));
        let output = self.program("pg_waldump").args(["-p", &folder, "-s", from, "-e", &to]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| !line.contains("RUNNING_XACTS")).map(str::to_owned).collect()
    }

    pub fn traffic(&self) -> String {
        std::fs::read_to_string(self.path("pooler.ini")).unwrap()
    }
}

pub fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

impl Drop for Pair {
    fn drop(&mut self) {
        crate::runners::end_all(&self.home.state());
        for which in [ALPHA, BETA].into_iter().chain(SCRATCH) {
            if Path::new(&self.data(which)).join("postmaster.pid").exists() {
                for pid in self.processes(which) {
                    let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
                    if cwd == Path::new(&self.data(which)) {
                        signal(pid, Signal::CONT);
                    }
                }
                let _ =
                    self.program("pg_ctl").args(["stop", "-m", "immediate", "-s", "-D", &self.data(which)]).output();
            }
        }
    }
}
