//! One process per run: engine, tasks, journal, control socket. Frontends come and go; the runner stays
//! until the run is over.

mod bond;
pub mod clean;
pub mod client;
mod crew;
mod drive;
pub mod elsewhere;
mod error;
mod flight;
pub mod folder;
mod frontends;
mod ground;
mod history;
mod inherit;
mod keeper;
mod lease;
pub mod ledger;
pub mod lessons;
mod listing;
mod lock;
pub mod mirror;
pub mod planner;
mod process;
pub mod protocol;
pub mod runs;
mod socket;
pub mod spawn;
pub mod watch;
mod work;

pub use client::Client;
pub use error::RunnerError;
pub use folder::RunFolder;
pub use ground::{Ground, module_rows};
pub use listing::Listing;
pub use process::run;
pub use runs::RunEntry;
