//! The files of a registry on disk, each read to its end and hashed. What cannot be read is an error, never left out.

use crate::model::registry::{Model, ModelFile};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::Cancel;
use crate::tasks::files::folder::failed;
use crate::tasks::input::Stop;
use cap_std::fs::{Dir, MetadataExt};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files of one registry; more is another folder than meant.
const MOST_FILES: usize = 2_000_000;

pub struct Reader<'a> {
    pub cancel: &'a Cancel,
    /// Bytes read so far.
    pub passed: &'a AtomicU64,
}

impl Reader<'_> {
    /// Every model in the order of its name.
    pub fn registry(&self, root: &Dir, path: &Path) -> Result<Vec<Model>, Stop> {
        let (mut models, mut files) = (Vec::new(), 0);
        for name in names(root, "")? {
            let id = text(&name)?;
            let meta = root.symlink_metadata(&name).map_err(|error| unread(&id, &error))?;
            if !meta.is_dir() {
                return Err(Failure::new(format!("`{}` is in the registry and belongs to no model", escaped(&id)))
                    .means("a registry holds one folder for each model; whether it is needed is not known")
                    .next("move it into its model's folder, or out of the registry; then retry")
                    .into());
            }
            let dir = root.open_dir(&name).map_err(|error| unread(&id, &error))?;
            let model = self.model(&dir, id, path, &mut files)?;
            models.push(model);
        }
        if models.is_empty() {
            return Err(Failure::new(format!("the registry {} holds no model", escaped(&path.to_string_lossy())))
                .means("it is emptied, or another folder than meant")
                .next("look at the folder; restore it if it was lost")
                .into());
        }
        Ok(models)
    }

    fn model(&self, dir: &Dir, id: String, root: &Path, count: &mut usize) -> Result<Model, Stop> {
        let mut files = Vec::new();
        self.walk(dir, &format!("{id}/"), count, &mut files)?;
        if files.is_empty() {
            return Err(Failure::new(format!("the model `{}` has no file", escaped(&id)))
                .means(
                    "it is lost, or was never finished; a manifest could not tell that from a model that is not there",
                )
                .next("restore the model, or remove its folder; then retry")
                .into());
        }
        let total_size = Some(files.iter().map(|file| file.size).sum());
        Ok(Model { path: root.join(&id).to_string_lossy().into_owned(), id, total_size, files })
    }

    /// Every file below a folder, whatever it is the folder of.
    pub fn below(&self, root: &Dir) -> Result<Vec<ModelFile>, Stop> {
        let (mut files, mut count) = (Vec::new(), 0);
        self.walk(root, "", &mut count, &mut files)?;
        Ok(files)
    }

    fn walk(&self, dir: &Dir, shown: &str, count: &mut usize, files: &mut Vec<ModelFile>) -> Result<(), Stop> {
        let mut open = vec![(dir.try_clone().map_err(|error| unread(shown, &error))?, String::new())];
        while let Some((dir, below)) = open.pop() {
            for name in names(&dir, &format!("{shown}{below}"))? {
                let place = format!("{below}{}", text(&name)?);
                let shown = format!("{shown}{place}");
                let meta = dir.symlink_metadata(&name).map_err(|error| unread(&shown, &error))?;
                if meta.is_dir() {
                    let inner = dir.open_dir(&name).map_err(|error| unread(&shown, &error))?;
                    open.push((inner, format!("{place}/")));
                    continue;
                }
                if !meta.is_file() {
                    return Err(Failure::new(format!("`{}` is no regular file", escaped(&shown)))
                        .means("an object store keeps files alone; a link or a pipe would be missing in the backup")
                        .next("put the file itself there, then retry")
                        .into());
                }
                *count += 1;
                if *count > MOST_FILES {
                    return Err(Failure::new(format!("the registry has more than {MOST_FILES} files")).into());
                }
                files.push(self.file(&dir, &name, place, &shown)?);
            }
        }
        files.sort_by(|a, b| a.relative_path.cmp(&b.relative_path));
        Ok(())
    }

    fn file(&self, dir: &Dir, name: &OsString, place: String, shown: &str) -> Result<ModelFile, Stop> {
        let mut file = dir.open(name).map_err(|error| unread(shown, &error))?;
        let before = file.metadata().map_err(|error| unread(shown, &error))?;
        let (mut hasher, mut buffer, mut size) = (Sha256::new(), vec![0; 1 << 18], 0_u64);
        loop {
            if let Some(reason) = self.cancel.reason() {
                return Err(Stop::Cancelled(reason));
            }
            match file.read(&mut buffer).map_err(|error| unread(shown, &error))? {
                0 => break,
                read => {
                    hasher.update(&buffer[..read]);
                    size += read as u64;
                    self.passed.fetch_add(read as u64, Ordering::Relaxed);
                }
            }
        }
        let after = file.metadata().map_err(|error| unread(shown, &error))?;
        let moment = |meta: &cap_std::fs::Metadata| (meta.len(), meta.mtime(), meta.mtime_nsec());
        if moment(&before) != moment(&after) || after.len() != size {
            return Err(Failure::new(format!("`{}` changed while it was read", escaped(shown)))
                .means("it is being trained or copied; a backup of it would be of no moment")
                .next("retry when the model is written")
                .into());
        }
        Ok(ModelFile {
            name: name.to_string_lossy().into_owned(),
            relative_path: place,
            size,
            checksum: hex::encode(hasher.finalize()),
            #[expect(clippy::cast_precision_loss, reason = "whole seconds of any calendar fit")]
            modified: after.mtime() as f64 + after.mtime_nsec() as f64 / 1e9,
        })
    }
}

/// How many files and bytes are in a registry.
pub fn amounts(models: &[Model]) -> (u64, u64) {
    let files = models.iter().flat_map(|model| &model.files);
    files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.size))
}

fn names(dir: &Dir, below: &str) -> Result<Vec<OsString>, Stop> {
    let listed = dir.entries().and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<std::io::Result<Vec<_>>>()
    });
    let mut names = listed.map_err(|error| unread(below, &error))?;
    names.sort();
    Ok(names)
}

fn text(name: &OsString) -> Result<String, Failure> {
    name.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::new(format!("`{}` is a name that is not UTF-8", escaped(&name.to_string_lossy())))
            .means("an object store cannot keep it under its name")
            .next("rename it, then retry")
    })
}

fn unread(what: &str, error: &std::io::Error) -> Failure {
    failed(&format!("reading `{}`", escaped(what)), error)
        .means("the backup would lack it without a word; nothing was published")
        .next("mend what the error names, then retry")
}
