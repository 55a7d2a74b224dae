//! Stores scanned anew, in this second, for modules that decide by what is there now.

use crate::catalog::{Catalog, Scan, ScanStatus, Stores};
use crate::model::id::StoreId;
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The catalog with these stores as they are now; each must be seen whole. `unknown` says what is not known else.
pub async fn rescan(cx: &TaskContext, stores: &BTreeSet<&StoreId>, unknown: &str) -> Result<Catalog, Stop> {
    let opened: Stores = cx.stores.iter().map(|(id, store)| (id.clone(), Ok(Arc::clone(store)))).collect();
    let mut catalog = (*cx.catalog).clone();
    for store in stores {
        let progress = |_: &_, _| {};
        let scan =
            Scan { estate: &cx.estate, stores: &opened, previous: &catalog, clock: &*cx.clock, progress: &progress };
        catalog = scan.only(store).await;
        if let Some(scan) = catalog.stores.iter().find(|scan| scan.id == **store && scan.status != ScanStatus::Ok) {
            let why = scan.error.clone().unwrap_or_else(|| "it was not seen as a whole".to_owned());
            return Err(Stop::Unknown(
                Failure::new(format!("store `{store}` could not be scanned: {why}"))
                    .means(unknown)
                    .next("look again when the store answers"),
            ));
        }
    }
    Ok(catalog)
}
