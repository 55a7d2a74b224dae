//! The session cache: an RDB every six hours. Nothing has arrived for more than a day.

use crate::demo::forge::{archive, rdb};
use crate::demo::ground::{Ground, stamped};
use crate::demo::seed::Chance;
use chrono::Duration;
use std::io::Result;

const STEP: Duration = Duration::hours(6);
const COUNT: i32 = 4 * 21;

pub fn stock(ground: &Ground) -> Result<()> {
    let mut chance = Chance::of("sessions");
    let silent = if ground.clean { Duration::minutes(95) } else { Duration::hours(31) + Duration::minutes(12) };
    for (index, at) in ground.every(STEP, COUNT, silent).into_iter().enumerate() {
        let keys: Vec<rdb::Key> = (0..420 + index as u64 * 2 + chance.below(40))
            .map(|_| rdb::Key {
                name: format!("session:{:016x}", chance.draw()),
                value: format!(
                    r#"{{"user":{},"csrf":"{:016x}","cart":[{},{}]}}"#,
                    chance.below(480) + 1,
                    chance.draw(),
                    chance.below(900),
                    chance.below(900)
                ),
                expires: Some(at + Duration::seconds(chance.below(86_400) as i64)),
            })
            .collect();
        let bytes = archive::gzip(&rdb::file(&keys, at))?;
        ground.keep(&stamped("sessions/redis_", at, ".rdb.gz"), &bytes, at)?;
    }
    Ok(())
}

pub fn table(_: &Ground) -> String {
    r#"
[[assets]]
id = "sessions"
kind = "redis"
tier = "important"
rpo = "12h"
rto = "1h"
copies = { total = 2, media = 2, off_site = 1 }

  [[assets.sources]]
  store = "local"
  match = "sessions/redis_{time:%Y%m%d_%H%M%S}.rdb.gz"
  kind = "snapshot"
  every = "6h"
  min_size = "4kB"

  [[assets.sources]]
  store = "s3"
  match = "sessions/redis_{time:%Y%m%d_%H%M%S}.rdb.gz"
  kind = "snapshot"
  every = "6h"
  min_size = "4kB"
"#
    .to_owned()
}
