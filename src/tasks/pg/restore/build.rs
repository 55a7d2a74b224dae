//! Statements that build an index, check a foreign key or gather statistics, with the tables that they lock.
//!
//! A foreign key is added without a look at the rows, and checked afterwards: the check alone lets others build on the
//! table that it points to, and lets other keys to that table be checked.

use crate::tasks::pg::script::{identifier, qualified};

/// What an entry of a dump makes.
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

/// In this order: a foreign key needs the unique index that it points to, and its check takes one processor for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Unique indexes, and what stands on one.
    Unique,
    ForeignKey,
    Check,
    Index,
    /// Statistics, of the indexes' expressions, too.
    Analyse,
}

impl Stage {
    /// Those of one round wait for each other's locks only; a round waits for the one before it.
    pub const ROUNDS: [&'static [Self]; 3] =
        [&[Self::Unique], &[Self::ForeignKey], &[Self::Check, Self::Index, Self::Analyse]];
}

/// How a table is locked, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The table that a checked key points to: `ROW SHARE`.
    Row,
    /// The table whose key is checked, or of which statistics are gathered: `SHARE UPDATE EXCLUSIVE`.
    Update,
    /// An index is built on it: `SHARE`.
    Share,
    /// `SHARE ROW EXCLUSIVE` and above.
    Exclusive,
}

impl Lock {
    fn allows(self, other: Self) -> bool {
        matches!((self, other), (Self::Share | Self::Row, Self::Share | Self::Row))
            || matches!((self, other), (Self::Row, Self::Update) | (Self::Update, Self::Row))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    pub stage: Stage,
    pub sql: String,
    /// Lines of `sql` that are not in the dump.
    pub ahead: usize,
    /// Of its comment, in the dump.
    pub line: u64,
    /// Quoted names of the tables that it locks; first that of [`Self::table`].
    pub locks: Vec<(String, Lock)>,
}

impl Build {
    /// None where the entry does not read like one that may be worked on apart from the others.
    pub fn of(phase: Phase, entry: &[u8], line: u64, tablespace: &str) -> Vec<Self> {
        std::str::from_utf8(entry).ok().and_then(|entry| Self::read(phase, entry, line, tablespace)).unwrap_or_default()
    }

    fn read(phase: Phase, entry: &str, line: u64, tablespace: &str) -> Option<Vec<Self>> {
        let is_code = |line: &&str| !line.is_empty() && !line.starts_with("--");
        let code: Vec<&str> = entry.lines().map(str::trim_end).filter(is_code).collect();
        let code = code.join("\n");
        if !code.ends_with(';') {
            return None;
        }
        let (ahead, set) = if tablespace.is_empty() { (0, String::new()) } else { (1, format!("{tablespace}\n")) };
        let of = |stage, entry: &str, locks| Self { stage, sql: format!("{set}{entry}"), ahead, line, locks };
        if phase == Phase::Indexes {
            let (stage, table, lock) = index(&code)?;
            return Some(vec![of(stage, entry, vec![(table, lock)])]);
        }
        // Without ONLY it is a partitioned table's, and locks its partitions too.
        code.starts_with("ALTER TABLE ONLY ").then_some(())?;
        let (_, referenced) = code.split_once(") REFERENCES ")?;
        let (table, referenced) = (altered_table(&code)?, qualified(referenced)?.0);
        let both = vec![(table.clone(), Lock::Exclusive), (referenced.clone(), Lock::Exclusive)];
        let Some(check) = check(&code) else { return Some(vec![of(Stage::ForeignKey, entry, both)]) };
        let first = entry.lines().take_while(|line| !is_code(&line.trim_end())).count();
        // Up to the statement's end: comments follow, of the next entry.
        let (bare, _) = entry.rsplit_once(';')?;
        let check = Self {
            line: line + first as u64,
            ..of(Stage::Check, &check, vec![(table, Lock::Update), (referenced, Lock::Row)])
        };
        Some(vec![of(Stage::ForeignKey, &format!("{bare} NOT VALID;\n"), both), check])
    }

    /// Statistics of a table or a materialized view, by its quoted name and those of its partitions.
    pub fn analyse(tables: Vec<String>, line: u64) -> Self {
        let sql = format!("ANALYZE {};\n", tables.first().map_or("", String::as_str));
        let locks = tables.into_iter().map(|table| (table, Lock::Update)).collect();
        Self { stage: Stage::Analyse, sql, ahead: 1, line, locks }
    }

    /// The table whose size tells how long it takes.
    pub fn table(&self) -> &str {
        self.locks.first().map_or("", |(table, _)| table)
    }

    /// Whether it must wait until `other` is done.
    pub fn collides(&self, other: &Self) -> bool {
        let pairs = self.locks.iter().flat_map(|mine| other.locks.iter().map(move |theirs| (mine, theirs)));
        pairs.into_iter().any(|((table, mine), (other, theirs))| table == other && !mine.allows(*theirs))
    }
}

fn index(code: &str) -> Option<(Stage, String, Lock)> {
    let Some(table) = index_table(code) else { return Some((Stage::Unique, altered_table(code)?, Lock::Exclusive)) };
    // The table may be ordered by it, or known by it to replicas.
    let lock = if code.contains("ALTER ") { Lock::Exclusive } else { Lock::Share };
    let stage = if code.starts_with("CREATE UNIQUE ") { Stage::Unique } else { Stage::Index };
    Some((stage, table, lock))
}

/// What checks the key that `code` adds; `None` where it is to stay unchecked, or more than that is done.
fn check(code: &str) -> Option<String> {
    let (table, rest) = code.split_once("\n    ADD CONSTRAINT ")?;
    let (name, definition) = rest.split_at(rest.len() - identifier(rest)?.1.len());
    let plain = definition.starts_with(" FOREIGN KEY (") && !definition.contains(" NOT ");
    (plain && code.matches(';').count() == 1).then(|| format!("{table} VALIDATE CONSTRAINT {name};\n"))
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

    fn of(phase: Phase, code: &str) -> Vec<Build> {
        Build::of(phase, format!("-- Name: x\n--\n\n{code}\n\n\n--\n").as_bytes(), 7, "")
    }

    #[test]
    fn indexes_and_their_locks() {
        let one = |code| <[Build; 1]>::try_from(of(Phase::Indexes, code)).unwrap().into_iter().next().unwrap();
        let index = one("CREATE UNIQUE INDEX \"a ON b\" ON ONLY s.\"T\" USING btree (x);");
        assert_eq!((index.stage, &index.locks), (Stage::Unique, &vec![(full_name("s", "T"), Lock::Share)]));
        let key = one("ALTER TABLE ONLY s.\"T\"\n    ADD CONSTRAINT k PRIMARY KEY (x);");
        assert_eq!((key.stage, &key.locks), (Stage::Unique, &vec![(full_name("s", "T"), Lock::Exclusive)]));
        assert!(key.collides(&index) && index.collides(&key) && !index.collides(&index));
        let clustered = one("CREATE INDEX i ON s.t USING btree (x);\n\nALTER TABLE s.t CLUSTER ON i;");
        assert_eq!((clustered.stage, clustered.locks), (Stage::Index, vec![(full_name("s", "t"), Lock::Exclusive)]));
    }

    #[test]
    fn a_foreign_key_is_added_and_then_checked() {
        let code = "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT \"f k\" FOREIGN KEY (x) REFERENCES s.b(y) ON DELETE CASCADE DEFERRABLE;";
        let builds = of(Phase::ForeignKeys, code);
        let [added, checked] = builds.as_slice() else { panic!("{builds:?}") };
        let (a, b) = (full_name("s", "a"), full_name("s", "b"));
        assert!(added.sql.ends_with("ON DELETE CASCADE DEFERRABLE NOT VALID;\n"), "{}", added.sql);
        assert_eq!((added.line, checked.line), (7, 10), "both name the line of the dump");
        assert_eq!(checked.sql, "ALTER TABLE ONLY s.a VALIDATE CONSTRAINT \"f k\";\n");
        assert_eq!(checked.locks, [(a.clone(), Lock::Update), (b.clone(), Lock::Row)]);
        assert_eq!(added.locks, [(a.clone(), Lock::Exclusive), (b, Lock::Exclusive)]);
        let index = |table| of(Phase::Indexes, &format!("CREATE INDEX i ON {table} USING btree (x);")).remove(0);
        assert!(!checked.collides(&index("s.b")) && checked.collides(&index("s.a")) && added.collides(&index("s.b")));
        let other = of(Phase::ForeignKeys, &code.replace("s.a", "s.c")).remove(1);
        assert!(!checked.collides(&other) && checked.collides(checked));
    }

    #[test]
    fn what_is_to_stay_unchecked_or_does_more_is_left_as_it_is() {
        let unchecked = "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.b(y) NOT VALID;";
        let unenforced = unchecked.replace("NOT VALID", "NOT ENFORCED");
        for code in [
            unchecked,
            &unenforced,
            "ALTER TABLE ONLY s.a\n    ADD CONSTRAINT \"f;\" FOREIGN KEY (x) REFERENCES s.b(y);",
        ] {
            let builds = of(Phase::ForeignKeys, code);
            assert_eq!((builds.len(), builds[0].stage), (1, Stage::ForeignKey), "{code}");
            assert!(builds[0].sql.contains(code));
        }
    }

    #[test]
    fn what_does_not_read_like_a_build_is_none() {
        assert_eq!(of(Phase::Indexes, "CREATE TABLE s.t (a int);"), []);
        assert_eq!(of(Phase::Indexes, "CREATE INDEX i ON s.t USING btree (x)"), []);
        assert_eq!(of(Phase::ForeignKeys, "ALTER TABLE s.a ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES s.b(y);"), []);
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
