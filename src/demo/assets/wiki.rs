//! The wiki: a nightly archive. For five nights no copy has reached the bucket.

use crate::demo::forge::archive::{self, Member};
use crate::demo::ground::{Ground, stamped};
use crate::demo::seed::Chance;
use std::io::Result;

const NIGHTS: i64 = 30;
const WITHOUT_COPY: usize = 5;

pub fn stock(ground: &Ground) -> Result<()> {
    let mut chance = Chance::of("wiki");
    let pages: Vec<Member> = (0..70).map(|number| page(&mut chance, number)).collect();
    let nights = ground.nightly(4, 5, NIGHTS);
    for (index, at) in nights.iter().enumerate() {
        let bytes = archive::tar_gz(&pages[..40 + index], *at)?;
        let name = stamped("wiki/wiki_", *at, ".tar.gz");
        if !ground.clean && index + WITHOUT_COPY >= nights.len() {
            ground.keep_locally(&name, &bytes, *at)?;
        } else {
            ground.keep(&name, &bytes, *at)?;
        }
    }
    Ok(())
}

fn page(chance: &mut Chance, number: usize) -> Member {
    const WORDS: [&str; 12] = [
        "backup", "harbour", "restore", "night", "lamp", "order", "release", "pager", "window", "ledger", "proof",
        "drill",
    ];
    let mut text = format!("# Page {number}\n\n");
    for word in 0..300 {
        text.push_str(chance.pick(&WORDS));
        text.push(if word % 12 == 11 { '\n' } else { ' ' });
    }
    (format!("pages/{number:03}.md"), text.into_bytes())
}

pub fn table(_: &Ground) -> String {
    r#"
[[assets]]
id = "wiki"
kind = "files"
tier = "standard"
rpo = "26h"
rto = "24h"
copies = { total = 2, media = 2, off_site = 1 }

  [[assets.sources]]
  store = "local"
  match = "wiki/wiki_{time:%Y%m%d_%H%M%S}.tar.gz"
  kind = "archive"
  every = "24h"

  [[assets.sources]]
  store = "s3"
  match = "wiki/wiki_{time:%Y%m%d_%H%M%S}.tar.gz"
  kind = "archive"
"#
    .to_owned()
}
