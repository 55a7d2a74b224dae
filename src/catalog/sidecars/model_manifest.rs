//! `manifest_TS.json` of a run of model backups, held against the objects of the run or of one model of it.
//!
//! Files are looked for under exact prefixes with their slash: `fraud/` is not the beginning of `fraud-v2/`.

use super::told::{About, Told, lossy};
use crate::model::registry::{Model, Registry, split};

#[derive(Debug)]
pub(super) struct ModelManifest(Registry);

impl ModelManifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        Registry::parse(lossy(bytes).as_bytes()).map(Self)
    }

    pub(super) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        told.fact("backup_timestamp", &self.0.backup_timestamp);
        let (root, model) = split(about.path, &Registry::stamp_of(about.sidecar));
        let models: Vec<&Model> = self.0.models.iter().filter(|m| model.is_none_or(|id| m.id == id)).collect();
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
        }
        match self.0.files(model) {
            Ok(files) => {
                for (path, expected) in files {
                    told.fact(format!("sha256 {path}"), expected.sha256.as_deref().unwrap_or_default());
                    told.expected.push((format!("{root}{path}"), expected.size));
                }
                told.exact = true;
            }
            Err(why) => told.disagree(why),
        }
        told
    }
}
