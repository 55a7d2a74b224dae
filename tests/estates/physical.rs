//! A cluster that a service manager could run: settings in its own files, started and stopped by `pg_ctl`, so that its
//! folder can be lost, recovered and exchanged.

use crate::home::free_port;
use crate::postgres::{BIN, account_words};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Physical {
    pub port: u16,
    pub data: PathBuf,
    account: Vec<String>,
}

impl Physical {
    /// A running cluster in `folder`/main, whose parent then belongs to its account.
    pub fn start_in(folder: &Path, settings: &str) -> Self {
        let port = free_port();
        let cluster = Self { port, data: folder.join("main"), account: account_words() };
        std::fs::create_dir_all(folder).unwrap();
        cluster.give(folder);
        let data = cluster.data.to_str().unwrap();
        cluster.must("initdb", &["--auth=trust", "--username=postgres", "--no-sync", "--no-locale", "-D", data]);
        let file = cluster.data.join("postgresql.conf");
        let before = std::fs::read_to_string(&file).unwrap();
        let own = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\nshared_buffers = '16MB'\n\
             min_wal_size = '32MB'\nwal_level = replica\nmax_wal_senders = 10\n{settings}"
        );
        std::fs::write(&file, format!("{before}\n{own}")).unwrap();
        cluster.ctl(&["start", "-w", "-t", "60", "-s", "-l", folder.join("log").to_str().unwrap()]);
        cluster
    }

    pub fn give(&self, path: &Path) {
        if let Some(name) = self.account.get(2) {
            assert!(Command::new("chown").arg(name).arg(path).status().unwrap().success());
        }
    }

    pub fn run_as(&self) -> String {
        serde_json::to_string(&self.account).unwrap()
    }

    pub fn ctl(&self, words: &[&str]) {
        self.must("pg_ctl", &[words, &["-D", self.data.to_str().unwrap()]].concat());
    }

    /// One of PostgreSQL's programs as the cluster's account.
    pub fn program(&self, name: &str) -> Command {
        let words: Vec<String> = self.account.iter().cloned().chain([format!("{BIN}/{name}")]).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", "postgres");
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    pub fn must(&self, name: &str, words: &[&str]) {
        let done = self.program(name).args(words).output().unwrap();
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-", "-d", database]);
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Ends the segment, and waits until `archive` has it whole.
    pub fn switch(&self, archive: &Path) {
        let name = self.sql("postgres", "SELECT pg_walfile_name(pg_switch_wal())");
        let deadline = Instant::now() + PATIENCE;
        while archive.join(&name).metadata().map_or(0, |meta| meta.len()) < 16 << 20 {
            assert!(Instant::now() < deadline, "{name} is not archived");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Also what a recovery made beside the folder.
impl Drop for Physical {
    fn drop(&mut self) {
        let holder = self.data.parent().unwrap();
        for folder in std::fs::read_dir(holder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if folder.join("postmaster.pid").exists() {
                let _ = self.program("pg_ctl").args(["stop", "-m", "immediate", "-s", "-D"]).arg(folder).output();
            }
        }
    }
}
