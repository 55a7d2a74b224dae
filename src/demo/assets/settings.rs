//! Configuration files: sealed archives every week. Last week's plain archive was left beside its sealed one.

use crate::demo::forge::archive::{self, Member};
use crate::demo::ground::{Ground, stamped};
use crate::demo::seal::Sealer;
use crate::demo::seed::Chance;
use chrono::Duration;
use std::io::Result;

const WEEKS: i32 = 9;

pub fn stock(ground: &Ground) -> Result<()> {
    let mut chance = Chance::of("settings");
    let sealer = ground.gpg.as_deref().map(Sealer::new).transpose()?;
    let weeks = ground.every(Duration::days(7), WEEKS, Duration::hours(50));
    for (index, at) in weeks.iter().enumerate() {
        let plain = archive::tar_gz(&files(&mut chance, index), *at)?;
        let Some(sealer) = &sealer else {
            ground.keep(&stamped("config/config_", *at, ".tar.gz"), &plain, *at)?;
            continue;
        };
        ground.keep(&stamped("config/config_", *at, ".tar.gz.gpg"), &sealer.seal(&plain)?, *at)?;
        if !ground.clean && index + 1 == weeks.len() {
            ground.keep_locally(&stamped("config/config_", *at, ".tar.gz"), &plain, *at)?;
        }
    }
    Ok(())
}

fn files(chance: &mut Chance, week: usize) -> Vec<Member> {
    (0..14 + week)
        .map(|number| {
            let lines: Vec<String> =
                (0..40).map(|line| format!("setting_{line} = \"{:08x}\"\n", chance.draw() as u32)).collect();
            (format!("etc/harbour/service-{number:02}.conf"), lines.concat().into_bytes())
        })
        .collect()
}

pub fn table(ground: &Ground) -> String {
    let (end, sealed) = if ground.gpg.is_some() { (".tar.gz.gpg", "encrypted = true\n") } else { (".tar.gz", "") };
    let source = |store: &str| {
        format!(
            r#"
  [[assets.sources]]
  store = "{store}"
  match = "config/config_{{time:%Y%m%d_%H%M%S}}{end}"
  kind = "archive"
  every = "7d"
  {sealed}"#
        )
    };
    format!(
        r#"
[[assets]]
id = "settings"
kind = "config"
tier = "standard"
rpo = "8d"
rto = "4h"
copies = {{ total = 2, media = 2, off_site = 1 }}
{}{}"#,
        source("local"),
        source("s3")
    )
}
