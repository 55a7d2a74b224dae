//! How much room a host's disk has.

use super::{Command, run};
use crate::model::estate::Host;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;

/// Bytes that are free on the file system of a path, which must be there; `None` where `df` cannot be understood.
pub async fn free_bytes(cx: &TaskContext, host: &Host, path: &str) -> Result<Option<u64>, Stop> {
    let said = run(cx, host, Command::new(["df", "--output=avail", "-B1", "--", path])).await?;
    let text = said.success("looking at the free space", host)?.text();
    Ok(text.lines().nth(1).and_then(|line| line.trim().parse().ok()))
}
