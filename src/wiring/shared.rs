//! Where leases lie: the shared place of the configuration, or this machine's state folder.

use super::Setup;
use crate::config::SharedIn;
use crate::journal::lease::Leases;
use crate::model::estate::{StoreConfig, StorePlace};
use crate::model::id::StoreId;
use crate::stores::local::{FolderPlace, LocalStore};
use crate::stores::{self, Patience, StoreError, StoreErrorKind};
use color_eyre::eyre::{self, WrapErr as _};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a lease on this machine alone holds without being renewed.
const LOCAL_TERM: Duration = Duration::from_mins(2);
const SEAT: &str = "seat";

impl Setup {
    pub async fn leases(&self) -> eyre::Result<Leases> {
        let seat = seat(&self.state_dir).wrap_err("the mark of the state folder cannot be kept")?;
        let clock = Arc::clone(&self.clock);
        let Some(shared) = &self.shared else {
            let place = FolderPlace::new(LocalStore::new("state", &self.state_dir));
            return Ok(Leases::local(Arc::new(place), clock, seat, LOCAL_TERM));
        };
        let config = match &shared.place {
            SharedIn::Store(id) => self.estate.store(id).cloned(),
            SharedIn::Folder(path) => Some(StoreConfig {
                id: "shared".into(),
                place: StorePlace::Local { path: path.clone() },
                site: String::new(),
                medium: String::new(),
                time_zone: chrono_tz::UTC,
            }),
        };
        let config = config.ok_or_else(|| eyre::eyre!("the store of [shared] is not configured"))?;
        if let StorePlace::Local { path } = &config.place {
            prepare(&config.id, path, &shared.prefix)?;
        }
        let place = stores::open_place(&config, &shared.prefix, &*self.secrets, Patience::default()).await?;
        Ok(Leases::shared(place, clock, seat, shared.term))
    }
}

/// The folder itself must be there: one that is made in place of a share that is not mounted would be seen
/// by this machine alone.
fn prepare(id: &StoreId, folder: &Path, prefix: &str) -> eyre::Result<()> {
    if !folder.is_dir() {
        let what = format!("the shared folder {} is not there: is the share mounted?", folder.display());
        return Err(StoreError::new(StoreErrorKind::NotFound, id, None, what).into());
    }
    std::fs::create_dir_all(folder.join(prefix)).wrap_err("the shared folder cannot be written to")
}

/// The random mark of a state folder, made once.
fn seat(state_dir: &Path) -> std::io::Result<String> {
    let path = state_dir.join(SEAT);
    let read = || {
        let mut text = String::new();
        std::fs::File::open(&path)?.take(64).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text.trim().to_owned())
    };
    match read() {
        Ok(mark) if mark.len() == 16 => return Ok(mark),
        Ok(_) => return Err(std::io::Error::other(format!("{} does not hold a mark", path.display()))),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let mark = getrandom::u64().map_err(|error| std::io::Error::other(error.to_string()))?;
    let mut fresh = tempfile::Builder::new()
        .prefix(".seat-")
        .make_in(state_dir, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))?;
    write!(fresh, "{mark:016x}")?;
    fresh.as_file().sync_all()?;
    match fresh.persist_noclobber(&path) {
        Ok(_) => {}
        // Another process of this moment was faster: its mark counts.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    read()
}
