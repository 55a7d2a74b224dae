//! Bytes by name: one small port, three stores behind it, wrappers around it.

pub mod error;
pub mod port;

pub use error::{StoreError, StoreErrorKind};
pub use port::{ByteStream, ObjectMeta, Page, Pin, Store, WritableStore};
