//! Which names a store takes, before anything is asked of it.

use super::error::{StoreError, StoreErrorKind};
use crate::model::id::StoreId;

/// Longest name in bytes, the limit of S3. Longer names in a folder are reported, not listed.
pub const MAX_NAME: usize = 1024;

/// Why `name` cannot name an object anywhere; `None` where it can.
pub(super) fn key_fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("the name is empty"),
        n if n.len() > MAX_NAME => Some("the name is longer than 1024 bytes"),
        n if n.starts_with('/') => Some("the name starts with a slash"),
        n if n.contains('\0') => Some("the name holds a NUL byte"),
        _ => None,
    }
}

/// Why `name` cannot be a path below a folder; `None` where it can.
pub fn path_fault(name: &str) -> Option<&'static str> {
    key_fault(name).or_else(|| {
        name.split('/').find_map(|part| match part {
            "" => Some("the name holds an empty part between slashes"),
            "." | ".." => Some("the name holds a part that points elsewhere (`.` or `..`)"),
            p if p.len() > 255 => Some("a part of the name is longer than 255 bytes"),
            _ => None,
        })
    })
}

pub(super) fn bad_name(store: &StoreId, name: &str, fault: &str) -> StoreError {
    let short: String = name.chars().take(200).collect();
    StoreError::new(StoreErrorKind::BadName, store, Some(&short), format!("{fault}; it was not looked up"))
}
