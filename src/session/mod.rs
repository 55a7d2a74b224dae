//! The console's one loop: scans, health, views of runs; and the read-only view both frontends show.

pub mod handle;
pub mod parts;
pub mod view;

pub use handle::{Request, SessionHandle};
pub use parts::Parts;
pub use view::{Notice, RunRow, RunView, TaskRow, View};
