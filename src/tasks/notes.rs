//! Notes that a run keeps in its own folder, so that a later attempt knows what an earlier one made.

use super::context::TaskContext;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write as _;

/// `None` where there is none, or one that cannot be read.
pub fn read<T: DeserializeOwned>(cx: &TaskContext, file: &str) -> Option<T> {
    serde_json::from_slice(&std::fs::read(cx.work_dir.join(file)).ok()?).ok()
}

/// On disk, whole, when it returns.
pub fn write(cx: &TaskContext, file: &str, note: &impl Serialize) -> std::io::Result<()> {
    let path = cx.work_dir.join(file);
    let part = path.with_extension("part");
    let mut out = std::fs::File::create(&part)?;
    out.write_all(&serde_json::to_vec(note)?)?;
    out.sync_all()?;
    std::fs::rename(&part, &path)?;
    std::fs::File::open(&cx.work_dir)?.sync_all()
}
