//! Parts that several screens draw with.

pub mod doc;
pub mod field;
pub mod gauge;
pub mod list;
pub mod table;
pub mod text_box;

pub use doc::{Doc, DocPane};
pub use field::Field;
pub use list::ListState;
pub use table::{Column, Row, Table, scroll_mark};
pub use text_box::TextBox;
