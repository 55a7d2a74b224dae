//! A crontab on its host: read whole, replaced whole, and only where it still is what was read.

use super::crontab::{self, Entry, MAX_BYTES};
use crate::model::estate::{Crontab, Host, Job};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::Stop;

pub struct Book<'a> {
    cx: &'a TaskContext,
    host: &'a Host,
    job: &'a Job,
    place: &'a Crontab,
}

impl<'a> Book<'a> {
    pub fn of(cx: &'a TaskContext, job: &'a Job, place: &'a Crontab) -> Result<Self, Failure> {
        Ok(Self { cx, host: host::find(cx, &job.host)?, job, place })
    }

    pub async fn read(&self) -> Result<Vec<u8>, Stop> {
        let argv: Vec<&str> = match (&self.place.file, &self.place.user) {
            (Some(file), _) => vec!["cat", "--", file],
            (None, Some(user)) => vec!["crontab", "-u", user, "-l"],
            (None, None) => vec!["crontab", "-l"],
        };
        let said = host::run(self.cx, self.host, Command::new(argv).quiet()).await?;
        if self.place.file.is_none() && said.status == 1 && said.stderr.iter().any(|line| line.contains("no crontab")) {
            return Ok(Vec::new());
        }
        let bytes = said.success("reading the crontab", self.host)?.stdout;
        if bytes.len() > MAX_BYTES {
            return Err(Failure::new("the crontab is larger than one that people write").into());
        }
        Ok(bytes)
    }

    /// The one line that is meant.
    pub fn entry(&self, bytes: &[u8]) -> Result<Entry, Failure> {
        let all = crontab::entries(bytes, self.place.file.is_some());
        let mut fits = all.into_iter().filter(|entry| entry.command.contains(&self.place.line));
        match (fits.next(), fits.count()) {
            (Some(entry), 0) => Ok(entry),
            (None, _) => Err(Failure::new(format!(
                "no line of {} on host `{}` runs `{}`",
                self.title(),
                self.host.id,
                escaped(&self.place.line)
            ))
            .means("nothing runs this job, or it was commented out by hand")
            .next("put the line back, or mend `line` of this job in the configuration")),
            (Some(_), more) => Err(Failure::new(format!(
                "{} lines of {} on host `{}` run `{}`",
                more + 1,
                self.title(),
                self.host.id,
                escaped(&self.place.line)
            ))
            .means("which one is meant cannot be told")
            .next("make `line` of this job in the configuration longer")),
        }
    }

    pub fn title(&self) -> String {
        match (&self.place.file, &self.place.user) {
            (Some(file), _) => escaped(file).into_owned(),
            (None, Some(user)) => format!("the crontab of {user}"),
            (None, None) => "the crontab".to_owned(),
        }
    }

    /// Puts `after` in place of `before`, and reads it back.
    pub async fn replace(&self, before: &[u8], after: &[u8]) -> Result<(), Stop> {
        if self.read().await? != before {
            return Err(Failure::new(format!("{} was changed meanwhile", self.title()))
                .means("somebody else works on it; nothing was done")
                .next("look at it, then retry")
                .into());
        }
        let must = async |doing: &str, command: Command| {
            Ok::<_, Stop>(host::run(self.cx, self.host, command).await?.success(doing, self.host)?)
        };
        match (&self.place.file, &self.place.user) {
            (Some(file), _) => {
                // A name with a dot: cron reads no such file, should this end here.
                let fresh = format!("{file}.relight-new");
                must("preparing the new crontab", Command::new(["cp", "-p", "--", file, &fresh])).await?;
                must("writing the new crontab", Command::new(["tee", "--", &fresh]).stdin(after)).await?;
                let written = must("reading the new crontab", Command::new(["cat", "--", &fresh])).await?.stdout;
                if written != after {
                    return Err(Failure::new("the new crontab does not hold what was written to it")
                        .means("the old one is still in place")
                        .next("look at the free space on that host")
                        .into());
                }
                must("moving the new crontab into place", Command::new(["mv", "-T", "--", &fresh, file])).await?;
            }
            (None, Some(user)) => {
                must("installing the new crontab", Command::new(["crontab", "-u", user, "-"]).stdin(after)).await?;
            }
            (None, None) => {
                must("installing the new crontab", Command::new(["crontab", "-"]).stdin(after)).await?;
            }
        }
        if self.read().await? == after {
            return Ok(());
        }
        let what = format!(
            "{} on host `{}` does not hold what was put there for `{}`",
            self.title(),
            self.host.id,
            self.job.id
        );
        Err(Stop::Unknown(Failure::new(what).next("look at it on its host")))
    }

    /// The zone in which the host's cron reads a line: only cronie heeds `CRON_TZ`.
    pub async fn zone(&self, entry: &Entry) -> Result<Result<chrono_tz::Tz, String>, Stop> {
        if let Some(zone) = &entry.zone {
            let said = host::run(self.cx, self.host, Command::new(["crontab", "-V"]).quiet()).await?;
            if said.text().contains("cronie") || said.stderr.iter().any(|line| line.contains("cronie")) {
                return Ok(zone.parse().map_err(|_| format!("there is no zone `{}`", escaped(zone))));
            }
        }
        if let Some(zone) = self.job.time_zone {
            return Ok(Ok(zone));
        }
        let said = host::run(self.cx, self.host, Command::new(["readlink", "-f", "/etc/localtime"])).await?;
        let text = said.text();
        let name = text.trim().split_once("/zoneinfo/").map_or("", |(_, name)| name);
        let name = if matches!(name, "" | "UCT" | "Universal" | "Zulu") { "UTC" } else { name };
        Ok(name.parse().map_err(|_| format!("the host's zone `{}` is not known", escaped(name))))
    }
}
