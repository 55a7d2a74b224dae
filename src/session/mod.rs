//! The console's one loop: scans, health, views of runs; and the read-only view both frontends show.

pub mod armed;
mod arming;
mod checks;
mod elsewhere;
mod follow;
pub mod handle;
mod news;
pub mod notices;
pub mod parts;
mod proofs;
mod requests;
mod run;
mod runs;
mod scan;
mod state;
mod verify;
pub mod view;

pub use elsewhere::LockWish;
pub use handle::{Request, SessionHandle};
pub use parts::{LeasePlace, Parts};
pub use run::{Session, start};
pub use scan::{Scanned, scan_once};
pub use view::{Link, Notice, RunRow, RunView, TaskRow, View};
