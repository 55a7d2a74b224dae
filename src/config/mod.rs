//! The configuration: file, environment, flags, themes, keys.

mod approver;
mod asset;
mod images;
mod job;
mod key;
mod load;
mod lookup;
mod names;
mod paths;
mod secret_ref;
mod secrets;
mod server;
mod service;
mod shared;
mod source;
mod store;
mod traffic;
mod ui;
mod watch;

pub use load::{Config, load, parse};
pub use lookup::{NoConfig, find, places};
pub use paths::{StateError, state_dir};
pub use secrets::SystemSecrets;
pub use shared::{Shared, SharedIn};
pub use ui::UiSettings;
pub use watch::Watch;
