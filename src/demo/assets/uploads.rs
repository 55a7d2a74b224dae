//! Files that customers sent: a tar archive every night. Last night's broke off, and its copy with it;
//! and the live folder was damaged since.

use crate::demo::forge::archive::{self, Member};
use crate::demo::ground::{Ground, put, stamped};
use crate::demo::seed::Chance;
use crate::model::time::Timestamp;
use chrono::Duration;
use std::io::Result;

const NIGHTS: i64 = 40;
const FILES: usize = 64;

pub fn stock(ground: &Ground) -> Result<()> {
    let files = files();
    let nights = ground.nightly(2, 15, NIGHTS);
    for (index, at) in nights.iter().enumerate() {
        let there = FILES * 2 / 3 + FILES / 3 * (index + 1) / nights.len();
        let mut bytes = archive::tar_gz(&files[..there], *at)?;
        if !ground.clean && index + 1 == nights.len() {
            bytes.truncate(bytes.len() * 7 / 10);
        }
        ground.keep(&stamped("uploads/uploads_", *at, ".tar.gz"), &bytes, *at)?;
    }
    live(ground, &files, nights[nights.len() - 1])
}

/// The folder as it stands: whole where the estate is clean, otherwise with files lost and emptied.
fn live(ground: &Ground, files: &[Member], since: Timestamp) -> Result<()> {
    for (index, (path, bytes)) in files.iter().enumerate() {
        let bytes: &[u8] = match index % 4 {
            _ if ground.clean => bytes,
            1 => continue,
            2 => &[],
            _ => bytes,
        };
        put(&ground.live.join("uploads"), path, bytes, since - Duration::hours(9))?;
    }
    Ok(())
}

fn files() -> Vec<Member> {
    let mut chance = Chance::of("uploads");
    (1..=FILES)
        .map(|number| match number % 3 {
            0 => (format!("avatars/customer-{number:04}.svg"), avatar(&mut chance)),
            1 => (format!("imports/{number:04}.csv"), import(&mut chance)),
            _ => (format!("scans/{number:04}.raw"), chance.noise(900 + number * 16)),
        })
        .collect()
}

fn avatar(chance: &mut Chance) -> Vec<u8> {
    let mut out = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\">\n");
    for _ in 0..24 {
        let (x, y, r, colour) = (chance.below(64), chance.below(64), chance.below(9) + 1, chance.below(0x00ff_ffff));
        out.push_str(&format!("  <circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"#{colour:06x}\"/>\n"));
    }
    out.push_str("</svg>\n");
    out.into_bytes()
}

fn import(chance: &mut Chance) -> Vec<u8> {
    let mut out = String::from("sku,stock,price\n");
    for _ in 0..120 {
        out.push_str(&format!("SKU-{},{},{}\n", chance.below(900) + 100, chance.below(500), chance.below(9_000)));
    }
    out.into_bytes()
}

pub fn table(_: &Ground) -> String {
    r#"
[[assets]]
id = "uploads"
kind = "files"
tier = "important"
rpo = "26h"
rto = "4h"
copies = { total = 3, media = 2, off_site = 1 }
proof = { level = "L4", every = "7d" }
path = "live/uploads"

  [[assets.sources]]
  store = "local"
  match = "uploads/uploads_{time:%Y%m%d_%H%M%S}.tar.gz"
  kind = "archive"
  every = "24h"

  [[assets.sources]]
  store = "s3"
  match = "uploads/uploads_{time:%Y%m%d_%H%M%S}.tar.gz"
  kind = "archive"
  every = "24h"
"#
    .to_owned()
}
