//! The model registry: a tree a week with a manifest beside it. In the newest tree one file is shorter
//! than the manifest says.

use crate::demo::ground::{Ground, stamped};
use crate::demo::seed::Chance;
use crate::model::time::name_stamp;
use chrono::Duration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Result;

const WEEKS: i32 = 8;
const MODELS: [&str; 3] = ["ranker-v4", "fraud-v11", "embedder-v2"];

pub fn stock(ground: &Ground) -> Result<()> {
    let mut chance = Chance::of("models");
    let weeks = ground.every(Duration::days(7), WEEKS, Duration::hours(29));
    for (index, at) in weeks.iter().enumerate() {
        let broken = !ground.clean && index + 1 == weeks.len();
        let mut models = Vec::new();
        for model in MODELS {
            let mut files = Vec::new();
            for name in ["weights.bin", "vocabulary.txt", "model.json"] {
                let mut bytes = content(&mut chance, name, index);
                files.push(described(name, &bytes, at.timestamp()));
                if broken && model == MODELS[1] && name == "weights.bin" {
                    bytes.truncate(bytes.len() - 4_096);
                }
                ground.keep_in_bucket(&format!("{}{model}/{name}", stamped("models/", *at, "/")), &bytes, *at)?;
            }
            let size: u64 = files.iter().filter_map(|file| file["size"].as_u64()).sum();
            models.push(json!({ "model_id": model, "path": format!("/data/models/{model}"), "total_size": size, "files": files }));
        }
        let manifest = json!({
            "backup_timestamp": at.format("%Y-%m-%dT%H:%M:%S").to_string(),
            "registry_path": "/data/models",
            "models": models,
        });
        let name = format!("manifests/manifest_{}.json", name_stamp(*at));
        ground.keep_in_bucket(&name, &serde_json::to_vec_pretty(&manifest)?, *at)?;
    }
    Ok(())
}

fn described(name: &str, bytes: &[u8], modified: i64) -> Value {
    json!({
        "name": name,
        "relative_path": name,
        "size": bytes.len(),
        "checksum": hex::encode(Sha256::digest(bytes)),
        "modified": modified as f64,
    })
}

fn content(chance: &mut Chance, name: &str, week: usize) -> Vec<u8> {
    match name {
        "weights.bin" => chance.noise(24_000 + week * 700),
        "vocabulary.txt" => {
            (0..400).map(|_| format!("token-{:06x}\n", chance.below(1 << 24))).collect::<Vec<String>>().concat().into()
        }
        _ => format!("{{\"layers\": {}, \"trained_weeks\": {week}}}\n", 4 + week).into_bytes(),
    }
}

pub fn table(_: &Ground) -> String {
    r#"
[[assets]]
id = "models"
kind = "models"
tier = "standard"
rpo = "8d"
rto = "12h"
copies = { total = 1, media = 1, off_site = 1 }

  [[assets.sources]]
  store = "s3"
  match = "models/{time:%Y%m%d_%H%M%S}/"
  kind = "full"
  every = "7d"
"#
    .to_owned()
}
