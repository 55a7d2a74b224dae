//! A timer of systemd as a schedule: when it elapses next, and whether it is on.

use crate::model::time::Timestamp;
use crate::tasks::input::Stop;
use crate::tasks::services::{Standing, Unit};
use chrono::NaiveDateTime;

pub struct Timer {
    pub standing: Standing,
    pub next: Option<Timestamp>,
    pub last: Option<Timestamp>,
}

pub async fn look(unit: &Unit<'_>) -> Result<Timer, Stop> {
    let standing = unit.known().await?;
    let text = unit.properties("NextElapseUSecRealtime,LastTriggerUSec").await?;
    let instant = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        let naive = NaiveDateTime::parse_from_str(value.trim(), "%a %Y-%m-%d %H:%M:%S UTC").ok()?;
        Some(naive.and_utc())
    };
    Ok(Timer { standing, next: instant("NextElapseUSecRealtime"), last: instant("LastTriggerUSec") })
}
