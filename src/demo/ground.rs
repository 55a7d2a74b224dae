//! The ground that the demo's assets are laid out on: two stores as folders, and the live side.

use crate::model::time::{Timestamp, name_stamp};
use chrono::{Duration, NaiveTime};
use std::fs::{self, File};
use std::io::{Result, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How long the local store keeps what the bucket keeps for good.
const LOCAL_DAYS: i64 = 14;
/// A job takes a few minutes from the instant in its backup's name to the written file.
const JOB_MINUTES: i64 = 4;
/// Nothing is younger than this: a job that runs right now has not delivered.
const IN_FLIGHT: Duration = Duration::minutes(8);

#[derive(Clone, Debug)]
pub struct Ground {
    pub now: Timestamp,
    /// Folder of the local store.
    pub local: PathBuf,
    /// Folder that the object-store server shows as a bucket.
    pub bucket: PathBuf,
    /// What the backups are taken of, as far as it is files.
    pub live: PathBuf,
    /// Without the planted problems.
    pub clean: bool,
    /// The sandbox runs a database server.
    pub server: bool,
    /// The program that seals archives, where there is one.
    pub gpg: Option<PathBuf>,
}

impl Ground {
    /// Puts an object into the bucket, and into the local store while that still keeps it.
    pub fn keep(&self, name: &str, bytes: &[u8], at: Timestamp) -> Result<()> {
        self.keep_in_bucket(name, bytes, at)?;
        if self.now - at < Duration::days(LOCAL_DAYS) { self.keep_locally(name, bytes, at) } else { Ok(()) }
    }

    pub fn keep_in_bucket(&self, name: &str, bytes: &[u8], at: Timestamp) -> Result<()> {
        put(&self.bucket, name, bytes, at + Duration::minutes(JOB_MINUTES))
    }

    pub fn keep_locally(&self, name: &str, bytes: &[u8], at: Timestamp) -> Result<()> {
        put(&self.local, name, bytes, at + Duration::minutes(JOB_MINUTES))
    }

    /// One instant a day at this time, oldest first, the last one as late as a finished job allows.
    pub fn nightly(&self, hour: u32, minute: u32, days: i64) -> Vec<Timestamp> {
        let time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default();
        let today = self.now.date_naive().and_time(time).and_utc();
        let last = if today + IN_FLIGHT <= self.now { today } else { today - Duration::days(1) };
        (0..days).rev().map(|back| last - Duration::days(back) + Duration::seconds(3 + back * 7 % 23)).collect()
    }

    /// Instants at a fixed distance, oldest first, the last one `before` now.
    pub fn every(&self, step: Duration, count: i32, before: Duration) -> Vec<Timestamp> {
        let last = self.now - before;
        (0..count).rev().map(|back| last - step * back).collect()
    }
}

/// Writes a file as if it had been written at `at`.
pub fn put(root: &Path, name: &str, bytes: &[u8], at: Timestamp) -> Result<()> {
    let path = root.join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.set_modified(SystemTime::from(at))
}

/// `<stem><stamp><end>`, for names that carry their instant.
pub fn stamped(stem: &str, at: Timestamp, end: &str) -> String {
    format!("{stem}{}{end}", name_stamp(at))
}
