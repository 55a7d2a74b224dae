//! The asset, store or backup that an argument means.

use crate::catalog::{Catalog, ChooseError};
use crate::located::nearest;
use crate::model::backup::Backup;
use crate::model::estate::Estate;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::report::Fault;

/// The copy of a backup that a command works on.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// An id, an unambiguous beginning of one, `latest` or `latest-proven`
    backup: String,
    /// The store to read from; without it the best copy is taken
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    /// The asset whose latest backup is meant
    #[arg(long, value_name = "NAME")]
    asset: Option<String>,
}

impl Which {
    /// The backup, and the store that was named.
    pub fn find(&self, catalog: &Catalog, estate: &Estate) -> color_eyre::Result<(BackupId, Option<StoreId>)> {
        let asset = self.asset.as_deref().map(|name| asset(estate, name)).transpose()?;
        let store = self.store.as_deref().map(|name| store(estate, name)).transpose()?;
        Ok((backup(catalog, estate, &self.backup, asset.as_ref())?.id.clone(), store))
    }
}

pub fn asset(estate: &Estate, name: &str) -> Result<AssetId, Fault> {
    let names = || estate.assets.iter().map(|asset| asset.id.as_str());
    known("asset", name, names).map(AssetId::from)
}

pub fn store(estate: &Estate, name: &str) -> Result<StoreId, Fault> {
    let names = || estate.stores.iter().map(|store| store.id.as_str());
    known("store", name, names).map(StoreId::from)
}

fn known<'a, I: Iterator<Item = &'a str>>(kind: &str, name: &str, names: impl Fn() -> I) -> Result<&'a str, Fault> {
    names().find(|known| *known == name).ok_or_else(|| {
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the {kind}s are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Fault::usage(format!("the configuration names no {kind} `{name}`")).hint(hint)
    })
}

/// The backup with this id or the only one whose id begins so. `latest` and `latest-proven` are those of
/// `of`, which may be left out where there is only one asset.
pub fn backup<'c>(
    catalog: &'c Catalog,
    estate: &Estate,
    text: &str,
    of: Option<&AssetId>,
) -> color_eyre::Result<&'c Backup> {
    match (of, estate.assets.as_slice()) {
        (Some(asset), _) => Ok(catalog.choose_for(asset, text)?),
        (None, [only]) => Ok(catalog.choose_for(&only.id, text)?),
        (None, _) if matches!(text, "latest" | "latest-proven") => {
            let fault = Fault::usage(format!("`{text}` of which asset?"));
            Err(fault.hint("add --asset NAME; `relight health` lists them").into())
        }
        (None, _) => Ok(catalog.choose(text)?),
    }
}

/// Whether nothing fits: in an estate that was not seen whole, that does not mean that there is nothing.
pub fn found_nothing(error: &color_eyre::Report) -> bool {
    error.downcast_ref::<ChooseError>().is_some_and(|error| !matches!(error, ChooseError::Many { .. }))
}
