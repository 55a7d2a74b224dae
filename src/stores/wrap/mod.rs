//! Wrappers: each is a store around a store and adds one thing.

mod ahead;
mod deadline;
mod faulty;
mod limit;
mod retry;
mod shared;

pub use ahead::Ahead;
pub use deadline::{Deadline, SLOWEST};
pub use faulty::{Fault, Faulty, Operation};
pub use limit::Limit;
pub use retry::{Retry, RetryPolicy};
