//! One scan of the estate for a command that prints and ends.

use super::args::Globals;
use super::output::Output;
use crate::catalog::ScanStatus;
use crate::model::id::StoreId;
use crate::model::text::escaped;
use crate::report::Exit;
use crate::session::{Scanned, scan_once};
use crate::wiring::Setup;
use color_eyre::eyre;
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Configuration, stores and what one scan of them found. What went wrong beside the scan is told on
/// standard error.
pub async fn scan(globals: &Globals) -> eyre::Result<(Setup, Scanned)> {
    let setup = globals.setup().await?;
    let scanned = scan_all(globals, &setup).await;
    Ok((setup, scanned))
}

/// The same where the configuration was read before.
pub async fn scan_all(globals: &Globals, setup: &Setup) -> Scanned {
    let ticker = Ticker::new(!globals.json);
    let scanned = scan_once(&setup.parts(), &|store, objects| ticker.tick(store, objects)).await;
    ticker.clear();
    for problem in &scanned.problems {
        // With standard error gone there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "warning: {}", escaped(problem));
    }
    scanned
}

/// Stores whose part of the catalog is not of this scan make every answer one that nobody can vouch for.
pub fn seen(scanned: &Scanned, out: &mut Output) -> eyre::Result<Exit> {
    let mut exit = Exit::Fine;
    for store in scanned.catalog.stores.iter().filter(|store| store.status != ScanStatus::Ok) {
        exit = Exit::Unknown;
        if !out.json {
            let (tone, word) = super::words::scan_status(store.status);
            let word = out.toned(tone, word);
            let error = escaped(store.error.as_deref().unwrap_or_default()).into_owned();
            out.line(&format!("store {}: {word}: {error}", escaped(store.id.as_str())))?;
            if let Some(hint) = &store.hint {
                out.line(&format!("  next: {}", escaped(hint)))?;
            }
        }
    }
    Ok(exit)
}

/// A line on standard error that counts while a scan is long, on terminals alone.
struct Ticker {
    counts: Option<Mutex<(Instant, BTreeMap<StoreId, u64>)>>,
}

impl Ticker {
    fn new(wanted: bool) -> Self {
        let shown = wanted && std::io::stderr().is_terminal();
        Self { counts: shown.then(|| Mutex::new((Instant::now(), BTreeMap::new()))) }
    }

    fn tick(&self, store: &StoreId, objects: u64) {
        let Some(Ok(mut held)) = self.counts.as_ref().map(Mutex::lock) else { return };
        held.1.insert(store.clone(), objects);
        if held.0.elapsed() >= Duration::from_millis(250) {
            held.0 = Instant::now();
            let sum: u64 = held.1.values().sum();
            let _ = write!(std::io::stderr(), "\rscanning: {sum} objects\x1b[K");
        }
    }

    fn clear(&self) {
        if self.counts.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
