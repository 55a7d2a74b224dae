//! The folders of an asset of which each backup is one archive.

use super::folder::{FolderId, Found, Place, Tally, failed, tally};
use crate::model::task::Failure;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One of them, as it was when the plan was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tree {
    pub path: PathBuf,
    pub live_id: FolderId,
}

/// All of them and how much they hold together. `stop` is asked once per entry.
pub fn look(paths: &[PathBuf], stop: &dyn Fn() -> bool) -> Result<(Vec<Tree>, Tally), Failure> {
    let (mut trees, mut sum) = (Vec::with_capacity(paths.len()), Tally::default());
    for path in paths {
        let (place, [name]) = Place::open([path])?;
        let live_id = match place.find(&name)? {
            Found::Folder(id) => id,
            other => {
                let what = if let Found::Other(what) = other { what } else { "not there" };
                return Err(Failure::new(format!("{} is {what}", place.show(&name)))
                    .means("a backup would lack it without a word; nothing was done")
                    .next("restore it if it was lost; take it out of the asset's `trees` if it is gone for good"));
            }
        };
        let dir =
            place.dir.open_dir(&name).map_err(|error| failed(&format!("opening {}", place.show(&name)), &error))?;
        let (held, _) =
            tally(&dir, stop).map_err(|error| failed(&format!("counting {}", place.show(&name)), &error))?;
        sum.files += held.files;
        sum.folders += held.folders;
        sum.links += held.links;
        sum.bytes += held.bytes;
        trees.push(Tree { path: path.clone(), live_id });
    }
    Ok((trees, sum))
}
