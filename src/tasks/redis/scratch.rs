//! A Redis of our own that works in the folder beside the live one: on a socket that nobody else knows, as the
//! user whose data it is, and gone before the folder is used.

use super::look::{BETWEEN, Info};
use super::wire;
use crate::model::estate::{Host, Server, ServerHome, Via};
use crate::model::id::{HostId, ServerId};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::Command;
use crate::tasks::input::Stop;
use crate::tasks::patience::Patience;
use crate::tasks::pg::pair::home::{Home, listed};
use std::borrow::Cow;
use std::time::Duration;

/// Longest path of a Unix socket, less its final zero.
const SOCKET_BYTES: usize = 107;
const LOADING: &str = "12h";
const REWRITING: &str = "6h";

/// Names that a server gives its files.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Names {
    pub rdb_name: String,
    pub aof_name: String,
    pub aof_dir: String,
    #[serde(default)]
    pub databases: Option<u64>,
}

impl Default for Names {
    /// As Redis itself has them.
    fn default() -> Self {
        let [rdb_name, aof_name, aof_dir] = ["dump.rdb", "appendonly.aof", "appendonlydir"].map(str::to_owned);
        Self { rdb_name, aof_name, aof_dir, databases: None }
    }
}

pub struct Side<'a> {
    cx: &'a TaskContext,
    server: &'a Server,
    host: Cow<'a, Host>,
    place: ServerHome,
}

/// Device and inode of a folder; `None` where nothing has this name.
pub async fn folder_id(home: &Home<'_>, path: &str) -> Result<Option<String>, Stop> {
    let said = home.run(Command::new(["env", "LC_ALL=C", "stat", "-c", "%F|%d:%i", "--", path])).await?;
    if said.status != 0 && said.stderr.iter().any(|line| line.contains("No such file or directory")) {
        return Ok(None);
    }
    let text = said.success(&format!("looking at {}", escaped(path)), home.host)?.text();
    match text.trim().split_once('|') {
        Some(("directory", id)) => Ok(Some(id.to_owned())),
        _ => Err(Failure::new(format!("{} is no folder", escaped(path)))
            .means("nothing was done")
            .next("look at it by hand; a data folder must not be a link")
            .into()),
    }
}

impl<'a> Side<'a> {
    fn of(cx: &'a TaskContext, server: &ServerId, folder: &str) -> Result<Self, Failure> {
        let server = wire::server(cx, server)?;
        let home = Home::of(cx, server)?;
        let place = ServerHome { data_dir: folder.to_owned(), service: None, ..home.place.clone() };
        Self { cx, server, host: Cow::Borrowed(home.host), place }.with_a_socket()
    }

    /// The one or the other.
    pub fn at(cx: &'a TaskContext, here: bool, server: &ServerId, folder: &str) -> Result<Self, Failure> {
        if here { Self::here(cx, server, folder) } else { Self::of(cx, server, folder) }
    }

    /// On this machine, wherever the server lives, with the programs of this machine.
    fn here(cx: &'a TaskContext, server: &ServerId, folder: &str) -> Result<Self, Failure> {
        let server = wire::server(cx, server)?;
        let host = Host { id: HostId::from("this machine"), via: Via::Local, run_as: Vec::new() };
        let place = ServerHome {
            host: host.id.clone(),
            data_dir: folder.to_owned(),
            bin_dir: None,
            log: None,
            start_options: Vec::new(),
            replication_user: None,
            start: Vec::new(),
            stop: Vec::new(),
            service: None,
        };
        Self { cx, server, host: Cow::Owned(host), place }.with_a_socket()
    }

    fn with_a_socket(self) -> Result<Self, Failure> {
        let side = self;
        if side.socket().len() > SOCKET_BYTES {
            return Err(Failure::new(format!("the path {} is too long for a socket", escaped(&side.socket())))
                .means("no Redis can be spoken to in that folder; nothing was done")
                .next("keep the data folder in a folder with a shorter path"));
        }
        Ok(side)
    }

    pub fn home(&self) -> Home<'_> {
        Home { cx: self.cx, server: self.server, host: &self.host, place: &self.place }
    }

    pub fn folder(&self) -> &str {
        &self.place.data_dir
    }

    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.place.data_dir)
    }

    fn socket(&self) -> String {
        self.file("relight.sock")
    }

    fn log(&self) -> String {
        self.file("relight.log")
    }

    /// Words that make a command run as the owner of `like`, where that is somebody else.
    pub async fn owner(&self, like: &str) -> Result<Vec<String>, Stop> {
        let home = self.home();
        let owner = home.must("looking at the data folder's owner", &["stat", "-c", "%u:%g", "--", like]).await?.text();
        let me = home.must("looking who we are there", &["id", "-u"]).await?.text();
        match owner.trim().split_once(':') {
            Some((user, group)) if user != me.trim() => Ok([
                "setpriv".to_owned(),
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".to_owned(),
                "--".to_owned(),
            ]
            .into()),
            _ => Ok(Vec::new()),
        }
    }

    /// Starts it on the snapshot alone, and waits until all of that is loaded.
    pub async fn start(&self, names: &Names, as_owner: &[String]) -> Result<Info, Stop> {
        let home = self.home();
        let version = home.run(home.program("redis-server", &["--version"])).await?;
        let version = version.success("redis-server --version", &self.host)?.text();
        let (log, socket, pid) = (self.log(), self.socket(), self.file("relight.pid"));
        let databases = names.databases.unwrap_or(16).clamp(1, 1 << 20).to_string();
        let mut settings = vec![
            ("port", "0"),
            ("unixsocket", &socket),
            ("unixsocketperm", "700"),
            ("dir", self.folder()),
            ("dbfilename", &names.rdb_name),
            ("appendfilename", &names.aof_name),
            ("databases", &databases),
            // What comes with a snapshot is kept as it is: no save of our own, and no log of changes yet.
            ("save", ""),
            ("appendonly", "no"),
            ("daemonize", "yes"),
            ("pidfile", &pid),
            ("logfile", &log),
        ];
        if major(&version).is_none_or(|major| major >= 7) {
            settings.push(("appenddirname", &names.aof_dir));
        }
        let options: Vec<String> =
            settings.iter().flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()]).collect();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut command = home.program("redis-server", &options);
        // A session of its own from the first moment: what a command leaves behind in its group is swept away.
        let front = as_owner.iter().cloned().chain(["setsid".to_owned(), "--wait".to_owned()]);
        command.argv.splice(0..0, front);
        home.run(command.within(Duration::from_mins(1)))
            .await?
            .success("starting a Redis beside the live one", &self.host)?;
        self.until(LOADING, "it has not loaded the snapshot yet", |info| !info.is_on("loading")).await
    }

    /// Makes it write its log of changes, so that the folder is whole whichever of the two its server reads.
    pub async fn write_log(&self) -> Result<Info, Stop> {
        self.ask(&["CONFIG", "SET", "appendonly", "yes"]).await?;
        let written = |info: &Info| {
            info.is_on("aof_enabled") && !info.is_on("aof_rewrite_in_progress") && !info.is_on("aof_rewrite_scheduled")
        };
        let info = self.until(REWRITING, "it still writes its log of changes", written).await?;
        if info.get("aof_last_bgrewrite_status") != "ok" || info.get("aof_last_write_status") != "ok" {
            let failure = Failure::new("the Redis beside the live one could not write its log of changes")
                .means("a server that reads the log would lack data; the live server was not touched")
                .next("make room on that disk, then retry");
            return Err(self.with_log(failure).await);
        }
        Ok(info)
    }

    async fn until(&self, within: &str, missing: &str, there: impl Fn(&Info) -> bool) -> Result<Info, Stop> {
        let mut patience = Patience::new(self.cx, Some(within), BETWEEN)?;
        loop {
            if let Some(info) = self.info().await?
                && there(&info)
            {
                return Ok(info);
            }
            if self.home().processes().await?.is_empty() {
                let failure = Failure::new("the Redis beside the live one ended by itself")
                    .means("it does not take this snapshot, or could not work there; the live server was not touched")
                    .next("read what it said; a snapshot of a newer version needs a newer server");
                return Err(self.with_log(failure).await);
            }
            if !patience.again(missing).await? {
                return Err(Failure::new(format!("{missing}, after {within}"))
                    .means("the live server was not touched")
                    .next("give the step more time, then retry")
                    .into());
            }
        }
    }

    async fn with_log(&self, failure: Failure) -> Stop {
        let home = self.home();
        let said = home.run(Command::new(["tail", "-n", "15", "--", &self.log()])).await.map(|said| said.text());
        let said = said.unwrap_or_default();
        Stop::Failed(said.lines().fold(failure, |failure, line| failure.evidence(escaped(line).into_owned())))
    }

    /// What it says; `None` while it says nothing.
    pub async fn info(&self) -> Result<Option<Info>, Stop> {
        let home = self.home();
        let said = home.run(home.program("redis-cli", &["-s", &self.socket(), "INFO"])).await?;
        let info = Info::parse(&said.text());
        Ok((said.status == 0 && !info.get("role").is_empty()).then_some(info))
    }

    async fn ask(&self, words: &[&str]) -> Result<String, Stop> {
        let (home, socket) = (self.home(), self.socket());
        let args: Vec<&str> = ["-s", socket.as_str()].into_iter().chain(words.iter().copied()).collect();
        let said = home.run(home.program("redis-cli", &args)).await?;
        Ok(said.success("speaking to the Redis beside the live one", &self.host)?.text())
    }

    /// Ends it, whether it was of this attempt or of one whose runner died; its own files go with it.
    pub async fn end(&self) -> Result<(), Stop> {
        let home = self.home();
        let mut patience = Patience::new(self.cx, Some("1m"), BETWEEN)?;
        let mut asked = false;
        loop {
            let running = home.processes().await?;
            if running.is_empty() {
                break;
            }
            if !asked {
                // Whether it heard is for the processes to say.
                let _ = self.ask(&["SHUTDOWN", "NOSAVE"]).await;
                asked = true;
            } else if patience.left() < Duration::from_secs(45) {
                for process in &running {
                    home.run(Command::new(["kill", "--", &process.pid.to_string()])).await?;
                }
            }
            if !patience
                .again(&format!("a Redis in {} still runs: {}", escaped(self.folder()), listed(&running)))
                .await?
            {
                return Err(Failure::new(format!(
                    "a Redis in {} does not end: {}",
                    escaped(self.folder()),
                    listed(&running)
                ))
                .means("its folder must not be used while it runs; the live server was not touched")
                .next("end it on its host, then retry")
                .into());
            }
        }
        let own = [self.socket(), self.log(), self.file("relight.pid")];
        home.must("clearing its own files", &["rm", "-f", "--", &own[0], &own[1], &own[2]]).await?;
        Ok(())
    }
}

fn major(version: &str) -> Option<u32> {
    version.split("v=").nth(1)?.split('.').next()?.parse().ok()
}
