//! Every backup: the list, and the index that filters it as fast as one types.

pub mod index;
mod list;
mod query;

pub use list::{CatalogList, state_of};
