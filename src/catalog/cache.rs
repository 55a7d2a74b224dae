//! The last catalog on disk, so that a start in the dark shows something at once.

use super::snapshot::Catalog;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

pub const SCHEMA: &str = "relight.catalog-cache/1";

/// A cache file that is larger than any catalog is not read.
const LONGEST: u64 = 1 << 30;

/// Why the kept catalog cannot be used. None of these stops the program: it scans anew.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the catalog cache {} could not be {did}: {source}", .path.display())]
    Io { path: PathBuf, did: &'static str, source: io::Error },
    #[error("the catalog cache {} is damaged ({why}); it is ignored and replaced by the next scan", .path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("the catalog cache {} is of another version (`{found}`); it is ignored and replaced by the next scan", .path.display())]
    Version { path: PathBuf, found: String },
}

#[derive(Serialize)]
struct Kept<'c> {
    schema: &'static str,
    catalog: &'c Catalog,
}

#[derive(Deserialize)]
struct Loaded {
    catalog: Catalog,
}

#[derive(Deserialize)]
struct Header {
    schema: String,
}

/// The catalog kept at `path`; `None` if none was kept yet.
pub fn load(path: &Path) -> Result<Option<Catalog>, CacheError> {
    let io = |source| CacheError::Io { path: path.to_owned(), did: "read", source };
    let damaged = |why: String| CacheError::Damaged { path: path.to_owned(), why };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if !file.metadata().map_err(io)?.is_file() {
        return Err(damaged("it is not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LONGEST {
        return Err(damaged("it is larger than 1 GiB".to_owned()));
    }
    // The version first: a newer catalog may not even parse.
    let header: Header = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    if header.schema != SCHEMA {
        let found = crate::model::text::escaped(&header.schema).chars().take(80).collect();
        return Err(CacheError::Version { path: path.to_owned(), found });
    }
    let loaded: Loaded = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    Ok(Some(loaded.catalog))
}

/// Keeps `catalog` at `path`: a reader sees the old file or the new one, never a part. Readable by the
/// owner only; its folder must exist.
pub fn save(path: &Path, catalog: &Catalog) -> Result<(), CacheError> {
    let io = |source| CacheError::Io { path: path.to_owned(), did: "written", source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Temporary files are created with mode 0600, and the rename keeps it.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    let mut writer = BufWriter::new(file.as_file_mut());
    serde_json::to_writer(&mut writer, &Kept { schema: SCHEMA, catalog }).map_err(|e| io(e.into()))?;
    writer.flush().map_err(io)?;
    drop(writer);
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|e| io(e.error))?;
    File::open(folder).and_then(|f| f.sync_all()).map_err(io)
}
