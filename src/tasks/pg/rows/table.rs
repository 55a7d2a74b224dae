//! A table as both databases must have it: its columns, and the key by which its rows are told apart.

use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::input::Stop;
use crate::tasks::pg::connect::Session;
use crate::tasks::pg::names::ident;

/// Most tables of one merge.
const MOST: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    kind: String,
    pub key: bool,
    /// The server computes it.
    generated: bool,
    /// `GENERATED ALWAYS AS IDENTITY`: may be given to a new row, never to one that is there.
    pub always: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub schema: String,
    pub name: String,
    columns: Vec<Column>,
}

/// `users, sales.orders` as pairs of schema and name; without a schema it is `public`.
pub fn names(text: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut names = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let (schema, name) = word.split_once('.').unwrap_or(("public", word));
        let pair = (schema.to_owned(), name.to_owned());
        if name.contains('.') || schema.is_empty() || name.is_empty() || names.contains(&pair) {
            return Err(Failure::new(format!("`{}` cannot be read as a table, or stands twice", escaped(word)))
                .means("nothing was done")
                .next("write table names with commas between: users, sales.orders"));
        }
        names.push(pair);
    }
    if names.is_empty() || names.len() > MOST {
        return Err(Failure::new(format!("1 to {MOST} tables are wanted, {} are named", names.len()))
            .means("nothing was done")
            .next("name the tables to bring back, parents before children"));
    }
    Ok(names)
}

impl Table {
    /// As one database has it; `None` if it has no such table.
    async fn read(session: &Session, schema: &str, name: &str) -> Result<Option<Self>, Stop> {
        let rows = session
            .rows(
                "reading the columns of a table",
                "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attgenerated::text <> '', \
                 a.attidentity::text = 'a', EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid \
                 AND x.indisprimary AND a.attnum = ANY (x.indkey)) \
                 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') AND a.attnum > 0 \
                 AND NOT a.attisdropped ORDER BY a.attname",
                &[&schema, &name],
            )
            .await?;
        let column = |row: &tokio_postgres::Row| Column {
            name: row.get(0),
            kind: row.get(1),
            generated: row.get(2),
            always: row.get(3),
            key: row.get(4),
        };
        let columns: Vec<Column> = rows.iter().map(column).collect();
        let found = Self { schema: schema.to_owned(), name: name.to_owned(), columns };
        Ok((!found.columns.is_empty()).then_some(found))
    }

    /// As both databases have it. A table that differs, is missing, or has no key is refused.
    pub async fn of_both(live: &Session, side: &Session, (schema, name): &(String, String)) -> Result<Self, Stop> {
        let refused = |what: &str| {
            Stop::from(
                Failure::new(format!("table `{}` {what}", escaped(&format!("{schema}.{name}"))))
                    .means("its rows cannot be brought back one by one; nothing was changed")
                    .next("leave it out, or restore the whole database"),
            )
        };
        let Some(there) = Self::read(side, schema, name).await? else { return Err(refused("is not in the backup")) };
        let Some(here) = Self::read(live, schema, name).await? else {
            return Err(refused("is not in the live database"));
        };
        if here != there {
            return Err(refused("has other columns now than in the backup"));
        }
        if !here.columns.iter().any(|column| column.key) {
            return Err(refused("has no primary key"));
        }
        Ok(here)
    }

    pub fn shown(&self) -> String {
        escaped(&format!("{}.{}", self.schema, self.name)).into_owned()
    }

    /// Quoted, for SQL.
    pub fn full(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }

    /// Columns that rows are made of; what the server computes is not among them.
    pub fn stored(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    /// `"a", "b"` with `prefix` before each name.
    pub fn list(&self, prefix: &str) -> String {
        let names: Vec<String> = self.stored().map(|column| format!("{prefix}{}", ident(&column.name))).collect();
        names.join(", ")
    }

    pub fn key_list(&self, prefix: &str) -> String {
        let keys = self.columns.iter().filter(|column| column.key);
        let names: Vec<String> = keys.map(|column| format!("{prefix}{}", ident(&column.name))).collect();
        names.join(", ")
    }

    /// The same key in `t` and `s`.
    pub fn same_key(&self) -> String {
        let keys = self.columns.iter().filter(|column| column.key).map(|column| ident(&column.name));
        let pairs: Vec<String> = keys.map(|name| format!("t.{name} = s.{name}")).collect();
        pairs.join(" AND ")
    }

    /// Other content in `t` than in `s`, whatever the types of its columns.
    pub fn differs(&self) -> String {
        format!("ROW({})::text IS DISTINCT FROM ROW({})::text", self.list("t."), self.list("s."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_with_or_without_a_schema() {
        let pair = |schema: &str, name: &str| (schema.to_owned(), name.to_owned());
        assert_eq!(names("users, sales.orders").unwrap(), [pair("public", "users"), pair("sales", "orders")]);
        for bad in ["", " , ", "a.b.c", "users, users", "public.users,users", ".x", "x."] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
