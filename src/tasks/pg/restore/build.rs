//! A statement that builds an index or checks a foreign key, with the tables that it locks.

use crate::tasks::pg::script::{identifier, qualified};

/// What one phase makes, the next may need: a foreign key needs the unique index that it points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Indexes,
    ForeignKeys,
}

impl Phase {
    /// By the comment that introduces an entry: `-- Name: orders_pkey; Type: CONSTRAINT; Schema: public; Owner: app`.
    pub fn of_comment(line: &str) -> Option<Self> {
        match line.split("; Type: ").nth(1)?.split(';').next()? {
            "INDEX" | "CONSTRAINT" => Some(Self::Indexes),
            "FK CONSTRAINT" => Some(Self::ForeignKeys),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    pub phase: Phase,
    pub sql: String,
    /// Lines of `sql` that are not in the dump.
    pub ahead: usize,
    /// Of its comment, in the dump.
    pub line: u64,
    /// Quoted names of the tables that it locks.
    pub tables: Vec<String>,
    /// Others may build on the same table at the same time.
    pub shares: bool,
}

impl Build {
    /// `None` where the entry does not read like one that may be worked on apart from the others.
    pub fn of(phase: Phase, entry: &[u8], line: u64, tablespace: &str) -> Option<Self> {
        let entry = std::str::from_utf8(entry).ok()?;
        let code: Vec<&str> =
            entry.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with("--")).collect();
        let code = code.join("\n");
        if !code.ends_with(';') {
            return None;
        }
        let tables = match phase {
            Phase::Indexes => vec![index_table(&code).or_else(|| altered_table(&code))?],
            Phase::ForeignKeys => {
                // Without ONLY it is a partitioned table's, and locks its partitions too.
                code.starts_with("ALTER TABLE ONLY ").then_some(())?;
                let (_, referenced) = code.split_once(") REFERENCES ")?;
                vec![altered_table(&code)?, qualified(referenced)?.0]
            }
        };
        let shares = index_table(&code).is_some() && !code.contains("ALTER ");
        let (ahead, sql) = match tablespace {
            "" => (0, entry.to_owned()),
            set => (1, format!("{set}\n{entry}")),
        };
        Some(Self { phase, sql, ahead, line, tables, shares })
    }

    /// Whether it must wait until `other` is done.
    pub fn collides(&self, other: &Self) -> bool {
        !(self.shares && other.shares) && self.tables.iter().any(|table| other.tables.contains(table))
    }
}

/// `CREATE [UNIQUE] INDEX name ON [ONLY] table …`
fn index_table(code: &str) -> Option<String> {
    let rest = code.strip_prefix("CREATE INDEX ").or_else(|| code.strip_prefix("CREATE UNIQUE INDEX "))?;
    let rest = identifier(rest)?.1.strip_prefix(" ON ")?;
    Some(qualified(rest.strip_prefix("ONLY ").unwrap_or(rest))?.0)
}

/// `ALTER TABLE [ONLY] table …`
fn altered_table(code: &str) -> Option<String> {
    let rest = code.strip_prefix("ALTER TABLE ")?;
    Some(qualified(rest.strip_prefix("ONLY ").unwrap_or(rest))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::pg::script::full_name;

    fn of(phase: Phase, code: &str) -> Option<Build> {
        Build::of(phase, format!("-- Name: x\n--\n\n{code}\n\n").as_bytes(), 7, "")
    }

    #[test]
    fn tables_and_locks() {
        let index = of(Phase::Indexes, "CREATE UNIQUE INDEX \"a ON b\" ON ONLY s.\"T\" USING btree (x);").unwrap();
        assert_eq!((index.tables.clone(), index.shares), (vec![full_name("s", "T")], true));
        let key = of(Phase::Indexes, "ALTER TABLE ONLY s.\"T\"\n    ADD CONSTRAINT k PRIMARY KEY (x);").unwrap();
        assert_eq!((key.tables.clone(), key.shares), (vec![full_name("s", "T")], false));
        assert!(key.collides(&index) && index.collides(&key) && !index.collides(&index));
        let foreign = "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.b(y) ON DELETE CASCADE;";
        assert_eq!(of(Phase::ForeignKeys, foreign).unwrap().tables, [full_name("s", "a"), full_name("s", "b")]);
        let clustered = "CREATE INDEX i ON s.t USING btree (x);\n\nALTER TABLE s.t CLUSTER ON i;";
        assert!(!of(Phase::Indexes, clustered).unwrap().shares);
    }

    #[test]
    fn what_does_not_read_like_a_build_is_none() {
        assert_eq!(of(Phase::Indexes, "CREATE TABLE s.t (a int);"), None);
        assert_eq!(of(Phase::Indexes, "CREATE INDEX i ON s.t USING btree (x)"), None);
        assert_eq!(of(Phase::ForeignKeys, "ALTER TABLE s.a ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.b(y);"), None);
    }

    #[test]
    fn phases_by_their_comments() {
        let of = |kind: &str| Phase::of_comment(&format!("-- Name: x; Type: {kind}; Schema: s; Owner: o"));
        assert_eq!((of("INDEX"), of("CONSTRAINT")), (Some(Phase::Indexes), Some(Phase::Indexes)));
        assert_eq!(
            (of("FK CONSTRAINT"), of("INDEX ATTACH"), of("CHECK CONSTRAINT")),
            (Some(Phase::ForeignKeys), None, None)
        );
    }
}
