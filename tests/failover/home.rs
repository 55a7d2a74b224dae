//! A folder with a configuration and a state.

use std::path::{Path, PathBuf};

pub struct Home {
    dir: PathBuf,
}

impl Home {
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub fn config(&self) -> PathBuf {
        self.dir.join("relight.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }
}
