//! The jobs that make and remove backups, as their hosts schedule them: lines of a crontab and timers of systemd.
//! Seen, paused for a restore, and put back byte for byte.

mod book;
pub mod crontab;
pub mod list;
pub mod look;
pub mod pause;
pub mod resume;
mod timer;

pub use look::{Seen, State, look};

use super::context::TaskContext;
use super::module::{InputKind, InputSpec};
use crate::model::estate::Job;
use crate::model::id::AssetId;

/// Whose jobs a module works on.
const ASSET: InputSpec =
    InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset whose [[jobs]] are meant" };

fn of<'a>(cx: &'a TaskContext, asset: &AssetId) -> Vec<&'a Job> {
    cx.estate.jobs.iter().filter(|job| job.assets.contains(asset)).collect()
}
