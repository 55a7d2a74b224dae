//! The TOML files of configured folders.

use std::path::{Path, PathBuf};

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The `.toml` files of `dirs`, in order; a folder that cannot be read is told as a `what` folder.
pub fn files(what: &str, dirs: &[PathBuf], errors: &mut Vec<String>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in dirs {
        match std::fs::read_dir(dir) {
            Ok(entries) => found.extend(
                entries
                    .filter_map(Result::ok)
                    .map(|entry| entry.path())
                    .filter(|path| path.extension().is_some_and(|extension| extension == "toml")),
            ),
            Err(error) => errors.push(format!("{what} folder {} cannot be read: {error}", dir.display())),
        }
    }
    found.sort();
    found
}

/// A file's name without its extension.
pub fn stem(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The text of one of these files.
pub fn text(file: &Path) -> Result<String, String> {
    let origin = file.display();
    let unreadable = |error: std::io::Error| format!("{origin} cannot be read: {error}");
    let about = std::fs::metadata(file).map_err(unreadable)?;
    if !about.is_file() {
        return Err(format!("{origin} is not a file"));
    }
    if about.len() > MAX_FILE {
        return Err(format!("{origin} is larger than {MAX_FILE} bytes: nothing that is written by hand is"));
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

/// What messages call a text that is read from a file, or was built in under this name.
pub fn shown(stem: &str, origin: &str) -> String {
    if origin == "built in" { format!("{stem}.toml (built in)") } else { origin.to_owned() }
}
