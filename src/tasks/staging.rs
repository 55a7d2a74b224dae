//! A backup's content as a local file for programs that must seek in it; removed when dropped.

use super::context::TaskContext;
use super::decode;
use super::input::Stop;
use super::progress::telling;
use super::source::Source;
use crate::model::size::ByteCount;
use crate::model::task::{Failure, Progress, Unit};
use futures::StreamExt;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// How much a gzip or zstd wrapping around an already compressed dump may grow by when it is taken off.
const GROWTH: u64 = 2;

#[derive(Debug)]
pub struct Staged {
    pub path: PathBuf,
    /// SHA-256 of the stored bytes, before unwrapping.
    pub sha256: String,
    pub stored_bytes: u64,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // The work folder is private to the run; what cannot be removed is found there.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Bytes that an unprivileged writer may still use on the filesystem of `path`.
pub fn free_bytes(path: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Whether the work folder has room for the content of a source, with a tenth to spare.
pub fn room_for(cx: &TaskContext, source: &Source) -> bool {
    let growth = if source.content.wrapped.is_empty() { 1 } else { GROWTH };
    let need = source.size_bytes.saturating_mul(growth);
    free_bytes(&cx.work_dir).is_ok_and(|free| free > need + need / 10)
}

/// Fetches a source into the work folder, unwrapped, hashed on the way, readable by us alone.
pub async fn fetch(cx: &TaskContext, source: &Source, name: &str) -> Result<Staged, Stop> {
    let path = cx.work_dir.join(name);
    // A dead runner of this run may have left an older one.
    let _ = std::fs::remove_file(&path);
    let mut staged = Staged { path: path.clone(), sha256: String::new(), stored_bytes: 0 };
    let failed = |error: std::io::Error| {
        Failure::new(format!("the local copy of the dump could not be written: {error}"))
            .means("the restore did not begin")
            .next("make room in Relight's state folder, or set `jobs` to 1 to restore straight from the store")
    };
    let file = std::os::unix::fs::OpenOptionsExt::mode(std::fs::OpenOptions::new().write(true).create_new(true), 0o600)
        .open(&path)
        .map_err(failed)?;
    let mut file = tokio::io::BufWriter::with_capacity(1 << 20, tokio::fs::File::from_std(file));
    let (mut stream, meter) = decode::open(cx, source).await?;
    let total = source.size_bytes;
    let look = || Progress {
        done: meter.bytes(),
        total: Some(total),
        unit: Unit::Bytes,
        note: format!("fetching {}", ByteCount(total)),
    };
    let copying = async {
        while let Some(chunk) = stream.next().await {
            file.write_all(&chunk?).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)
    };
    tokio::select! {
        copied = telling(cx, look, copying) => copied?,
        reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
    }
    staged.sha256 = meter.sha256();
    staged.stored_bytes = meter.bytes();
    Ok(staged)
}
