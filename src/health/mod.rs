//! Catalog, objectives and now → findings. Pure; one rule per file in `rules/`.

pub mod finding;

pub use finding::{AssetHealth, Finding, HealthReport, Severity, StoreHealth};
