//! From an empty folder to a running sandbox: histories, servers, configuration, proofs.

use super::assets::{self, orders};
use super::cluster::Cluster;
use super::folder::{Folder, sweep};
use super::forge::plain;
use super::ground::Ground;
use super::programs;
use super::settings::{self, BUCKET, S3Access, SECRET_FILE};
use crate::model::time::Timestamp;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What the operator asked of the demo.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Folder to keep, new or with the sandbox of an earlier demo; a temporary one is removed at the end.
    pub dir: Option<PathBuf>,
    /// An estate without problems.
    pub clean: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the sandbox could not be made: cannot {doing}: {source}")]
    Io { doing: &'static str, source: std::io::Error },
    #[error("the sandbox was not finished: interrupted")]
    Interrupted,
    #[error("the sandbox's own configuration is wrong: {0}")]
    Configuration(String),
    #[error("the sandbox could not be taken down whole, and parts of it may be left: {0}")]
    Ending(String),
}

pub(super) fn cannot(doing: &'static str) -> impl FnOnce(std::io::Error) -> DemoError {
    move |source| DemoError::Io { doing, source }
}

/// What lies in the folder before anything is asked of the stores.
#[derive(Debug)]
pub(super) struct Laid {
    // Dropped in this order: first the server, then the folder it works in.
    pub cluster: Option<Cluster>,
    pub folder: Folder,
    /// What this machine lacks, one sentence each.
    pub lacks: Vec<String>,
}

impl Laid {
    pub fn config(&self) -> PathBuf {
        self.folder.path().join(settings::FILE)
    }

    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Root of the object-store server; buckets are its folders.
    pub fn s3_root(&self) -> PathBuf {
        self.folder.path().join("stores/s3")
    }
}

/// A new key pair for the object-store server; the secret one is kept in a private file.
pub(super) fn new_keys(folder: &Path) -> Result<(String, String), DemoError> {
    let mut noise = [0_u8; 20];
    getrandom::fill(&mut noise).map_err(|e| cannot("make keys")(std::io::Error::other(e)))?;
    let secret = hex::encode(noise);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(SECRET_FILE))?;
        file.write_all(format!("{secret}\n").as_bytes())
    };
    write().map_err(cannot("keep the keys"))?;
    Ok(("RELIGHTDEMO".to_owned(), secret))
}

/// The folder that was asked for; on the way what killed demos have left is removed. Blocking.
pub(super) fn folder(wishes: &Wishes, say: &(dyn Fn(&str) + Send + Sync)) -> Result<Folder, DemoError> {
    for remains in sweep() {
        say(&format!("Removed what a killed demo had left: {}", remains.display()));
    }
    Folder::make(wishes.dir.as_deref()).map_err(cannot("make its folder"))
}

/// Lays out stores and live side. Blocking; `stop` ends it at the next asset.
pub(super) fn lay_out(
    folder: Folder,
    clean: bool,
    now: Timestamp,
    say: &(dyn Fn(&str) + Send + Sync),
    stop: &AtomicBool,
) -> Result<(Laid, Ground), DemoError> {
    let mut lacks = Vec::new();
    let bin = programs::postgresql();
    if bin.is_none() {
        lacks.push(
            "PostgreSQL's programs were not found: there is no live database. Restoring `uploads` works for real."
                .to_owned(),
        );
    }
    let gpg = programs::find("gpg");
    if gpg.is_none() {
        lacks.push("gpg was not found: the archives of `settings` are not sealed.".to_owned());
    }
    let root = folder.path();
    let mut ground = Ground {
        now,
        local: root.join("stores/local"),
        bucket: root.join("stores/s3").join(BUCKET),
        live: root.join("live"),
        clean,
        server: false,
        gpg,
    };
    for dir in [&ground.local, &ground.bucket, &ground.live] {
        fs::create_dir_all(dir).map_err(cannot("make its folders"))?;
    }
    let (stocked, served) = std::thread::scope(|scope| {
        let server = bin.as_ref().map(|bin| {
            say("Starting a private PostgreSQL server on loopback");
            let ground = &ground;
            scope.spawn(move || database(bin, root, ground))
        });
        say("Writing months of backups into two stores");
        (stock(&ground, stop), server.map(std::thread::ScopedJoinHandle::join))
    });
    let mut cluster = None;
    match served {
        None => {}
        Some(Ok(Ok((running, dump)))) => {
            // Where the real program is there, the newest dump is its work.
            let (name, at) = orders::newest_name(&ground);
            ground.keep(&name, &dump, at).map_err(cannot("keep the newest dump"))?;
            ground.server = true;
            cluster = Some(running);
        }
        Some(Ok(Err(error))) => lacks.push(format!("There is no live database: PostgreSQL did not start: {error}")),
        Some(Err(_)) => lacks.push("There is no live database: starting PostgreSQL broke off.".to_owned()),
    }
    stocked?;
    Ok((Laid { cluster, folder, lacks }, ground))
}

/// A cluster with the shop's database, its dump, and then the damage that the dump is to mend.
fn database(bin: &Path, root: &Path, ground: &Ground) -> std::io::Result<(Cluster, Vec<u8>)> {
    let cluster = Cluster::start(bin, root)?;
    cluster.sql("postgres", "CREATE DATABASE orders TEMPLATE template0 ENCODING 'UTF8';")?;
    cluster.sql("orders", &plain::dump(&orders::Shop::until(ground.now).grown(1.0)))?;
    cluster.sql("orders", "ANALYZE;")?;
    let dump = cluster.dump("orders")?;
    if !ground.clean {
        cluster.sql("orders", orders::DAMAGE)?;
    }
    Ok((cluster, dump))
}

/// Writes all assets' backups, as many at once as there are processors.
fn stock(ground: &Ground, stop: &AtomicBool) -> Result<(), DemoError> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let work = || {
        while let Some(asset) = assets::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = if stop.load(Ordering::Relaxed) {
                Err(DemoError::Interrupted)
            } else {
                (asset.stock)(ground).map_err(cannot("write its backups"))
            };
            if let (Err(error), Ok(mut first)) = (result, failed.lock()) {
                first.get_or_insert(error);
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(4);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    failed.into_inner().ok().flatten().map_or(Ok(()), Err)
}

/// Writes the configuration file that joins everything.
pub(super) fn configure(laid: &Laid, ground: &Ground, s3: &S3Access) -> Result<(), DemoError> {
    let text = settings::file(ground, s3, laid.cluster.as_ref());
    fs::write(laid.config(), text).map_err(cannot("write its configuration"))
}
