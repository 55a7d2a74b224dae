//! Programs of this machine that make the sandbox more real.

use std::path::{Path, PathBuf};

/// PostgreSQL programs that the sandbox runs.
const NEEDED: [&str; 5] = ["initdb", "postgres", "psql", "pg_dump", "pg_restore"];
/// Where distributions keep them, outside of `PATH`; below each a folder per version.
const ROOTS: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt"];

/// Folder with all PostgreSQL programs: of `PATH`, or of the newest version installed.
pub fn postgresql() -> Option<PathBuf> {
    let complete = |dir: &PathBuf| NEEDED.iter().all(|name| dir.join(name).is_file());
    search_path().into_iter().find(complete).or_else(|| {
        let mut versions: Vec<(u32, PathBuf)> = ROOTS
            .iter()
            .filter_map(|root| std::fs::read_dir(root).ok())
            .flatten()
            .filter_map(Result::ok)
            .map(|entry| (version(&entry.path()), entry.path().join("bin")))
            .filter(|(_, bin)| complete(bin))
            .collect();
        versions.sort();
        versions.pop().map(|(_, bin)| bin)
    })
}

/// A program of `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn version(dir: &Path) -> u32 {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
