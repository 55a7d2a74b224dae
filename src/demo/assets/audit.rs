//! The audit log's nightly export. Last night's is an empty file.

use crate::demo::forge::archive;
use crate::demo::ground::{Ground, stamped};
use crate::demo::seed::Chance;
use std::io::Result;

const NIGHTS: i64 = 30;

pub fn stock(ground: &Ground) -> Result<()> {
    let mut chance = Chance::of("audit");
    let nights = ground.nightly(1, 40, NIGHTS);
    for (index, at) in nights.iter().enumerate() {
        let rows: String = (0..600 + chance.below(60))
            .map(|line| {
                let (who, what) = (chance.below(40), chance.pick(&["login", "export", "refund", "price-change"]));
                format!("{},{who},{what}\n", at.timestamp() + line as i64)
            })
            .collect::<Vec<String>>()
            .concat();
        let empty = !ground.clean && index + 1 == nights.len();
        let bytes = if empty { Vec::new() } else { archive::gzip(rows.as_bytes())? };
        ground.keep(&stamped("audit/audit_", *at, ".csv.gz"), &bytes, *at)?;
    }
    Ok(())
}

pub fn table(_: &Ground) -> String {
    r#"
[[assets]]
id = "audit-log"
kind = "other"
tier = "important"
rpo = "26h"
rto = "24h"
copies = { total = 2, media = 2, off_site = 1 }

  [[assets.sources]]
  store = "local"
  match = "audit/audit_{time:%Y%m%d_%H%M%S}.csv.gz"
  kind = "archive"
  every = "24h"

  [[assets.sources]]
  store = "s3"
  match = "audit/audit_{time:%Y%m%d_%H%M%S}.csv.gz"
  kind = "archive"
  every = "24h"
"#
    .to_owned()
}
