//! Bytes by name: one small port, three stores behind it, wrappers around it.

mod aligned;
pub mod bucket;
pub mod error;
pub mod local;
pub mod memory;
mod name;
mod open;
pub mod place;
pub mod port;
pub mod s3;
pub mod wrap;

pub use aligned::{Aligned, DISK_BLOCK};
pub use bucket::{Bucket, LifecycleRule, Told};
pub use error::{StoreError, StoreErrorKind};
pub use name::{MAX_NAME, path_fault};
pub use open::{Opened, Patience, open, open_place, open_to_prune, open_with};
pub use place::SharedPlace;
pub use port::{
    ByteStream, MAX_RANGE, ObjectMeta, ObjectSum, Page, Pin, PruningStore, Removed, Store, SumKind, Thaw, ThawRequest,
    ThawTier, WritableStore,
};
