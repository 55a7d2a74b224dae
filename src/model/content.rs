//! What the bytes of a backup really are, by magic bytes and never by name.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The innermost form of an artefact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// SQL text as `pg_dump --format=plain` writes it.
    PlainSql,
    /// PostgreSQL custom-format dump (`PGDMP`).
    PgCustom,
    /// tar archive.
    Tar,
    /// Redis RDB.
    Rdb,
    /// Redis append-only file.
    Aof,
    /// OpenPGP message: sealed, its content cannot be read without the key.
    OpenPgp,
    /// age file: sealed, likewise.
    Age,
    /// PostgreSQL WAL segment.
    WalSegment,
    Json,
    Csv,
    Text,
    /// A folder of objects (physical base backup, model tree, plain tree).
    Tree,
    Empty,
    /// None of the known forms.
    Unknown,
}

/// A compression around the form, or an encryption that was opened with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrapping {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
    OpenPgp,
    Age,
}

impl Wrapping {
    /// It is an encryption and needs a key.
    pub const fn is_seal(self) -> bool {
        matches!(self, Wrapping::OpenPgp | Wrapping::Age)
    }
}

impl Form {
    /// The encryption that hides everything else.
    pub const fn seal(self) -> Option<Wrapping> {
        match self {
            Form::OpenPgp => Some(Wrapping::OpenPgp),
            Form::Age => Some(Wrapping::Age),
            _ => None,
        }
    }
}

/// A form with its compressions, outermost first: a custom dump gzipped again is `[Gzip] PgCustom`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Content {
    pub wrapped: Vec<Wrapping>,
    pub form: Form,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Form::PlainSql => "plain SQL",
            Form::PgCustom => "custom dump",
            Form::Tar => "tar",
            Form::Rdb => "RDB",
            Form::Aof => "AOF",
            Form::OpenPgp => "OpenPGP",
            Form::Age => "age",
            Form::WalSegment => "WAL",
            Form::Json => "JSON",
            Form::Csv => "CSV",
            Form::Text => "text",
            Form::Tree => "tree",
            Form::Empty => "empty",
            Form::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Wrapping::Gzip => "gzip",
            Wrapping::Zstd => "zstd",
            Wrapping::Bzip2 => "bzip2",
            Wrapping::Xz => "xz",
            Wrapping::Lz4 => "lz4",
            Wrapping::OpenPgp => "OpenPGP",
            Wrapping::Age => "age",
        })
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.form.to_string();
        for wrapping in self.wrapped.iter().rev() {
            text.push_str(" + ");
            text.push_str(&wrapping.to_string());
        }
        f.pad(&text)
    }
}
