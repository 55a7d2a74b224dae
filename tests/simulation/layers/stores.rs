//! Of the stores, the ports.

#[path = "../../../src/stores/bucket.rs"]
pub mod bucket;
#[path = "../../../src/stores/error.rs"]
pub mod error;
#[path = "../../../src/stores/place.rs"]
pub mod place;
#[path = "../../../src/stores/port.rs"]
pub mod port;

pub use error::{StoreError, StoreErrorKind};
pub use place::SharedPlace;
pub use port::MAX_RANGE;
