//! Where clients go: a file that names the writable server, a record in DNS, or PgBouncer. What was said before is
//! kept.

pub mod dns;
pub mod file;
pub mod gone;
pub mod point;
pub mod point_back;
pub mod pooler;
pub mod remove;
