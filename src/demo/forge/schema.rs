//! A database as its dump tells it: tables with their rows, and what is built on them.

/// One table: its definition, and its rows as `COPY` writes them.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    pub name: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
    /// Lines with tabs between columns, each with its line end.
    pub rows: &'a str,
}

/// Something that comes after the rows: a key, an index, a reference.
#[derive(Clone, Copy, Debug)]
pub struct Afterwards {
    /// `CONSTRAINT`, `INDEX`, `FK CONSTRAINT`: the words of a dump's table of contents.
    pub kind: &'static str,
    pub table: &'static str,
    pub name: &'static str,
    /// A constraint's definition, or the whole statement of an index without its end.
    pub text: &'static str,
    /// The constraint of another table that must stand before.
    pub needs: Option<&'static str>,
}

/// A view: its name and its query.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub name: &'static str,
    pub query: &'static str,
}

#[derive(Clone, Debug)]
pub struct Schema<'a> {
    pub database: &'static str,
    pub owner: &'static str,
    pub tables: Vec<Table<'a>>,
    pub views: &'static [View],
    pub afterwards: &'static [Afterwards],
}

/// The version that the dumps say they come from.
pub const SERVER_VERSION: &str = "15.8";

impl Table<'_> {
    pub fn create(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(name, kind)| format!("    {name} {kind}")).collect();
        format!("CREATE TABLE public.{} (\n{}\n);\n", self.name, columns.join(",\n"))
    }

    pub fn copy(&self) -> String {
        let columns: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        format!("COPY public.{} ({}) FROM stdin;\n", self.name, columns.join(", "))
    }
}

impl Afterwards {
    pub fn statement(&self) -> String {
        if self.kind == "INDEX" {
            return format!("{};\n", self.text);
        }
        format!("ALTER TABLE ONLY public.{}\n    ADD CONSTRAINT {} {};\n", self.table, self.name, self.text)
    }

    /// The tag of a table-of-contents entry: constraints carry their table's name.
    pub fn tag(&self) -> String {
        if self.kind == "INDEX" { self.name.to_owned() } else { format!("{} {}", self.table, self.name) }
    }
}

impl View {
    pub fn create(&self) -> String {
        format!("CREATE VIEW public.{} AS\n {};\n", self.name, self.query)
    }
}
