//! `pg.swap-cluster`: the recovered cluster takes the live one's place by rename; the old folder stays, under a dated name.

use super::side::{SIDE, Side};
use super::watch;
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::patience::Patience;
use crate::tasks::pg::pair::home::listed;
use crate::tasks::pg::pair::look::{BETWEEN, Live, Seen, look, primary_of};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct SwapCluster;

pub(super) const ASIDE: InputSpec =
    InputSpec { name: "aside", kind: InputKind::Text, required: true, help: "Absolute path for the old folder, dated" };

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.swap-cluster",
    summary: "Promote the recovered cluster, stop the live one, exchange their folders, and start",
    effect: Effect::Irreversible,
    inputs: &[SERVER, SIDE, ASIDE, CLUSTER],
    outputs: &["server", "timeline", "aside"],
    idempotent: true,
    undo: "pg.swap-cluster-back puts the old folder back and starts it",
    programs: &["ssh", "pg_ctl", "psql", "mv"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub server: ServerId,
    pub side: String,
    pub aside: String,
    pub system_identifier: String,
}

pub(super) const START: Duration = Duration::from_mins(10);
pub(super) const STOP: Duration = Duration::from_mins(5);
/// What a control file says of a cluster that was stopped in order, as a primary.
const IN_ORDER: &str = "shut down";
/// Settings that were changed since the backup are the live ones.
const SETTINGS: [&str; 4] = ["postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"];

/// Which of the three folders are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub data: bool,
    pub side: bool,
    pub aside: bool,
}

impl Names {
    pub async fn read(side: &Side<'_>, aside: &str) -> Result<Self, Stop> {
        let data = &side.live.place.data_dir;
        let stamp = side.path.strip_prefix(data.as_str()).and_then(|rest| rest.strip_prefix(".recover_"));
        if aside.strip_prefix(data.as_str()).and_then(|rest| rest.strip_prefix(".before_")) != stamp {
            return Err(Failure::new(format!("{} is no name for the old folder", escaped(aside)))
                .means("nothing was done")
                .into());
        }
        Ok(Self { data: side.is(data).await?, side: side.is(&side.path).await?, aside: side.is(aside).await? })
    }

    /// The recovered folder has the live name.
    pub const fn swapped(self) -> bool {
        self.data && !self.side
    }
}

#[async_trait::async_trait]
impl Module for SwapCluster {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(swap(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::of(cx, &input.server, &input.side)?;
            let names = Names::read(&side, &input.aside).await?;
            if !names.swapped() {
                return Ok(Reality::NotDone(
                    "the folders are not exchanged; a new attempt takes it up where it stands".to_owned(),
                ));
            }
            Ok::<_, Stop>(match look(cx, side.server()).await? {
                Seen::Up(live) if !live.standby && live.system_identifier == input.system_identifier => {
                    Reality::Done(output(&input, names, &live))
                }
                other => Reality::NotDone(format!("the folders are exchanged, and the server {}", other.words())),
            })
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

fn output(input: &Input, names: Names, live: &Live) -> Values {
    values(json!({
        "server": input.server, "timeline": live.timeline, "aside": names.aside.then_some(&input.aside),
    }))
}

async fn swap(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let side = Side::of(cx, &input.server, &input.side)?;
    side.must_be_mine().await?;
    let (live, data) = (&side.live, &side.live.place.data_dir);
    let mut names = Names::read(&side, &input.aside).await?;
    if names.side {
        ready(&side, &input).await?;
        if names.data {
            if names.aside {
                return Err(Failure::new(format!("{} is there already", escaped(&input.aside)))
                    .means("the live folder would have no name to keep; nothing was stopped")
                    .next("look whose it is, and make a new plan")
                    .into());
            }
            halt(&side, data).await?;
            keep_settings(&side, data).await?;
            live.must("setting the old data folder aside", &["mv", "-T", "--", data, &input.aside]).await?;
        }
        live.must("putting the recovered folder in place", &["mv", "-T", "--", &side.path, data]).await?;
        names = Names::read(&side, &input.aside).await?;
    }
    if !names.swapped() {
        return Err(Failure::new("neither the recovered folder nor one under the live name is there")
            .means("nobody knows where they went")
            .next(format!("look for {} and {} on that host", escaped(data), escaped(&input.aside)))
            .into());
    }
    match begin(cx, &side, &input).await {
        Ok(up) => Ok(output(&input, names, &up)),
        Err(Stop::Failed(failure)) if names.aside => Err(back(cx, &side, &input, failure).await),
        Err(stop) => Err(stop),
    }
}

/// Promotes the recovered cluster where it stands, and stops it in order.
async fn ready(side: &Side<'_>, input: &Input) -> Result<(), Stop> {
    let recovery = format!("{}/recovery.signal", side.path);
    let conf = format!("{}/recovery.conf", side.path);
    if !side.runs().await? && side.home().control().await?.state != IN_ORDER {
        watch::taken_up(side).await?;
    }
    if side.runs().await? {
        let in_recovery = "SELECT pg_is_in_recovery(), system_identifier FROM pg_control_system();";
        let told = side.told("asking the recovered cluster", "postgres", in_recovery).await?;
        if told.trim() == format!("t\t{}", input.system_identifier) {
            let home = side.home();
            let promote = ["promote", "-D", &side.path, "-w", "-t", "300"];
            let said = home.run(home.program("pg_ctl", &promote).within(Duration::from_mins(6))).await?;
            said.success("promoting the recovered cluster", home.host)
                .map_err(|failure| failure.means("the live cluster was not touched"))?;
        }
        let mut patience = Patience::new(side.live.cx, Some("5m"), BETWEEN)?;
        let out = format!("f\t{}", input.system_identifier);
        while side.told("asking the recovered cluster", "postgres", in_recovery).await?.trim() != out {
            if !patience.again("the recovered cluster leaves recovery").await? {
                return Err(Failure::new("the recovered cluster does not leave recovery")
                    .means("the live cluster was not touched")
                    .next("look at its log, then retry")
                    .into());
            }
        }
        // Its first checkpoint on the new timeline, so that the control file tells of it.
        side.told("writing a checkpoint", "postgres", "CHECKPOINT;").await?;
        side.stop("fast").await?;
    }
    let control = side.home().control().await?;
    let waits = side.is(&recovery).await? || side.is(&conf).await?;
    if control.system_identifier != input.system_identifier || control.state != IN_ORDER || waits {
        return Err(Failure::new(format!("the recovered cluster is not ready: `{}`", control.state))
            .means("it was not stopped in order after its recovery; the live cluster was not touched")
            .next("abort with undo, and recover anew")
            .into());
    }
    // Made while nothing was archived: with it, the archive knows where the new timeline came from.
    let history = format!("{:08X}.history", control.timeline.parse::<u32>().unwrap_or_default());
    if side.is(&format!("{}/pg_wal/{history}", side.path)).await? {
        let mark = format!("{}/pg_wal/archive_status/{history}.ready", side.path);
        side.live.must("handing the new timeline's history to the archiver", &["touch", "--", &mark]).await?;
    }
    Ok(())
}

/// Stops the live cluster.
async fn halt(side: &Side<'_>, data: &str) -> Result<(), Stop> {
    let live = &side.live;
    if live.processes().await?.is_empty() {
        return Ok(());
    }
    live.cx.feed.line(format!("stopping the cluster in {}", escaped(data)));
    let left = live.end("fast", STOP).await?;
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("the live cluster does not stop: {}", listed(&left)))
        .means("its folder keeps its name; nothing was exchanged")
        .next("end it on its host, then retry")
        .into())
}

async fn keep_settings(side: &Side<'_>, data: &str) -> Result<(), Stop> {
    for name in SETTINGS {
        let from = format!("{data}/{name}");
        if side.is(&from).await? {
            side.live
                .must("keeping the live settings", &["cp", "-p", "--", &from, &format!("{}/{name}", side.path)])
                .await?;
        }
    }
    Ok(())
}

/// Starts what lies under the live name, and sees that it is the cluster, as a primary.
pub(super) async fn begin(cx: &TaskContext, side: &Side<'_>, input: &Input) -> Result<Live, Stop> {
    let server = side.server();
    if side.live.processes().await?.is_empty() {
        side.live.must("syncing the folders", &["sync", "-f", "--", &side.live.place.data_dir]).await?;
        side.live.start(START).await?;
    }
    let mut patience = Patience::new(cx, Some("5m"), BETWEEN)?;
    loop {
        let seen = look(cx, server).await?;
        let waits = matches!(seen, Seen::Refused | Seen::Closed(_) | Seen::Silent(_));
        if !waits || !patience.again(&seen.words()).await? {
            return Ok(primary_of(server, seen, &input.system_identifier)?);
        }
    }
}

/// The recovered cluster did not come up: the old one takes its place again.
async fn back(cx: &TaskContext, side: &Side<'_>, input: &Input, why: Failure) -> Stop {
    let returned = async {
        exchange_back(side, input).await?;
        begin(cx, side, input).await
    };
    match returned.await {
        Ok(_) => Stop::Failed(Failure {
            meaning: "the old folder was put back, and its cluster serves again".to_owned(),
            next: "read why the recovered one did not start; retry once that is mended, or abort with undo".to_owned(),
            ..why
        }),
        Err(stop) => Stop::Unknown(
            why.means("and putting the old folder back did not succeed either")
                .next(format!(
                    "look at {} and {} on that host",
                    escaped(&side.live.place.data_dir),
                    escaped(&input.aside)
                ))
                .evidence(stop.what()),
        ),
    }
}

/// The old folder takes the live name again, the recovered one its own.
pub(super) async fn exchange_back(side: &Side<'_>, input: &Input) -> Result<(), Stop> {
    let (live, data) = (&side.live, &side.live.place.data_dir);
    let names = Names::read(side, &input.aside).await?;
    if !names.aside {
        return Ok(());
    }
    if names.data {
        halt(side, data).await?;
        if names.side {
            return Err(Failure::new(format!(
                "{}, {} and {} are all there",
                escaped(data),
                escaped(&side.path),
                escaped(&input.aside)
            ))
            .means("which of them was the live one cannot be told from the names")
            .next("look at the folders by hand")
            .into());
        }
        live.must("setting the recovered folder aside", &["mv", "-T", "--", data, &side.path]).await?;
    }
    live.must("putting the old folder back", &["mv", "-T", "--", &input.aside, data]).await?;
    Ok(())
}

/// How the folders stand, for people.
pub(super) fn described(names: Names) -> String {
    let word = |there: bool| if there { "there" } else { "not there" };
    format!("live name: {}; recovered: {}; old: {}", word(names.data), word(names.side), word(names.aside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_tell_how_far_an_exchange_came() {
        let names = |data, side, aside| Names { data, side, aside };
        assert!(names(true, false, true).swapped() && names(true, false, false).swapped());
        assert!(!names(true, true, false).swapped() && !names(false, true, true).swapped());
        assert!(described(names(true, true, false)).contains("old: not there"));
    }
}
