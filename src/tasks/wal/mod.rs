//! PostgreSQL's log archive: what can be reached with it, and its segments brought to where a server recovers.

pub mod archive;
pub mod chain;
pub mod fetch;
pub mod reaches;
pub mod sight;
pub mod stop;
pub mod target;
pub mod window;
