//! A pair of PostgreSQL servers, one following the other: who is what, what would be lost, and the change of
//! roles. Nothing here takes silence for an answer.

pub mod answers;
pub mod caught_up;
pub mod fence;
pub mod home;
pub mod identity;
pub mod look;
pub mod loss;
pub mod primary_down;
pub mod promote;
pub mod rejoin;
pub mod roles;
pub mod standby_wait;
pub mod unfence;
pub mod writable;
