//! One reader per form: each reads the decoded content to its end and says what it holds.

pub mod images;
pub mod json;
pub mod openpgp;
pub mod plain_sql;
pub mod rdb;
pub mod sql_text;
pub mod tar;
pub mod text;
pub mod wal;
