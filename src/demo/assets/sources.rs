//! Source code: a mirror archive every week with its checksum beside it. Nothing is wrong with it.

use crate::demo::forge::archive::{self, Member};
use crate::demo::ground::{Ground, stamped};
use crate::demo::seed::Chance;
use crate::model::time::name_stamp;
use chrono::Duration;
use sha2::{Digest, Sha256};
use std::io::Result;

const WEEKS: i32 = 12;

pub fn stock(ground: &Ground) -> Result<()> {
    let mut chance = Chance::of("sources");
    let files: Vec<Member> = (0..60).map(|number| file(&mut chance, number)).collect();
    for (index, at) in ground.every(Duration::days(7), WEEKS, Duration::hours(75)).iter().enumerate() {
        let bytes = archive::tar_gz(&files[..36 + index * 2], *at)?;
        let folder = stamped("code/", *at, "/");
        let name = format!("source_code_{}.tar.gz", name_stamp(*at));
        ground.keep(&format!("{folder}{name}"), &bytes, *at)?;
        let sum = format!("{}  /backup/{folder}{name}\n", hex::encode(Sha256::digest(&bytes)));
        ground.keep(&format!("{folder}checksums.txt"), sum.as_bytes(), *at)?;
    }
    Ok(())
}

fn file(chance: &mut Chance, number: usize) -> Member {
    let lines: Vec<String> =
        (0..50).map(|line| format!("def step_{line}(x):\n    return x + {}\n\n", chance.below(1000))).collect();
    (format!("harbour.git/src/module_{number:02}.py"), lines.concat().into_bytes())
}

pub fn table(_: &Ground) -> String {
    r#"
[[assets]]
id = "sources"
kind = "code"
tier = "standard"
rpo = "8d"
copies = { total = 2, media = 2, off_site = 1 }

  [[assets.sources]]
  store = "local"
  match = "code/*/source_code_{time:%Y%m%d_%H%M%S}.tar.gz"
  kind = "archive"
  every = "7d"

  [[assets.sources]]
  store = "s3"
  match = "code/*/source_code_{time:%Y%m%d_%H%M%S}.tar.gz"
  kind = "archive"
  every = "7d"
"#
    .to_owned()
}
