//! Leases: one run per lock scope, in a place that everyone who may run it writes to.
//!
//! A scope's register holds one [`Lease`]. It changes hands by compare-and-swap alone, its epoch only rises,
//! and it is never removed: a released one waits for its next holder. Expiry frees nothing.

mod error;
mod keep;
mod registry;

pub use error::LeaseError;
pub use keep::Held;
pub use registry::{Claim, Leases};
