//! One unit and its manager: what systemd says of it, what its control group holds, and the orders it takes.

use super::doors::{self, Door};
use super::managed::find;
use crate::model::estate::{Host, Manager, Service, SystemdUnit, UnitScope};
use crate::model::id::ServiceId;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command, Said};
use crate::tasks::input::Stop;
use serde_json::{Value, json};
use std::time::Duration;

const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,ControlPID,FragmentPath,\
                          StateChangeTimestamp,TriggeredBy,Result";

pub struct Unit<'a> {
    pub cx: &'a TaskContext,
    pub service: &'a Service,
    pub named: &'a SystemdUnit,
    pub host: &'a Host,
}

/// What the manager says of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// `loaded`, `masked`, `not-found`…
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`…
    pub active: String,
    pub sub: String,
    /// `enabled`, `disabled`, `masked`, `masked-runtime`…
    pub file: String,
    pub main_pid: u32,
    pub control_pid: u32,
    /// Where the unit was read from.
    pub fragment: String,
    /// When it came into this state, in the manager's own words.
    pub since: String,
    /// Sockets, timers and paths that would start it.
    pub triggered_by: String,
    pub result: String,
}

impl Standing {
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            value.map(|value| escaped(value).into_owned())
        };
        Some(Self {
            load: field("LoadState")?,
            active: field("ActiveState")?,
            sub: field("SubState")?,
            file: field("UnitFileState").unwrap_or_default(),
            main_pid: field("MainPID").unwrap_or_default().parse().unwrap_or(0),
            control_pid: field("ControlPID").unwrap_or_default().parse().unwrap_or(0),
            fragment: field("FragmentPath").unwrap_or_default(),
            since: field("StateChangeTimestamp").unwrap_or_default(),
            triggered_by: field("TriggeredBy").unwrap_or_default(),
            result: field("Result").unwrap_or_default(),
        })
    }

    pub fn is_masked(&self) -> bool {
        self.load == "masked"
    }

    /// Masked in a way that a restart of the host does not lift.
    pub fn is_masked_for_good(&self) -> bool {
        self.is_masked() && self.file == "masked"
    }

    /// Neither running nor about to run.
    pub fn is_still(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed") && self.main_pid == 0 && self.control_pid == 0
    }

    pub fn runs(&self) -> bool {
        self.active == "active"
    }

    pub fn words(&self) -> String {
        let pid = if self.main_pid == 0 { String::new() } else { format!(", main process {}", self.main_pid) };
        let masked = if self.is_masked() { ", masked" } else { "" };
        format!("{} ({}){masked}{pid}", self.active, self.sub)
    }
}

impl<'a> Unit<'a> {
    pub fn of(cx: &'a TaskContext, id: &ServiceId) -> Result<Self, Failure> {
        Self::new(cx, find(cx, id)?)
    }

    pub fn new(cx: &'a TaskContext, service: &'a Service) -> Result<Self, Failure> {
        let Manager::Systemd(named) = &service.manager else {
            return Err(Failure::new(format!("service `{}` is run by compose", service.id))
                .means("nothing keeps anybody from starting it again, so it cannot be fenced; nothing was done")
                .next("stop it (service.stop), and fence what it works on"));
        };
        Ok(Self { cx, service, named, host: host::find(cx, &service.host)? })
    }

    pub fn title(&self) -> String {
        let scope = if self.named.scope == UnitScope::User { " of a user" } else { "" };
        format!("unit {}{scope} on host {}", self.named.unit, self.host.id)
    }

    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let manager = if self.named.scope == UnitScope::User { "user" } else { "system" };
        vec![("unit", self.named.unit.clone()), ("manager", manager.to_owned())]
    }

    /// `systemctl` for the manager in question; `limit` ends it there, so that its end is heard here.
    async fn systemctl(&self, limit: Duration, words: &[&str]) -> Result<Said, Stop> {
        let seconds = limit.as_secs().max(1).to_string();
        let mut argv = vec!["env".to_owned(), "LC_ALL=C".to_owned(), "TZ=UTC".to_owned()];
        if self.named.scope == UnitScope::User {
            let said = host::run(self.cx, self.host, Command::new(["id", "-u"])).await?;
            let user = said.success("asking for the user", self.host)?.text().trim().to_owned();
            argv.push(format!("XDG_RUNTIME_DIR=/run/user/{user}"));
        }
        argv.extend(
            ["timeout", "-k", "5", &seconds, "systemctl", "--no-pager", "--no-ask-password"].map(str::to_owned),
        );
        if self.named.scope == UnitScope::User {
            argv.push("--user".to_owned());
        }
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        let mut command = Command::new(argv).within(limit + Duration::from_secs(15)).quiet();
        "systemctl".clone_into(&mut command.name);
        host::run(self.cx, self.host, command).await
    }

    /// Some of its properties, `NAME=value` on each line.
    pub async fn properties(&self, names: &str) -> Result<String, Stop> {
        let limit = Duration::from_secs(20);
        let said = self.systemctl(limit, &["show", "--property", names, "--", &self.named.unit]).await?;
        let said = said.success("asking systemd", self.host).map_err(|failure| {
            failure
                .means("how the unit stands is not known")
                .next("see whether the host runs systemd, and whether the account may ask it")
        })?;
        Ok(said.text())
    }

    pub async fn look(&self) -> Result<Standing, Stop> {
        Standing::read(&self.properties(PROPERTIES).await?).ok_or_else(|| {
            Failure::new(format!("systemd on host `{}` answered in a way that is not understood", self.host.id)).into()
        })
    }

    /// One that is known to its manager.
    pub async fn known(&self) -> Result<Standing, Stop> {
        let standing = self.look().await?;
        if standing.load == "not-found" {
            return Err(Failure::new(format!("host `{}` has no unit {}", self.host.id, self.named.unit))
                .means("the name or the host is not the right one; nothing was done")
                .next("mend `unit` of this service in the configuration: systemctl list-units names them")
                .into());
        }
        Ok(standing)
    }

    /// Processes in the unit's control group, whatever its manager says: some outlive their service.
    pub async fn processes(&self) -> Result<Vec<u32>, Stop> {
        let name: String =
            self.named.unit.chars().flat_map(|c| (c == '\\').then_some('\\').into_iter().chain([c])).collect();
        let inside = format!("*/{name}/*");
        let mut find = vec!["find", "/sys/fs/cgroup", "-name", "cgroup.procs", "-path", &inside];
        if self.named.scope == UnitScope::System {
            find.extend(["!", "-path", "*/user.slice/*"]);
        }
        find.extend(["-exec", "cat", "--", "{}", "+"]);
        let there = host::run(self.cx, self.host, Command::new(["test", "-e", "/sys/fs/cgroup"])).await?;
        there.success("looking at the control groups", self.host)?;
        // Its status tells of groups that went away while it looked.
        let said = host::run(self.cx, self.host, Command::new(find).quiet()).await?;
        let mut pids: Vec<u32> = said.text().lines().filter_map(|line| line.trim().parse().ok()).collect();
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Its addresses, as this machine and the hosts of `vantage` see them.
    pub async fn doors(&self) -> Result<Vec<Door>, Stop> {
        doors::look(self.cx, self.service).await
    }

    /// Against every start: by hand, by a timer or socket, by `Restart=`, and after a restart of the host.
    pub async fn mask(&self) -> Result<(), Stop> {
        let standing = self.known().await?;
        if standing.is_masked_for_good() {
            return Ok(());
        }
        let said = self.systemctl(Duration::from_secs(30), &["mask", "--", &self.named.unit]).await?;
        said.success("masking the unit", self.host).map_err(|failure| {
            let own = standing.fragment.starts_with("/etc/systemd/");
            failure.means("whatever starts it can start it again; nothing was stopped").next(if own {
                "its file lies where the mask would have to: move it to /usr/local/lib/systemd/system, reload, retry"
            } else {
                "see whether the account may change units on that host"
            })
        })?;
        let standing = self.look().await?;
        if standing.is_masked_for_good() {
            return Ok(());
        }
        let what = format!("{} was masked, and systemd says `{}` of it", self.title(), standing.file);
        Err(Failure::new(what).means("a restart of the host may start it again; nothing was stopped").into())
    }

    pub async fn unmask(&self) -> Result<(), Stop> {
        if !self.known().await?.is_masked() {
            return Ok(());
        }
        for how in [&["unmask"][..], &["unmask", "--runtime"]] {
            let words: Vec<&str> = how.iter().copied().chain(["--", self.named.unit.as_str()]).collect();
            let said = self.systemctl(Duration::from_secs(30), &words).await?;
            said.success("taking the mask away", self.host)?;
        }
        if self.look().await?.is_masked() {
            let what = format!("{} is still masked", self.title());
            return Err(Failure::new(what).next("see /etc/systemd and /run/systemd on that host").into());
        }
        Ok(())
    }

    /// Orders the stop, and waits for it; whether it worked is for a look to say.
    pub async fn stop(&self, within: Duration) -> Result<Said, Stop> {
        self.systemctl(within, &["stop", "--", &self.named.unit]).await
    }

    /// Ends every process of the unit at once.
    pub async fn kill(&self) -> Result<Said, Stop> {
        self.systemctl(Duration::from_secs(20), &["kill", "--signal=SIGKILL", "--", &self.named.unit]).await
    }

    pub async fn start(&self, within: Duration) -> Result<(), Stop> {
        let said = self.systemctl(within, &["start", "--", &self.named.unit]).await?;
        said.success(&format!("starting {}", self.named.unit), self.host).map_err(|failure| {
            failure
                .means("it is not running, or not ready yet")
                .next(format!("look at its log: journalctl -u {} on that host", self.named.unit))
        })?;
        Ok(())
    }

    /// Proof that the service does nothing and cannot begin again. `Err(Stop::Unknown)` where that is not seen.
    pub async fn prove_fenced(&self) -> Result<Value, Stop> {
        let open = |what: String| {
            Stop::Unknown(
                Failure::new(what)
                    .means("it is not proven that this service is stopped for good")
                    .next("stop it by other means (its host's console, its power, its network), then look again"),
            )
        };
        let (standing, left) = (self.look().await?, self.processes().await?);
        if !standing.is_still() || !left.is_empty() {
            return Err(open(format!("{} is not gone: {}{}", self.title(), standing.words(), listed(&left))));
        }
        if !standing.is_masked_for_good() {
            return Err(open(format!("{} is stopped, and anything can start it again", self.title())));
        }
        let doors = self.doors().await?;
        if let Some(door) = doors.iter().find(|door| door.is_open()) {
            return Err(open(format!("no process of {} is left, and yet {door}", self.title())));
        }
        Ok(json!({
            "service": self.service.id.as_str(),
            "unit": self.named.unit,
            "unit_state": standing.words(),
            "unit_processes": "its control group is empty",
            "masked": "by a link in the host's configuration, which holds over a restart of the host",
            "doors": doors.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "seen_on_host": self.host.id.as_str(),
            "seen_at": self.cx.clock.now().to_rfc3339(),
        }))
    }
}

pub(super) fn listed(pids: &[u32]) -> String {
    if pids.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = pids.iter().take(5).map(ToString::to_string).collect();
    format!(", {} in its control group ({})", pids.len(), shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(load: &str, file: &str, active: &str, pid: u32) -> Standing {
        Standing {
            load: load.to_owned(),
            file: file.to_owned(),
            active: active.to_owned(),
            main_pid: pid,
            ..Standing::default()
        }
    }

    #[test]
    fn only_a_lasting_mask_is_for_good_and_only_silence_is_still() {
        assert!(standing("masked", "masked", "inactive", 0).is_masked_for_good());
        assert!(!standing("masked", "masked-runtime", "inactive", 0).is_masked_for_good());
        assert!(!standing("masked", "masked", "active", 4).is_still());
        assert!(!standing("loaded", "enabled", "activating", 0).is_still(), "it waits to be started again");
        assert!(standing("loaded", "enabled", "failed", 0).is_still());
        assert_eq!(Standing::read("LoadState=loaded\nnothing else"), None);
    }
}
