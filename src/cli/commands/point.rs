//! `relight point`: for one instant the backup of each component, each by its own stamp, and how far they lie apart.

use crate::catalog::Catalog;
use crate::cli::scan::{scan, seen};
use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, words};
use crate::model::estate::Asset;
use crate::model::id::{AssetId, BackupId};
use crate::model::text::escaped;
use crate::model::time::{Timestamp, local, short_duration, zoned};
use crate::report::{Exit, Fault};
use color_eyre::eyre;
use serde::Serialize;

/// Show for one instant which backup of each asset lies nearest and not after it, and the skew between them
///
/// 0 each asset has one, 2 some have none, 3 a store could not be seen.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// With its zone: `2026-11-21 02:30:00Z`, `2026-11-21 03:30:00+01:00`
    instant: String,
}

#[derive(Serialize)]
struct Body<'a> {
    at: Timestamp,
    components: Vec<Component<'a>>,
    /// Between the oldest and the newest of those that have one.
    skew_seconds: Option<i64>,
}

#[derive(Serialize)]
struct Component<'a> {
    asset: &'a AssetId,
    backup: Option<&'a BackupId>,
    /// What it would be restored to: the instant itself where a log reaches it.
    restores_to: Option<Timestamp>,
    seconds_before: Option<i64>,
    by_log: bool,
}

impl<'a> Component<'a> {
    fn of(catalog: &'a Catalog, asset: &'a Asset, at: Timestamp) -> Self {
        let mut spans = catalog.window(&asset.id).into_iter().flat_map(|window| &window.spans);
        let by_log = spans.any(|(from, to)| *from <= at && at <= *to);
        let backup = catalog.nearest(&asset.id, at);
        let restores_to = if by_log { Some(at) } else { backup.map(|backup| backup.taken_at) };
        let seconds_before = restores_to.map(|to| (at - to).num_seconds());
        Self { asset: &asset.id, backup: backup.map(|backup| &backup.id), restores_to, seconds_before, by_log }
    }
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let at = instant(&args.instant)?;
    let (setup, scanned) = scan(globals).await?;
    let components: Vec<Component<'_>> =
        setup.estate.assets.iter().map(|asset| Component::of(&scanned.catalog, asset, at)).collect();
    let reached = || components.iter().filter_map(|component| component.restores_to);
    let skew = reached().max().zip(reached().min()).map(|(newest, oldest)| newest - oldest);
    let without = components.iter().any(|component| component.restores_to.is_none());
    if out.json {
        let body = Body { at, components, skew_seconds: skew.map(|skew| skew.num_seconds()) };
        out.document("point", 1, setup.clock.now(), &body)?;
    } else {
        text(&components, skew, &words::instant(at, setup.estate.time_zone), out)?;
    }
    Ok(match seen(&scanned, out)? {
        Exit::Fine if without => Exit::Critical,
        exit => exit,
    })
}

fn instant(text: &str) -> Result<Timestamp, Fault> {
    zoned(text.trim()).ok_or_else(|| {
        if local(text.trim()).is_some() {
            let fault = Fault::usage(format!("`{}` does not say in which time zone it is", escaped(text)));
            return fault.hint("write it with its zone: Z for UTC, +01:00");
        }
        Fault::usage(format!("`{}` is no instant", escaped(text))).hint("write it as 2026-11-21 02:30:00Z")
    })
}

fn text(components: &[Component<'_>], skew: Option<chrono::Duration>, at: &str, out: &mut Output) -> eyre::Result<()> {
    let mut table = Table::new(&["asset", "before", "backup"]);
    for component in components {
        let (tone, before) = match component.seconds_before {
            None => (Tone::Critical, "nothing".to_owned()),
            Some(_) if component.by_log => (Tone::Good, "0s, by its log".to_owned()),
            Some(seconds) => (Tone::Plain, short_duration(chrono::Duration::seconds(seconds))),
        };
        let backup = component.backup.map_or(String::new(), |id| escaped(id.as_str()).into_owned());
        let asset = escaped(component.asset.as_str());
        table.row([Cell::new(Tone::Plain, asset), Cell::new(tone, before), Cell::new(Tone::Plain, backup)]);
    }
    table.print(out)?;
    out.line("")?;
    match skew {
        Some(skew) => out.line(&format!(
            "restored to {at} by these, the components lie {} apart: each is chosen by its own stamp",
            short_duration(skew)
        ))?,
        None => out.line(&out.toned(Tone::Critical, &format!("nothing was taken by {at}")))?,
    }
    Ok(())
}
