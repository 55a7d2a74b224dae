//! Where one backup of a registry goes in one store: a folder for the files, and a manifest apart from it.

use crate::tasks::backup::place::Place;
use crate::tasks::module::{InputKind, InputSpec};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlace {
    /// Its path is the folder of the run, with a slash at the end.
    #[serde(flatten)]
    pub place: Place,
    /// The object that is written last.
    pub manifest: String,
}

/// Row of a module's inputs: see [`RunPlace`].
pub const PLACES: InputSpec =
    InputSpec { name: "places", kind: InputKind::List, required: true, help: "`places` of models.destination" };

impl RunPlace {
    /// `models/TS/` has its manifest at `manifests/manifest_TS.json`.
    pub fn of(place: Place) -> Self {
        let folder = place.path.trim_end_matches('/');
        let (above, name) = folder.rsplit_once('/').unwrap_or(("", folder));
        let beside = above.rsplit_once('/').map_or(String::new(), |(above, _)| format!("{above}/"));
        let manifest = format!("{beside}manifests/manifest_{name}.json");
        Self { place, manifest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::StoreId;

    #[test]
    fn a_manifest_lies_beside_the_folder_of_all_runs() {
        for (folder, manifest) in [
            ("models/20260101_020000/", "manifests/manifest_20260101_020000.json"),
            ("a/b/models/20260101_020000/", "a/b/manifests/manifest_20260101_020000.json"),
            ("20260101_020000/", "manifests/manifest_20260101_020000.json"),
        ] {
            let place = Place { store: StoreId::new("s3"), path: folder.to_owned(), min_size: None };
            assert_eq!(RunPlace::of(place).manifest, manifest);
        }
    }
}
