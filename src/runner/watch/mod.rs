//! Watching a primary: looks in a row, and a prepared run when they say that it is lost. A watch opens a run
//! and arms nothing: what the run may do is up to its operator.

mod notify;
mod open;
mod row;
mod sight;
mod watcher;

pub use notify::notify;
pub use row::Row;
pub use sight::{Entry, Sight};
pub use watcher::{Watcher, WatcherError};
