//! From a finished file of the run to a backup that the catalog shows: where it belongs, how it gets there,
//! and the proof that it is there. And the other end: what retention lets go, removed object by object.

mod archive;
pub mod confirm;
pub mod destination;
pub mod discard;
pub mod expire;
pub mod expire_target;
pub mod expired;
pub mod expiring;
mod expiry;
pub mod naming;
pub mod objects;
pub mod place;
pub mod publish;
pub mod publish_folder;
pub mod rescan;
pub mod written;
