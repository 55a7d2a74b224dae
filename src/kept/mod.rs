//! Files of lines that are only ever appended to: what was once written is never lost, and what a dying
//! writer tore hides nothing else.

mod lines;

pub use lines::{Broken, Line, Lines, Turn};
