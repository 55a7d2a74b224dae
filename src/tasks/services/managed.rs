//! A service, whoever runs it.

use super::compose::Containers;
use super::doors::{self, Door};
use super::unit::{Standing, Unit, listed};
use crate::model::estate::{Host, Manager, Service};
use crate::model::id::ServiceId;
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Said};
use crate::tasks::input::Stop;
use crate::tasks::patience::Patience;
use std::time::Duration;

/// Between two looks of whoever waits for a service.
const BETWEEN: Duration = Duration::from_millis(300);

pub struct Managed<'a> {
    pub cx: &'a TaskContext,
    pub service: &'a Service,
    pub host: &'a Host,
    by: By<'a>,
}

enum By<'a> {
    Systemd(Unit<'a>),
    Compose(Containers<'a>),
}

impl<'a> Managed<'a> {
    pub fn of(cx: &'a TaskContext, id: &ServiceId) -> Result<Self, Failure> {
        let service = find(cx, id)?;
        let by = match &service.manager {
            Manager::Systemd(_) => By::Systemd(Unit::new(cx, service)?),
            Manager::Compose(place) => By::Compose(Containers::new(cx, service, place)?),
        };
        Ok(Self { cx, service, host: host::find(cx, &service.host)?, by })
    }

    pub fn title(&self) -> String {
        match &self.by {
            By::Systemd(unit) => unit.title(),
            By::Compose(containers) => containers.title(),
        }
    }

    /// As its manager names it.
    pub fn name(&self) -> &str {
        match &self.by {
            By::Systemd(unit) => &unit.named.unit,
            By::Compose(containers) => containers.name(),
        }
    }

    /// How it stands. Fails where its manager does not know it.
    pub async fn known(&self) -> Result<Standing, Stop> {
        match &self.by {
            By::Systemd(unit) => unit.known().await,
            By::Compose(containers) => Ok(containers.look().await?.0),
        }
    }

    /// How it stands, and what of it lives, whatever its manager says.
    pub async fn look(&self) -> Result<(Standing, Vec<u32>), Stop> {
        match &self.by {
            By::Systemd(unit) => Ok((unit.known().await?, unit.processes().await?)),
            By::Compose(containers) => containers.look().await,
        }
    }

    /// Its addresses, as this machine and the hosts of `vantage` see them.
    pub async fn doors(&self) -> Result<Vec<Door>, Stop> {
        doors::look(self.cx, self.service).await
    }

    pub async fn start(&self, within: Duration) -> Result<(), Stop> {
        match &self.by {
            By::Systemd(unit) => unit.start(within).await,
            By::Compose(containers) => containers.start(within).await,
        }
    }

    /// Orders the stop, and waits for it; whether it worked is for a look to say.
    pub async fn stop(&self, within: Duration) -> Result<Said, Stop> {
        match &self.by {
            By::Systemd(unit) => unit.stop(within).await,
            By::Compose(containers) => containers.stop(within).await,
        }
    }

    /// Waits until nothing of it is there any more, or says what still is.
    pub async fn until_gone(&self, within: &str) -> Result<Result<Standing, String>, Stop> {
        let mut patience = Patience::new(self.cx, Some(within), BETWEEN)?;
        loop {
            let (standing, left) = self.look().await?;
            if standing.is_still() && left.is_empty() {
                return Ok(Ok(standing));
            }
            let how = format!("{}: {}{}", self.title(), standing.words(), listed(&left));
            if !patience.again(&how).await? {
                return Ok(Err(how));
            }
        }
    }

    /// What tells it from every other service: names with their values.
    pub async fn facts(&self) -> Result<Vec<(&'static str, String)>, Stop> {
        match &self.by {
            By::Systemd(unit) => Ok(unit.facts()),
            By::Compose(containers) => containers.facts().await,
        }
    }

    pub fn look_at_its_log(&self) -> String {
        match &self.by {
            By::Systemd(unit) => format!("look at its log: journalctl -u {} on that host", unit.named.unit),
            By::Compose(containers) => containers.look_at_its_log(),
        }
    }
}

pub(super) fn find<'a>(cx: &'a TaskContext, id: &ServiceId) -> Result<&'a Service, Failure> {
    cx.estate.service(id).ok_or_else(|| {
        Failure::new(format!("service `{id}` is not configured"))
            .means("nothing was done")
            .next("add it under `[[services]]`, or make a new plan")
    })
}
