//! A server seen from its own host: its data folder, its processes, its control file.

use super::look::{self, Lsn, Seen};
use crate::model::estate::{Host, Server, ServerHome};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command, Said, quote};
use crate::tasks::input::Stop;
use crate::tasks::patience::{Patience, pause};
use crate::tasks::pg::connect::address;
use crate::tasks::services::Unit;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A server's host, and the way to it.
pub struct Home<'a> {
    pub cx: &'a TaskContext,
    pub server: &'a Server,
    pub host: &'a Host,
    pub place: &'a ServerHome,
}

/// What `pg_controldata` tells.
#[derive(Clone, Debug)]
pub struct Control {
    pub system_identifier: String,
    /// PostgreSQL's own words: `in production`, `shut down`…
    pub state: String,
    pub checkpoint: Lsn,
    pub timeline: String,
}

/// A process that works in the data folder.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    /// As the kernel tells it: `S (sleeping)`, `T (stopped)`.
    pub state: String,
}

impl Process {
    pub fn is_paused(&self) -> bool {
        self.state.starts_with(['T', 't'])
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} {}", self.pid, self.state)
    }
}

/// How long processes of a stopped server may take to leave: one may wait for a disk.
const LEAVING: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_millis(200);

/// Its presence makes whoever starts the server start a standby.
pub const MARK: &str = "standby.signal";

impl<'a> Home<'a> {
    pub fn of(cx: &'a TaskContext, server: &'a Server) -> Result<Self, Failure> {
        let place = server.home.as_ref().ok_or_else(|| {
            Failure::new(format!("nobody knows where server `{}` runs", server.id))
                .means("it cannot be stopped, started or looked at from its own host; nothing was done")
                .next("say it in the configuration: [servers.home] with host and data_dir")
        })?;
        Ok(Self { cx, server, host: host::find(cx, &place.host)?, place })
    }

    /// The unit under which its host runs it.
    pub fn unit(&self) -> Result<Option<Unit<'a>>, Failure> {
        self.place.service.as_ref().map(|id| Unit::of(self.cx, id)).transpose()
    }

    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.place.data_dir)
    }

    pub async fn run(&self, command: Command) -> Result<Said, Stop> {
        host::run(self.cx, self.host, command).await
    }

    /// A command that must say yes.
    pub async fn must(&self, doing: &str, argv: &[&str]) -> Result<Said, Stop> {
        let said = self.run(Command::new(argv.iter().copied())).await?;
        Ok(said.success(doing, self.host)?)
    }

    /// One of PostgreSQL's programs, speaking English whatever the host's settings.
    pub fn program(&self, name: &str, args: &[&str]) -> Command {
        let path = match &self.place.bin_dir {
            Some(dir) => format!("{dir}/{name}"),
            None => name.to_owned(),
        };
        let argv = ["env", "LC_ALL=C", &path].into_iter().chain(args.iter().copied());
        let mut command = Command::new(argv);
        name.clone_into(&mut command.name);
        command
    }

    pub async fn control(&self) -> Result<Control, Stop> {
        let said = self.run(self.program("pg_controldata", &["-D", &self.place.data_dir])).await?;
        let text = said.success("reading the control file", self.host)?.text();
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.trim().to_owned())
        };
        let read = || {
            Some(Control {
                system_identifier: field("Database system identifier")?,
                state: field("Database cluster state")?,
                checkpoint: Lsn::parse(&field("Latest checkpoint location")?)?,
                timeline: field("Latest checkpoint's TimeLineID")?,
            })
        };
        read().ok_or_else(|| {
            Failure::new(format!("the control file of server `{}` could not be understood", self.server.id))
                .means("pg_controldata answered in a way that this program does not know")
                .next("check `bin_dir` of [servers.home]")
                .into()
        })
    }

    /// Every process whose working folder is the data folder: all of PostgreSQL's have it as theirs.
    pub async fn processes(&self) -> Result<Vec<Process>, Stop> {
        let real =
            self.must("resolving the data folder", &["realpath", "-e", "--", &self.place.data_dir]).await?.text();
        let real = real.trim_end_matches('\n');
        let pattern: String = real
            .chars()
            .flat_map(|c| match c {
                '*' | '?' | '[' | '\\' => vec!['\\', c],
                c => vec![c],
            })
            .collect();
        self.must("looking at the processes", &["test", "-e", "/proc/self/cwd"]).await?;
        let find = ["find", "/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "cwd", "-lname", &pattern];
        // Its status tells of processes that left while it looked, and of those that are not ours to read.
        let said = self.run(Command::new(find).quiet()).await?.text();
        let mut pids: Vec<u32> = said.lines().filter_map(|line| line.split('/').nth(2)?.parse().ok()).collect();
        if let Some(pid) = self.recorded().await?.filter(|pid| !pids.contains(pid)) {
            let link = format!("/proc/{pid}/cwd");
            let readable = self.run(Command::new(["readlink", &link])).await?.status == 0;
            let there = self.run(Command::new(["test", "-d", &format!("/proc/{pid}")])).await?.status == 0;
            // A process that may not be looked into is not known to be another's.
            if there && !readable {
                pids.push(pid);
            }
        }
        let mut found = Vec::new();
        for pid in pids {
            let status = self.run(Command::new(["cat", &format!("/proc/{pid}/status")])).await?;
            let text = status.text();
            let state = text.lines().find_map(|line| line.strip_prefix("State:")).map(str::trim);
            // One that is over, and only waits for its parent to hear of it, holds nothing any more.
            if status.status == 0 && !state.is_some_and(|state| state.starts_with(['Z', 'X'])) {
                found.push(Process { pid, state: state.unwrap_or("in an unknown state").to_owned() });
            }
        }
        Ok(found)
    }

    /// Programs that fill one of these folders with a copy.
    pub async fn filling(&self, folders: &[&str]) -> Result<Vec<Process>, Stop> {
        let named = ["-exec", "grep", "-lxE", "pg_basebackup|pg_rewind", "{}", "+"];
        let find = ["find", "/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "comm"].into_iter().chain(named);
        // Its status tells of processes that left while it looked.
        let said = self.run(Command::new(find).quiet()).await?.text();
        let mut found = Vec::new();
        for pid in said.lines().filter_map(|line| line.split('/').nth(2)?.parse::<u32>().ok()) {
            for folder in folders {
                let words = ["grep", "-qzxF", "-e", folder, &format!("/proc/{pid}/cmdline")];
                if self.run(Command::new(words)).await?.status == 0 {
                    found.push(Process { pid, state: "fills its folder".to_owned() });
                }
            }
        }
        Ok(found)
    }

    /// The process that `postmaster.pid` names.
    async fn recorded(&self) -> Result<Option<u32>, Stop> {
        let said = self.run(Command::new(["head", "-n", "1", "--", &self.file("postmaster.pid")]).quiet()).await?;
        Ok(said.text().trim().parse().ok())
    }

    /// Ends copies into a folder that belongs to this run. What receives the log for a copy waits for more of it even
    /// when nobody is left to tell it where the copy ends.
    pub async fn end_copies(&self, folder: &str) -> Result<(), Stop> {
        for process in self.filling(&[folder]).await? {
            self.cx.feed.line(format!("ending an earlier copy: {process}"));
            // It may have left by itself; whether it is gone is looked at again.
            self.run(Command::new(["kill", "--", &process.pid.to_string()])).await?;
        }
        Ok(())
    }

    /// A copy that an attempt began whose runner died goes on until it finds that nobody hears it. Two that fill
    /// one folder would leave a mixture.
    pub async fn left_alone(&self, folders: &[&str]) -> Result<(), Stop> {
        let mut patience = Patience::new(self.cx, Some("1m"), look::BETWEEN)?;
        loop {
            let filling = self.filling(folders).await?;
            if filling.is_empty() {
                return Ok(());
            }
            let missing =
                format!("an earlier copy into the folder of `{}` still runs: {}", self.server.id, listed(&filling));
            if !patience.again(&missing).await? {
                return Err(Failure::new(missing)
                    .means("a second one beside it would leave a mixture; nothing was done")
                    .next("end it on its host, then retry")
                    .into());
            }
        }
    }

    /// Where the server's own words go while it starts.
    pub fn log(&self) -> String {
        self.place.log.clone().unwrap_or_else(|| format!("{}.relight.log", self.place.data_dir))
    }

    pub async fn is_marked(&self) -> Result<bool, Stop> {
        Ok(self.run(Command::new(["test", "-e", &self.file(MARK)])).await?.status == 0)
    }

    pub async fn mark(&self) -> Result<(), Stop> {
        self.must("marking the server as a standby", &["touch", "--", &self.file(MARK)]).await?;
        Ok(())
    }

    pub async fn unmark(&self) -> Result<(), Stop> {
        self.must("taking the mark of a standby away", &["rm", "-f", "--", &self.file(MARK)]).await?;
        Ok(())
    }

    /// Orders a stop; whether it worked is for [`Home::processes`] to say. A server that its host runs as a service
    /// is stopped as one, which would start it again otherwise; only at once is at once.
    pub async fn stop(&self, mode: &str, within: Duration) -> Result<Said, Stop> {
        if mode != "immediate"
            && let Some(unit) = self.unit()?
            && unit.known().await?.runs()
        {
            return unit.stop(within).await;
        }
        let seconds = within.as_secs().max(1).to_string();
        let args = ["stop", "-D", &self.place.data_dir, "-m", mode, "-w", "-t", &seconds];
        self.run(self.program("pg_ctl", &args).within(within + Duration::from_secs(15))).await
    }

    /// Stops it and waits for the last of its processes: a server that was stopped at once removes its pid file before
    /// they have all left. Those that are still there in the end.
    pub async fn end(&self, mode: &str, within: Duration) -> Result<Vec<Process>, Stop> {
        self.stop(mode, within).await?;
        let deadline = Instant::now() + LEAVING;
        loop {
            let left = self.processes().await?;
            if left.is_empty() || Instant::now() >= deadline {
                return Ok(left);
            }
            pause(self.cx, BEAT).await?;
        }
    }

    pub async fn start(&self, within: Duration) -> Result<(), Stop> {
        if let Some(unit) = self.unit()? {
            unit.unmask().await?;
            return unit.start(within).await;
        }
        let seconds = within.as_secs().max(1).to_string();
        let log = self.log();
        let options = quote::line(&self.place.start_options)?;
        let mut args = vec!["start", "-D", &self.place.data_dir, "-w", "-t", &seconds, "-l", &log];
        if !options.is_empty() {
            args.extend(["-o", &options]);
        }
        let said = self.run(self.program("pg_ctl", &args).within(within + Duration::from_secs(15))).await?;
        let doing = format!("starting server `{}`", self.server.id);
        said.success(&doing, self.host).map_err(|failure| {
            failure.means("it is not running, or not ready yet").next(format!("look at {} on that host", escaped(&log)))
        })?;
        Ok(())
    }

    /// Proof that the server cannot take writes: no process, a mark against every restart, no answer.
    /// `Err(Stop::Unknown)` where one of these could not be seen.
    pub async fn prove_fenced(&self, system_identifier: &str) -> Result<Value, Stop> {
        let open = |what: String| {
            Stop::Unknown(
                Failure::new(what)
                    .means("it is not proven that this server takes no writes")
                    .next("stop it by other means (its host's console, its power, its network), then look again"),
            )
        };
        let control = self.control().await?;
        if control.system_identifier != system_identifier {
            let what = format!("the data folder holds cluster {}, not {system_identifier}", control.system_identifier);
            return Err(open(what));
        }
        let processes = self.processes().await?;
        if !processes.is_empty() {
            return Err(open(format!("server `{}` still runs: {}", self.server.id, listed(&processes))));
        }
        if !self.is_marked().await? {
            return Err(open(format!(
                "server `{}` is stopped, and would take writes if anything started it",
                self.server.id
            )));
        }
        let unit = match self.unit()? {
            Some(unit) => Some(unit.prove_fenced().await?),
            None => None,
        };
        let seen = look::look(self.cx, self.server).await?;
        if matches!(seen, Seen::Up(_) | Seen::Closed(_)) {
            let what = format!("its host sees no process, and yet {} {}", address(self.server), seen.words());
            return Err(open(what));
        }
        let mut receipt = json!({
            "server": self.server.id.as_str(),
            "address": address(self.server),
            "system_identifier": system_identifier,
            "processes": "none works in the data folder",
            "restart": "would come up as a standby (standby.signal is in place)",
            "from_here": seen.words(),
            "control_state": control.state,
            "checkpoint": control.checkpoint.to_string(),
            "timeline": control.timeline,
            "seen_on_host": self.host.id.as_str(),
            "seen_at": self.cx.clock.now().to_rfc3339(),
        });
        if let Some(unit) = unit {
            receipt["service"] = unit;
        }
        Ok(receipt)
    }
}

pub fn listed(processes: &[Process]) -> String {
    let shown: Vec<String> = processes.iter().take(5).map(ToString::to_string).collect();
    let more = processes.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
