//! Where clients go: a file that names the writable server, replaced in one move, its former content kept.

pub mod file;
pub mod file_back;
