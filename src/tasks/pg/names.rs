//! Names and texts as SQL, and the mark by which a database is known to be ours.

use crate::model::task::Failure;
use crate::model::text::escaped;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest name that PostgreSQL keeps whole, in bytes.
pub const NAME_BYTES: usize = 63;

/// `name` as an SQL identifier, always quoted.
pub fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as an SQL string, whatever the server's setting for backslashes.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// `dbname=…` as a connection string: a bare name with `=` in it would be read as one.
pub fn conninfo(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Refuses what the server would cut or cannot hold.
pub fn check_name(name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Failure::new(format!("`{}` cannot be a database name", escaped(name)))
            .means("PostgreSQL would cut or refuse it; nothing was done")
            .next(format!("choose a name of 1 to {NAME_BYTES} bytes without control characters")));
    }
    Ok(())
}

/// State of a database that a run made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarkState {
    /// Made, empty or being loaded.
    Made,
    /// Loaded wholly from stored bytes with this SHA-256.
    Restored(String),
    /// The former live database, set aside for one restored from bytes with this SHA-256. Never dropped.
    Aside(String),
}

/// The comment that a run puts on a database that it made. Nothing without it is ever dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub run: String,
    pub state: MarkState,
}

impl Mark {
    pub fn made(run: &str) -> Self {
        Self { run: run.to_owned(), state: MarkState::Made }
    }

    pub fn parse(comment: &str) -> Option<Self> {
        let mut words = comment.strip_prefix("relight ")?.split_ascii_whitespace();
        let run = words.next()?.strip_prefix("run=")?.to_owned();
        let state = match words.next()? {
            "state=made" => MarkState::Made,
            word => match word.split_once('=')? {
                ("restored", sha256) => MarkState::Restored(sha256.to_owned()),
                ("aside", sha256) => MarkState::Aside(sha256.to_owned()),
                _ => return None,
            },
        };
        words.next().is_none().then_some(Self { run, state })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            MarkState::Made => write!(f, "relight run={} state=made", self.run),
            MarkState::Restored(sha256) => write!(f, "relight run={} restored={sha256}", self.run),
            MarkState::Aside(sha256) => write!(f, "relight run={} aside={sha256}", self.run),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        assert_eq!(ident("a\"; drop database b; --"), "\"a\"\"; drop database b; --\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
        assert_eq!(conninfo("host=evil'\\"), "dbname='host=evil\\'\\\\'");
        assert!(check_name(&"x".repeat(64)).is_err());
        assert!(check_name("a\nb").is_err());
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        for state in [MarkState::Made, MarkState::Restored("ab12".into()), MarkState::Aside("ab12".into())] {
            let mark = Mark { run: "r1".into(), state };
            assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        }
        assert_eq!(Mark::parse("relight run=r1 state=made and more"), None);
        assert_eq!(Mark::parse("orders of the shop"), None);
    }
}
