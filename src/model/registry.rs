//! The manifest of one backup of a model registry: each model with its files, their sizes and SHA-256.
//!
//! It is made before the upload and lies outside of what it describes: only what agrees with it file by file, with
//! nothing missing and nothing besides, is that backup.

use super::text::escaped;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// UTC without a zone.
    #[serde(default)]
    pub backup_timestamp: String,
    #[serde(default)]
    pub registry_path: String,
    #[serde(default)]
    pub models: Vec<Model>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    #[serde(rename = "model_id")]
    pub id: String,
    #[serde(default)]
    pub path: String,
    #[serde(default)]
    pub total_size: Option<u64>,
    #[serde(default)]
    pub files: Vec<ModelFile>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelFile {
    #[serde(default)]
    pub name: String,
    /// Below the model's folder.
    #[serde(default)]
    pub relative_path: String,
    pub size: u64,
    /// SHA-256, hexadecimal.
    #[serde(default)]
    pub checksum: String,
    /// Seconds since the epoch.
    #[serde(default)]
    pub modified: f64,
}

/// What one file must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub size: u64,
    /// SHA-256 in lower case; absent where the manifest gives none that could be one.
    pub sha256: Option<String>,
}

impl ModelFile {
    pub fn place(&self) -> &str {
        if self.relative_path.is_empty() { &self.name } else { &self.relative_path }
    }
}

impl Registry {
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read: {}", escaped(&error.to_string())))
    }

    /// The stamp in the name of a manifest, digits only.
    pub fn stamp_of(name: &str) -> String {
        name.rsplit('/').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
    }

    /// Every file by `model/place`, of all models or of one; or why this is no list to hold a backup to.
    pub fn files(&self, only: Option<&str>) -> Result<BTreeMap<String, Expected>, String> {
        let mut files = BTreeMap::new();
        for model in self.models.iter().filter(|model| only.is_none_or(|id| model.id == id)) {
            for file in &model.files {
                let path = format!("{}/{}", model.id, file.place());
                if path.split('/').any(|part| part.is_empty() || part == ".." || part == ".") || model.id.contains('/')
                {
                    return Err(format!("it names `{}`, which is no place below a model", escaped(&path)));
                }
                let is_sum = file.checksum.len() == 64 && file.checksum.bytes().all(|b| b.is_ascii_hexdigit());
                let sha256 = is_sum.then(|| file.checksum.to_ascii_lowercase());
                if files.insert(path.clone(), Expected { size: file.size, sha256 }).is_some() {
                    return Err(format!("it names `{}` twice", escaped(&path)));
                }
            }
        }
        if files.is_empty() {
            return Err(match only {
                Some(id) => format!("it lists no file of the model `{}`", escaped(id)),
                None => "it lists no file at all".to_owned(),
            });
        }
        Ok(files)
    }
}

/// The folder of the whole run in `path`, and the one model that lies there, if it is one: `models/TS/` and
/// `models/TS/fraud/` for a manifest with the stamp `TS`.
pub fn split<'a>(path: &'a str, stamp: &str) -> (&'a str, Option<&'a str>) {
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let mut end = 0;
    for part in path.split_inclusive('/') {
        end += part.len();
        if !stamp.is_empty() && digits(part).contains(stamp) {
            let rest = path[end..].trim_end_matches('/');
            return (&path[..end], (!rest.is_empty()).then_some(rest));
        }
    }
    (path, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(paths: &[(&str, &str)]) -> Registry {
        let model = |(id, place): &(&str, &str)| Model {
            id: (*id).to_owned(),
            files: vec![ModelFile {
                relative_path: (*place).to_owned(),
                checksum: "A".repeat(64),
                ..ModelFile::default()
            }],
            ..Model::default()
        };
        Registry { models: paths.iter().map(model).collect(), ..Registry::default() }
    }

    #[test]
    fn a_model_is_meant_by_its_whole_name() {
        let both = registry(&[("model-1", "w.bin"), ("model-10", "w.bin")]);
        assert_eq!(both.files(None).unwrap().len(), 2);
        let one = both.files(Some("model-1")).unwrap();
        assert_eq!(one.keys().collect::<Vec<_>>(), ["model-1/w.bin"]);
        assert_eq!(one["model-1/w.bin"].sha256.as_deref(), Some("a".repeat(64).as_str()));
        assert!(both.files(Some("model")).unwrap_err().contains("`model`"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bad in [&[("a", "../b")][..], &[("a", "")], &[("..", "b")], &[("a", "b"), ("a", "b")], &[("a/b", "c")], &[]]
        {
            assert!(registry(bad).files(None).is_err(), "{bad:?}");
        }
        assert!(Registry::parse(b"[").is_err());
    }

    #[test]
    fn a_run_and_a_model_of_it_are_told_apart() {
        assert_eq!(split("models/20260101_020000/", "20260101020000"), ("models/20260101_020000/", None));
        assert_eq!(split("models/20260101_020000/m/", "20260101020000"), ("models/20260101_020000/", Some("m")));
        assert_eq!(split("models/other/", "20260101020000"), ("models/other/", None));
    }
}
