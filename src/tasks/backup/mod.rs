//! From a finished file of the run to a backup that the catalog shows: where it belongs, how it gets there,
//! and the proof that it is there.

pub mod confirm;
pub mod destination;
pub mod discard;
mod place;
pub mod publish;
