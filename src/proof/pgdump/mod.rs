//! PostgreSQL custom-format dumps, read natively: header, table of contents, data blocks, rows.

mod data;
mod header;
mod rows;
mod toc;
mod wire;

pub use data::{Contents, read_all};
pub use header::{Compression, Header};
pub use rows::{CopyRows, RowCount};
pub use toc::{DataState, Entry, Section, Toc};

use super::fault::Fault;
use std::io::Read;

/// Reads header and table of contents, and nothing after them. `reader` must give the dump itself, any
/// compression around it opened.
pub fn read_toc(reader: impl Read) -> Result<Toc, Fault> {
    let mut wire = wire::Wire::new(reader);
    let header = header::read(&mut wire)?;
    toc::read(&mut wire, header)
}
