//! `relight catalog`: every backup in every store.

use crate::catalog::{Catalog, ScanStatus, Unrecognised};
use crate::cli::documents::BackupRow;
use crate::cli::scan::{scan, seen};
use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, choose, words};
use crate::model::backup::Backup;
use crate::model::id::{AssetId, StoreId};
use crate::model::size::ByteCount;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::Exit;
use crate::wiring::Setup;
use color_eyre::eyre;
use serde::{Serialize, Serializer};

/// List every backup in every store
///
/// Exits with 3 if a store could not be seen: what is listed of it is older than this call, or missing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only backups of this asset
    #[arg(long, value_name = "NAME")]
    asset: Option<String>,
    /// Only backups with a copy in this store
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    estate: &'a str,
    backups: Rows<'a>,
    stores: Vec<StoreRow<'a>>,
    unrecognised: &'a Unrecognised,
}

/// Made one by one as they are printed.
struct Rows<'a> {
    catalog: &'a Catalog,
    filter: &'a Filter,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.filter.of(self.catalog).map(BackupRow::new))
    }
}

#[derive(Serialize)]
struct StoreRow<'a> {
    id: &'a StoreId,
    location: &'a str,
    status: ScanStatus,
    objects: u64,
    bytes: u64,
    scanned_at: Option<Timestamp>,
    error: Option<&'a str>,
    hint: Option<&'a str>,
}

/// What of the catalog was asked for.
struct Filter {
    asset: Option<AssetId>,
    store: Option<StoreId>,
}

impl Filter {
    fn of<'c>(&'c self, catalog: &'c Catalog) -> impl Iterator<Item = &'c Backup> + 'c {
        catalog.backups.iter().filter(|backup| {
            self.asset.as_ref().is_none_or(|asset| &backup.asset == asset)
                && self.store.as_ref().is_none_or(|store| backup.copies.iter().any(|copy| &copy.store == store))
        })
    }
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let (setup, scanned) = scan(globals).await?;
    let filter = Filter {
        asset: args.asset.as_deref().map(|name| choose::asset(&setup.estate, name)).transpose()?,
        store: args.store.as_deref().map(|name| choose::store(&setup.estate, name)).transpose()?,
    };
    if out.json {
        document(&setup, &scanned.catalog, &filter, out)?;
    } else {
        text(&setup, &scanned.catalog, &filter, out)?;
    }
    seen(&scanned, out)
}

fn document(setup: &Setup, catalog: &Catalog, filter: &Filter, out: &mut Output) -> eyre::Result<()> {
    let stores = catalog.stores.iter().map(|store| StoreRow {
        id: &store.id,
        location: &store.location,
        status: store.status,
        objects: store.objects,
        bytes: store.bytes,
        scanned_at: store.scanned_at,
        error: store.error.as_deref(),
        hint: store.hint.as_deref(),
    });
    let body = Body {
        estate: &setup.estate.name,
        backups: Rows { catalog, filter },
        stores: stores.collect(),
        unrecognised: &catalog.unrecognised,
    };
    Ok(out.document("catalog", 1, setup.clock.now(), &body)?)
}

fn text(setup: &Setup, catalog: &Catalog, filter: &Filter, out: &mut Output) -> eyre::Result<()> {
    let now = setup.clock.now();
    let mut table = Table::new(&["BACKUP", "TAKEN", ">AGE", ">SIZE", "COPIES", "PROOF", "NOTES"]);
    for backup in filter.of(catalog) {
        let copies: Vec<&str> = backup.copies.iter().map(|copy| copy.store.as_str()).collect();
        let (tone, proof) = words::proof(backup.proof.as_deref(), now);
        let notes = notes(backup);
        let notes = if notes.is_empty() { Cell::from("") } else { Cell::new(Tone::Warning, notes) };
        table.row([
            Cell::new(Tone::Strong, backup.id.as_str()),
            words::instant(backup.taken_at, setup.estate.time_zone).into(),
            words::age(backup.taken_at, now).into(),
            ByteCount(backup.size_bytes).to_string().into(),
            copies.join(" ").into(),
            Cell::new(tone, proof),
            notes,
        ]);
    }
    if table.is_empty() {
        out.line("no backups")?;
    } else {
        table.print(out)?;
    }
    let lost = &catalog.unrecognised;
    if lost.count > 0 {
        let size = ByteCount(lost.bytes);
        out.line("")?;
        let what = if lost.count == 1 { "1 object fits".to_owned() } else { format!("{} objects fit", lost.count) };
        out.line(&format!("{what} no configured pattern ({size}), for example:"))?;
        for sample in lost.samples.iter().take(5) {
            out.line(&format!("  {}", escaped(sample)))?;
        }
    }
    Ok(())
}

/// What an operator should know before choosing this backup, in few words.
fn notes(backup: &Backup) -> String {
    let disagrees = backup.sidecars.iter().any(|sidecar| !sidecar.disagreements.is_empty());
    let notes = [
        (backup.complete == Some(false), "incomplete"),
        (backup.chain.as_ref().is_some_and(|chain| chain.base.is_none()), "base missing"),
        (disagrees, "sidecar disagrees"),
        (backup.ambiguous_with.is_some(), "ambiguous time"),
    ];
    notes.iter().filter_map(|(holds, note)| holds.then_some(*note)).collect::<Vec<_>>().join(", ")
}
