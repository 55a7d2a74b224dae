//! Where the configuration file is looked for.

use std::path::{Path, PathBuf};

/// No file was named and none lies where one may lie.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no configuration was found; looked at {}", .looked.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "))]
pub struct NoConfig {
    pub looked: Vec<PathBuf>,
}

/// Places that are looked at when neither `--config` nor `RELIGHT_CONFIG` names a file, first one wins.
pub fn places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("relight.toml")];
    if let Ok(xdg) = etcetera::base_strategy::Xdg::new() {
        places.push(etcetera::BaseStrategy::config_dir(&xdg).join("relight").join("relight.toml"));
    }
    places.push(PathBuf::from("/etc/relight/relight.toml"));
    places
}

/// The file to read. A file that was named is never replaced by another one, even if it is not there.
pub fn find(named: Option<&Path>) -> Result<PathBuf, NoConfig> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let places = places();
    // A place that cannot be looked into counts as found: reading it then says why it cannot be read.
    let there = |path: &PathBuf| path.try_exists().unwrap_or(true);
    places.iter().find(|path| there(path)).cloned().ok_or(NoConfig { looked: places })
}
