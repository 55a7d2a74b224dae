//! A small estate in a folder: one healthy asset, one that has no backups, one stranger.

use super::program::Sandbox;
use super::s3::{BUCKET, KEY};
use std::io::Write as _;

pub const CONFIG: &str = r#"
[estate]
name = "small"
environment = "test"

[[stores]]
id = "disk"
type = "local"
path = "backups"

[[assets]]
id = "orders"
kind = "files"
rpo = "36500d"

  [[assets.sources]]
  store = "disk"
  match = "orders_{time:%Y%m%d_%H%M%S}.sql.gz"
  kind = "full"
"#;

pub const EMPTY_ASSET: &str = r#"
[[assets]]
id = "uploads"
kind = "files"
rpo = "1h"

  [[assets.sources]]
  store = "disk"
  match = "uploads_{time:%Y%m%d_%H%M%S}.tar.gz"
  kind = "full"
"#;

/// An estate in a bucket: `db` is one object, `data` a folder of them.
pub fn bucket(endpoint: &str) -> String {
    format!(
        r#"
[estate]
name = "bucket"
environment = "test"

[[stores]]
id = "s3"
type = "s3"
bucket = "{BUCKET}"
region = "us-east-1"
endpoint = "{endpoint}"
force_path_style = true
access_key_id = "{KEY}"
secret_access_key = {{ env = "RELIGHT_TEST_SECRET" }}

[[assets]]
id = "db"
kind = "files"
rpo = "36500d"

  [[assets.sources]]
  store = "s3"
  match = "base_{{time:%Y%m%d_%H%M%S}}.tar"
  kind = "full"

[[assets]]
id = "data"
kind = "files"
rpo = "36500d"

  [[assets.sources]]
  store = "s3"
  match = "run_{{time:%Y%m%d_%H%M%S}}/"
  kind = "full"
"#
    )
}

/// The estate with two backups of `orders`, newest from 2026-01-02.
pub fn small(extra: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("relight.toml", format!("{CONFIG}{extra}"));
    for day in ["20260101", "20260102"] {
        sandbox.write(&format!("backups/orders_{day}_020000.sql.gz"), gzip("-- dump\n"));
    }
    sandbox
}

pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
