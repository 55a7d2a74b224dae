//! `manifest_TS.json` of a run of model backups: per model its files with size and SHA-256.
//!
//! Files are looked for under exact prefixes with their slash: `fraud/` is not the beginning of `fraud-v2/`.

use super::told::{About, Told, digits, lossy};
use crate::catalog::sighting::base_name;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct ModelManifest {
    #[serde(default)]
    backup_timestamp: String,
    #[serde(default)]
    models: Vec<Model>,
}

#[derive(Debug, Deserialize)]
struct Model {
    #[serde(rename = "model_id")]
    id: String,
    #[serde(default)]
    total_size: Option<u64>,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    name: String,
    #[serde(default)]
    relative_path: String,
    size: u64,
    #[serde(default)]
    checksum: String,
}

impl ModelManifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_str(&lossy(bytes)).map_err(|error| format!("it cannot be read: {error}"))
    }

    /// The stamp in the name of a manifest, digits only.
    pub(super) fn stamp_of(path: &str) -> String {
        digits(base_name(path))
    }

    pub(super) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        told.fact("backup_timestamp", &self.backup_timestamp);
        let (root, model) = split(about);
        let models: Vec<&Model> = self.models.iter().filter(|m| model.is_none_or(|id| m.id == id)).collect();
        if models.is_empty() {
            told.disagree(match model {
                Some(id) => format!("it does not list the model `{id}`"),
                None => "it lists no model at all".to_owned(),
            });
            return told;
        }
        told.fact("models", models.len());
        told.fact("files", models.iter().map(|m| m.files.len()).sum::<usize>());
        for model in &models {
            let sum = model.files.iter().fold(0_u64, |sum, f| sum.saturating_add(f.size));
            if model.total_size.is_some_and(|total| total != sum) {
                told.disagree(format!("the sizes of the files of `{}` do not add up to its total", model.id));
            }
            for file in &model.files {
                let path = if file.relative_path.is_empty() { &file.name } else { &file.relative_path };
                let name = format!("{root}{}/{path}", model.id);
                if name.split('/').any(|part| part.is_empty() || part == ".." || part == ".") {
                    told.warnings.push(format!("it names `{path}`, which is no place below the model"));
                    continue;
                }
                told.fact(format!("sha256 {}/{path}", model.id), &file.checksum);
                told.expected.push((name, file.size));
            }
        }
        told
    }
}

/// The folder of the whole run, and the one model that the backup is, if it is one.
fn split<'a>(about: &About<'a>) -> (&'a str, Option<&'a str>) {
    let stamp = ModelManifest::stamp_of(about.sidecar);
    let mut end = 0;
    for part in about.path.split_inclusive('/') {
        end += part.len();
        if !stamp.is_empty() && digits(part).contains(&stamp) {
            let rest = about.path[end..].trim_end_matches('/');
            return (&about.path[..end], (!rest.is_empty()).then_some(rest));
        }
    }
    (about.path, None)
}
