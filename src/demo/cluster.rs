//! A private PostgreSQL cluster on loopback, for a database restore that is real.

use rustix::process::{Pid, Signal};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, Result, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The cluster's superuser, and the owner of its databases.
pub const USER: &str = "relight";
pub const PASSWORD_FILE: &str = "postgres/password";
const START_PATIENCE: Duration = Duration::from_secs(20);
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A running server; stopped when dropped.
#[derive(Debug)]
pub struct Cluster {
    bin: PathBuf,
    root: PathBuf,
    port: u16,
    server: Child,
}

/// A user of the system that may run a server: root itself may not.
#[derive(Clone, Copy, Debug)]
struct RunAs {
    uid: u32,
    gid: u32,
}

impl Cluster {
    /// Makes a cluster below `sandbox` and starts it.
    pub fn start(bin: &Path, sandbox: &Path) -> Result<Self> {
        let root = sandbox.join("postgres");
        fs::create_dir(&root)?;
        let run_as = if rustix::process::geteuid().is_root() { Some(unprivileged()?) } else { None };
        if let Some(user) = run_as {
            // The server's user must reach its folder, and nothing else of the sandbox.
            fs::set_permissions(sandbox, Permissions::from_mode(0o711))?;
            chown(&root, Some(user.uid), Some(user.gid))?;
        }
        fs::set_permissions(&root, Permissions::from_mode(0o700))?;
        let password = root.join("password");
        write_password(&password, &root.join("pgpass"), run_as)?;
        init(bin, &root, &password, run_as)?;
        Self::serve(bin, root, run_as, 0)
    }

    /// Starts the server of a cluster that was made below `sandbox` before, at `port` if that is free.
    pub fn restart(bin: &Path, sandbox: &Path, port: u16) -> Result<Self> {
        let run_as = if rustix::process::geteuid().is_root() { Some(unprivileged()?) } else { None };
        Self::serve(bin, sandbox.join("postgres"), run_as, port)
    }

    fn serve(bin: &Path, root: PathBuf, run_as: Option<RunAs>, port: u16) -> Result<Self> {
        let (server, port) = launch(bin, &root, run_as, port)?;
        let mut cluster = Self { bin: bin.to_owned(), root, port, server };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Runs SQL from standard input, stopping at the first error.
    pub fn sql(&self, database: &str, text: &str) -> Result<()> {
        let mut psql = self.client("psql");
        psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", database]);
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(text.as_bytes())));
            child.wait_with_output()
        })?;
        succeeded("psql", &output)
    }

    /// A custom-format dump of `database`.
    pub fn dump(&self, database: &str) -> Result<Vec<u8>> {
        let output = self.client("pg_dump").args(["--format=custom", "--dbname", database]).output()?;
        succeeded("pg_dump", &output)?;
        Ok(output.stdout)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string(), "--username", USER, "--no-password"])
            .env("PGPASSFILE", self.root.join("pgpass"))
            .env("LC_ALL", "C")
            .env_remove("PGPASSWORD")
            .env_remove("PGSERVICE")
            .env_remove("PGOPTIONS");
        command
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let output = self.client("psql").args(["--no-psqlrc", "--dbname", "postgres", "--command", ""]).output()?;
            if output.status.success() {
                return Ok(());
            }
            if begun.elapsed() > START_PATIENCE || self.server.try_wait()?.is_some() {
                let log = fs::read_to_string(self.root.join("server.log")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                return Err(Error::other(format!("the server did not become ready: {}", last.join(" | "))));
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(pid) = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw) else { return };
        // An immediate shutdown: nobody waits for a last checkpoint of a sandbox. The kernel's way is the last.
        for (signal, patience) in [(Signal::QUIT, STOP_PATIENCE), (Signal::KILL, Duration::MAX)] {
            // An error means that it is gone already, which the wait finds out.
            let _ = rustix::process::kill_process(pid, signal);
            let begun = Instant::now();
            while begun.elapsed() < patience {
                match self.server.try_wait() {
                    Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                    Ok(Some(_)) | Err(_) => return,
                }
            }
        }
    }
}

fn init(bin: &Path, root: &Path, password: &Path, run_as: Option<RunAs>) -> Result<()> {
    let mut initdb = Command::new(bin.join("initdb"));
    initdb
        .args(["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"])
        .arg(format!("--username={USER}"))
        .arg("--pwfile")
        .arg(password)
        .arg("--pgdata")
        .arg(root.join("data"));
    succeeded("initdb", &as_user(&mut initdb, run_as).output()?)
}

fn launch(bin: &Path, root: &Path, run_as: Option<RunAs>, wanted: u16) -> Result<(Child, u16)> {
    // Between giving the port back and the server's taking it another program may come; then the start
    // fails and says so.
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let port = free(wanted).or_else(|_| free(0))?.local_addr()?.port();
    let log = File::create(root.join("server.log"))?;
    let mut postgres = Command::new(bin.join("postgres"));
    postgres.arg("-D").arg(root.join("data"));
    for setting in [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        "shared_buffers=32MB".to_owned(),
        "max_connections=40".to_owned(),
        "max_wal_size=256MB".to_owned(),
        "autovacuum_naptime=1h".to_owned(),
    ] {
        postgres.args(["-c", &setting]);
    }
    // In a group of its own, so that a Ctrl-C in the terminal does not stop it under a running restore.
    postgres.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Ok((as_user(&mut postgres, run_as).spawn()?, port))
}

fn as_user(command: &mut Command, run_as: Option<RunAs>) -> &mut Command {
    if let Some(user) = run_as {
        command.uid(user.uid).gid(user.gid);
    }
    command.current_dir("/").env("LC_ALL", "C")
}

/// The password for the server's first start and for people, and the same as libpq reads it.
fn write_password(password: &Path, pgpass: &Path, run_as: Option<RunAs>) -> Result<()> {
    let mut noise = [0_u8; 16];
    getrandom::fill(&mut noise).map_err(Error::other)?;
    let secret = hex::encode(noise);
    let private = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    private(password)?.write_all(format!("{secret}\n").as_bytes())?;
    private(pgpass)?.write_all(format!("127.0.0.1:*:*:{USER}:{secret}\n").as_bytes())?;
    match run_as {
        Some(user) => chown(password, Some(user.uid), Some(user.gid)),
        None => Ok(()),
    }
}

/// `postgres` where the system has it, otherwise `nobody`.
fn unprivileged() -> Result<RunAs> {
    let users = fs::read_to_string("/etc/passwd")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|wanted| {
            users.lines().find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                let uid = fields.nth(1)?.parse().ok()?;
                let gid = fields.next()?.parse().ok()?;
                (name == *wanted).then_some(RunAs { uid, gid })
            })
        })
        .ok_or_else(|| Error::other("there is neither a user `postgres` nor a user `nobody` to run the server"))
}

fn succeeded(program: &str, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(Error::other(format!("{program} failed ({}): {line}", output.status)))
}
