//! The estate of the demo: one asset per file, with its history, its configuration and, unless the
//! estate is to be clean, its trouble.

pub mod analytics;
pub mod audit;
pub mod ledger;
pub mod models;
pub mod orders;
pub mod sessions;
pub mod settings;
pub mod sources;
pub mod uploads;
pub mod wiki;

use super::ground::Ground;
use std::io::Result;

/// An asset of the demo.
#[derive(Clone, Copy)]
pub struct DemoAsset {
    pub id: &'static str,
    /// The rule that must find its trouble; none for a healthy asset.
    pub trouble: Option<&'static str>,
    /// Writes its backups.
    pub stock: fn(&Ground) -> Result<()>,
    /// Its table in the configuration file.
    pub table: fn(&Ground) -> String,
}

/// All of them, in the order of the configuration file.
pub const ALL: &[DemoAsset] = &[
    DemoAsset { id: "orders-db", trouble: None, stock: orders::stock, table: orders::table },
    DemoAsset { id: "ledger-db", trouble: Some("log-hole"), stock: ledger::stock, table: ledger::table },
    DemoAsset { id: "analytics-db", trouble: Some("size-collapse"), stock: analytics::stock, table: analytics::table },
    DemoAsset { id: "sessions", trouble: Some("age-over-rpo"), stock: sessions::stock, table: sessions::table },
    DemoAsset { id: "uploads", trouble: Some("proof-failed"), stock: uploads::stock, table: uploads::table },
    DemoAsset { id: "settings", trouble: Some("plaintext-beside"), stock: settings::stock, table: settings::table },
    DemoAsset { id: "models", trouble: Some("sidecar-disagrees"), stock: models::stock, table: models::table },
    DemoAsset { id: "wiki", trouble: Some("too-few-copies"), stock: wiki::stock, table: wiki::table },
    DemoAsset { id: "audit-log", trouble: Some("zero-size"), stock: audit::stock, table: audit::table },
    DemoAsset { id: "sources", trouble: None, stock: sources::stock, table: sources::table },
];
