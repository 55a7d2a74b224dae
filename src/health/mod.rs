//! Catalog, objectives and now → findings. Pure; one rule per file in `rules/`.

mod assess;
pub mod finding;
pub mod rules;
mod subject;

pub use assess::assess;
pub use finding::{AssetHealth, CopyCount, Finding, HealthReport, Severity, StoreHealth};
pub use subject::Subject;
