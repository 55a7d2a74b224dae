//! The containers of one service of a compose file: what their engine says of them, and the orders that compose takes.

use super::unit::Standing;
use crate::model::estate::{ComposeService, Host, Service};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command, Said};
use crate::tasks::input::Stop;
use std::time::Duration;

const LOOK: Duration = Duration::from_secs(30);
/// What the engine is asked of each container, one line each.
const FACTS: &str = "{{.State.Status}}\t{{.State.Pid}}\t{{.State.ExitCode}}\t{{.State.StartedAt}}\t\
                     {{.HostConfig.RestartPolicy.Name}}\t{{if .State.Health}}{{.State.Health.Status}}{{end}}\t\
                     {{index .Config.Labels \"com.docker.compose.oneoff\"}}";

pub struct Containers<'a> {
    cx: &'a TaskContext,
    host: &'a Host,
    place: &'a ComposeService,
}

/// One container, as its engine tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Container {
    /// `created`, `running`, `paused`, `restarting`, `exited`, `dead`…
    status: String,
    /// 0 where it has no process.
    pid: u32,
    exit_code: String,
    since: String,
    /// Whether the engine starts it again by itself: `no`, `always`, `unless-stopped`, `on-failure`.
    policy: String,
    /// `healthy`, `starting`, `unhealthy`; empty where it has no check.
    health: String,
    /// Made by `compose run` for one command: no part of the service, and yet of its work while it runs.
    one_off: bool,
}

impl Container {
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(|field| escaped(field).into_owned());
        let mut next = || fields.next();
        Some(Self {
            status: next()?,
            pid: next()?.parse().ok()?,
            exit_code: next()?,
            since: next()?,
            policy: next()?,
            health: next()?,
            one_off: next()?.eq_ignore_ascii_case("true"),
        })
    }

    /// The words of systemd and those of the engine for how it stands.
    fn state(&self) -> (&'static str, String) {
        match (self.status.as_str(), self.health.as_str()) {
            ("running", "" | "none" | "healthy") => ("active", "running".to_owned()),
            ("running", health) => ("activating", format!("running, {health}")),
            ("exited" | "dead", _) => ("inactive", format!("{} with status {}", self.status, self.exit_code)),
            ("created", _) => ("inactive", "created".to_owned()),
            (other, _) => ("activating", other.to_owned()),
        }
    }
}

/// All containers of the service as one.
fn standing(containers: &[Container]) -> Standing {
    let (one_offs, own): (Vec<_>, Vec<_>) = containers.iter().partition(|container| container.one_off);
    let mut standing = standing_of(&own);
    if let Some(one) = one_offs.iter().find(|container| container.pid != 0)
        && standing.is_still()
    {
        standing.main_pid = one.pid;
        (standing.active, standing.sub) = ("activating".to_owned(), "a one-off container of it runs".to_owned());
    }
    standing
}

fn standing_of(containers: &[&Container]) -> Standing {
    let mut standing = Standing {
        load: "loaded".to_owned(),
        active: "inactive".to_owned(),
        sub: "no container".to_owned(),
        ..Standing::default()
    };
    let Some(first) = containers.first() else { return standing };
    let states: Vec<_> = containers.iter().map(|container| container.state()).collect();
    // One that does not do its work says more than those that do.
    let of = |wanted| states.iter().find(move |(active, _)| *active == wanted);
    let (active, sub) = of("activating").or_else(|| of("inactive")).unwrap_or(&states[0]);
    (standing.active, standing.sub) = match states.iter().filter(|(active, _)| *active == "active").count() {
        some if some > 0 && some < states.len() => {
            ("activating".to_owned(), format!("{some} of {} run, another is {sub}", states.len()))
        }
        _ => ((*active).to_owned(), sub.clone()),
    };
    standing.main_pid = containers.iter().map(|container| container.pid).find(|pid| *pid != 0).unwrap_or_default();
    standing.file.clone_from(&first.policy);
    standing.since.clone_from(&first.since);
    if containers.iter().any(|container| container.policy == "always") {
        "the engine whenever it starts (restart: always)".clone_into(&mut standing.triggered_by);
    }
    standing
}

impl<'a> Containers<'a> {
    pub fn new(cx: &'a TaskContext, service: &'a Service, place: &'a ComposeService) -> Result<Self, Failure> {
        Ok(Self { cx, host: host::find(cx, &service.host)?, place })
    }

    pub fn title(&self) -> String {
        let ComposeService { compose, compose_service, .. } = self.place;
        format!("service {compose_service} of {} on host {}", escaped(compose), self.host.id)
    }

    pub fn name(&self) -> &str {
        &self.place.compose_service
    }

    /// A command that its host ends by itself, so that its end is heard here.
    async fn ask(&self, words: Vec<&str>, limit: Duration) -> Result<Said, Stop> {
        let seconds = limit.as_secs().max(1).to_string();
        let argv = [vec!["env", "LC_ALL=C", "timeout", "-k", "5", &seconds], words].concat();
        host::run(self.cx, self.host, Command::new(argv).within(limit + Duration::from_secs(15)).quiet()).await
    }

    async fn compose(&self, limit: Duration, words: &[&str]) -> Result<Said, Stop> {
        let place = self.place;
        let mut all: Vec<&str> = place.program.iter().map(String::as_str).collect();
        all.extend(["--file", &place.compose]);
        all.extend(place.project.iter().flat_map(|project| ["--project-name", project]));
        all.extend(words);
        self.ask(all, limit).await
    }

    async fn engine(&self, words: &[&str]) -> Result<String, Stop> {
        let all = self.place.engine.iter().map(String::as_str).chain(words.iter().copied()).collect();
        let said = self.ask(all, LOOK).await?;
        let said = said.success("asking the container engine", self.host).map_err(|failure| {
            failure
                .means("how the service stands is not known")
                .next("see whether the engine runs on that host, and whether the account may ask it")
        })?;
        Ok(said.text())
    }

    async fn containers(&self) -> Result<Vec<Container>, Stop> {
        let said = self.compose(LOOK, &["ps", "--all", "--quiet", &self.place.compose_service]).await?;
        let said = said.success("asking compose", self.host).map_err(|failure| {
            failure
                .means("how the service stands is not known; nothing was done")
                .next("see whether the engine runs there, and whether `compose`, `compose_service` and `program` of this service are right")
        })?;
        let text = said.text();
        let ids: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let strange = |what: &str| {
            let failure =
                Failure::new(format!("{what} on host `{}` answered in a way that is not understood", self.host.id));
            failure.means("how the service stands is not known; nothing was done")
        };
        if ids.iter().any(|id| !id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Err(strange("compose").into());
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let said = self.engine(&[&["container", "inspect", "--format", FACTS], ids.as_slice()].concat()).await?;
        let read: Option<Vec<Container>> = said.lines().map(Container::read).collect();
        let read = read.filter(|read| read.len() == ids.len());
        read.ok_or_else(|| strange("the container engine").into())
    }

    /// How the service stands, and the first process of each container that has one.
    pub async fn look(&self) -> Result<(Standing, Vec<u32>), Stop> {
        let containers = self.containers().await?;
        let pids = containers.iter().map(|container| container.pid).filter(|pid| *pid != 0).collect();
        Ok((standing(&containers), pids))
    }

    /// File, name, and the name that the engine gave itself when it was installed.
    pub async fn facts(&self) -> Result<Vec<(&'static str, String)>, Stop> {
        let engine = escaped(self.engine(&["info", "--format", "{{.ID}}"]).await?.trim()).into_owned();
        let ComposeService { compose, compose_service, project, .. } = self.place;
        let mut facts = vec![("compose", compose.clone()), ("compose_service", compose_service.clone())];
        facts.extend(project.clone().map(|project| ("project", project)));
        facts.push(("engine", engine));
        Ok(facts)
    }

    /// Starts the containers that are there; makes them where none are.
    pub async fn start(&self, within: Duration) -> Result<(), Stop> {
        let name = self.place.compose_service.as_str();
        let there = self.containers().await?.iter().any(|container| !container.one_off);
        if !there {
            self.cx.feed.line("it has no container: one is made, and its image pulled where it is not on the host");
        }
        // `up` would make changed containers anew, and start what this one depends on.
        let words: &[&str] = if there {
            &["start", name]
        } else {
            &["up", "--detach", "--no-build", "--no-deps", "--no-recreate", name]
        };
        let said = self.compose(within, words).await?;
        said.success(&format!("starting {name}"), self.host)
            .map_err(|failure| failure.means("it is not running, or not ready yet").next(self.look_at_its_log()))?;
        Ok(())
    }

    /// Orders the stop; what has not ended by itself within the time is killed by the engine.
    pub async fn stop(&self, within: Duration) -> Result<Said, Stop> {
        let seconds = within.as_secs().max(1).to_string();
        let limit = within + Duration::from_secs(20);
        self.compose(limit, &["stop", "--timeout", &seconds, &self.place.compose_service]).await
    }

    pub fn look_at_its_log(&self) -> String {
        let ComposeService { compose, compose_service, .. } = self.place;
        let program = escaped(&self.place.program.join(" ")).into_owned();
        format!("look at its log: {program} --file {} logs {compose_service} on that host", escaped(compose))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(status: &str, pid: u32, policy: &str, health: &str) -> Container {
        Container::read(&format!("{status}\t{pid}\t137\t2026-01-02T03:04:05Z\t{policy}\t{health}\t")).unwrap()
    }

    #[test]
    fn a_service_runs_when_each_of_its_containers_does_and_is_still_when_none_has_a_process() {
        let (up, down) = (container("running", 7, "no", ""), container("exited", 0, "always", ""));
        assert!(standing(std::slice::from_ref(&up)).runs());
        let half = standing(&[down.clone(), up.clone()]);
        assert!(!half.runs() && !half.is_still() && half.main_pid == 7, "{half:?}");
        assert_eq!(half.words(), "activating (1 of 2 run, another is exited with status 137), main process 7");
        let still = standing(std::slice::from_ref(&down));
        assert!(still.is_still() && still.triggered_by.contains("restart: always"), "{still:?}");
        assert!(standing(&[]).is_still() && !standing(&[]).runs());
    }

    #[test]
    fn what_waits_or_is_not_well_neither_runs_nor_is_still() {
        for (status, pid, health) in
            [("running", 7, "starting"), ("running", 7, "unhealthy"), ("paused", 7, ""), ("restarting", 0, "")]
        {
            let seen = standing(&[container(status, pid, "no", health), container("running", 8, "no", "healthy")]);
            assert!(!seen.runs() && !seen.is_still(), "{seen:?}");
            let alone = standing(&[container(status, pid, "no", health)]);
            assert!(!alone.runs() && !alone.is_still(), "{alone:?}");
        }
        assert_eq!(Container::read("running\tmany\t0\t\tno\t\t"), None);
    }

    #[test]
    fn what_was_run_for_one_command_is_no_part_of_the_service_but_keeps_it_from_being_still() {
        let one_off = |status: &str, pid| Container { one_off: true, ..container(status, pid, "no", "") };
        let (up, down) = (container("running", 7, "no", ""), container("exited", 0, "no", ""));
        assert!(standing(&[one_off("exited", 0), up.clone()]).runs() && standing(&[up, one_off("running", 9)]).runs());
        assert!(
            standing(&[one_off("exited", 0), down.clone()]).is_still() && standing(&[one_off("exited", 0)]).is_still()
        );
        let busy = standing(&[down, one_off("running", 9)]);
        assert!(!busy.is_still() && !busy.runs() && busy.main_pid == 9, "{busy:?}");
    }
}
