//! Where clients go: a file that names the writable server, or a record in DNS. What was said before is kept.

pub mod dns;
pub mod file;
pub mod point;
pub mod point_back;
