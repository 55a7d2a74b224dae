//! Commands on the estate's hosts: here, or through ssh. Argument vectors only, and honest about a line that
//! broke in the middle.

pub mod command;
mod disk;
pub mod quote;
mod ssh;

pub use command::{Command, Said, find, run, stream};
pub use disk::free_bytes;
