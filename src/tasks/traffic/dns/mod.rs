//! A DNS record that names the writable server, changed by signed dynamic update (RFC 2136). The value that is
//! replaced is a condition of the update, is kept, and what the zone's primary then says is asked for.

mod kept;
mod record;
mod wire;

pub use record::{Record, Said};
