//! Room for a Redis beside the live one: a disk or a memory that it fills would take the live server with it.

use super::scratch::Side;
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::proof::forms::rdb::Snapshot;
use crate::tasks::host::free_bytes;
use crate::tasks::input::Stop;
use crate::tasks::source::Source;

/// How much a compressed snapshot may grow by.
const GROWTH: u64 = 4;

/// The folder takes the snapshot and, about as large, the log that is made of it.
pub async fn on_disk(side: &Side<'_>, source: &Source) -> Result<(), Stop> {
    let growth = if source.content.wrapped.is_empty() { 1 } else { GROWTH };
    let need = source.size_bytes.saturating_mul(growth).saturating_mul(2);
    let home = side.home();
    let free = free_bytes(home.cx, home.host, side.folder()).await?;
    enough(free, need, &format!("the disk of {}", escaped(side.folder())))
}

/// It takes about as much memory as the server that the snapshot was taken of.
pub async fn in_memory(side: &Side<'_>, snapshot: &Snapshot) -> Result<(), Stop> {
    let Some(need) = snapshot.aux.get("used-mem").and_then(|text| text.parse::<u64>().ok()) else { return Ok(()) };
    let home = side.home();
    let said = home.must("looking at the free memory", &["cat", "/proc/meminfo"]).await?.text();
    enough(available(&said), need, &format!("the memory of host `{}`", home.host.id))
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// With a tenth to spare.
fn enough(free: Option<u64>, need: u64, of: &str) -> Result<(), Stop> {
    let wanted = need.saturating_add(need / 10);
    match free {
        Some(free) if free >= wanted => Ok(()),
        Some(free) => {
            Err(Failure::new(format!("{of} has {} free, and {} are needed", ByteCount(free), ByteCount(wanted)))
                .means("loading the snapshot beside the live server might take that down; it was not touched")
                .next("make room there, then retry")
                .into())
        }
        None => Err(Stop::Unknown(
            Failure::new(format!("what {of} has free cannot be told"))
                .means("loading the snapshot beside the live server might take that down; it was not touched")
                .next("see what `df` and /proc/meminfo say on that host"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_in_bytes() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemFree: 1 kB\n"), None);
        assert!(enough(Some(110), 100, "it").is_ok());
        assert!(enough(Some(109), 100, "it").is_err() && enough(None, 0, "it").is_err());
    }
}
