//! TOML read with places: every value knows its line, every problem is collected, nothing stops at
//! the first mistake.
//!
//! A reader takes all keys of a table, then builds its value. What it never asked for is unknown and is
//! reported with the nearest name that it did ask for; so take every key before the first `?`.
//!
//! ```
//! use relight::located::{self, Fields, Located, Problem};
//! use std::time::Duration;
//!
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! enum Kind { Local, S3 }
//!
//! #[derive(Debug)]
//! struct Store { id: String, kind: Kind, timeout: Duration }
//!
//! fn store(fields: &mut Fields<'_>) -> Option<Store> {
//!     let id = fields.required::<Located<String>>("id");
//!     let kind = fields.need("type").and_then(|item| item.choice(&[("local", Kind::Local), ("s3", Kind::S3)]));
//!     let timeout = fields.optional::<Duration>("timeout").unwrap_or(Duration::from_secs(30));
//!     if let Some(id) = id.as_ref().filter(|id| id.contains(' ')) {
//!         fields.report(Problem::at(&id.place, "an id holds no spaces").help("write it with `-`"));
//!     }
//!     Some(Store { id: id?.value, kind: kind?, timeout })
//! }
//!
//! let read = |text| located::read("stores.toml", text, |root| Some(root.tables("stores", store)));
//! let stores = read("[[stores]]\nid = 'a'\ntype = 's3'\ntimeout = '5m'\n").unwrap();
//! assert_eq!(stores[0].kind, Kind::S3);
//!
//! let problems = read("[[stores]]\nid = 'a b'\ntype = 's4'\ntimout = '5m'\n").unwrap_err();
//! assert_eq!(problems.len(), 3);
//! assert!(problems.to_string().contains("stores.toml:3:8"));
//! assert!(problems.to_string().contains("did you mean `timeout`?"));
//! ```

mod fields;
pub mod folder;
mod item;
mod nearest;
mod place;
mod problem;
mod read;

pub use fields::Fields;
pub use item::{Item, Read};
pub use nearest::nearest;
pub use place::{Located, Place};
pub use problem::{Problem, Problems};
pub use read::{read, read_file};
