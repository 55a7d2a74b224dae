//! What `pg_dump --create` says of the database itself: to drop it, make it, set it, and go there. The database that a
//! run loads into is made by the run, and has another name; so these statements are left out, and nothing else is.

use super::script::identifier;

const STATEMENTS: [&str; 4] = ["DROP DATABASE ", "CREATE DATABASE ", "ALTER DATABASE ", "COMMENT ON DATABASE "];
const CONNECT: &str = "\\connect ";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Itself {
    /// The database that the dump makes.
    made: Option<String>,
}

/// Whether a line of a dump's beginning, which is no part of a string, is a statement about a database as a whole.
pub fn is_statement(line: &str) -> bool {
    let line = line.trim_end();
    let granted = (line.starts_with("GRANT ") || line.starts_with("REVOKE ")) && line.contains(" ON DATABASE ");
    line.ends_with(';') && (granted || STATEMENTS.iter().any(|start| line.starts_with(start)))
}

/// Whether the comment over an entry says that it is about a database as a whole: `Name: …; Type: …; Schema: …`.
pub fn is_entry(comment: &str) -> bool {
    comment.starts_with("Name: DATABASE ")
        || comment.contains("; Type: DATABASE; ")
        || comment.contains("; Type: DATABASE PROPERTIES; ")
}

pub fn is_connect(line: &str) -> bool {
    line.starts_with(CONNECT)
}

impl Itself {
    /// Takes note of a statement about a database.
    pub fn see(&mut self, line: &str) {
        if let Some((name, _)) = line.strip_prefix("CREATE DATABASE ").and_then(identifier) {
            self.made.get_or_insert(name);
        }
    }

    /// Whether a command goes to the database that the dump has just made: once it is made, and again once it is set. Any
    /// other leads away.
    pub fn goes_there(&self, line: &str) -> bool {
        let name = line.trim_end().strip_prefix(CONNECT).and_then(identifier).filter(|(_, rest)| rest.is_empty());
        name.is_some_and(|(name, _)| self.made.as_deref() == Some(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_to_the_made_database_is_left_out() {
        let mut itself = Itself::default();
        assert!(!itself.goes_there("\\connect orders"), "nothing was made");
        itself.see("CREATE DATABASE orders WITH TEMPLATE = template0;");
        itself.see("CREATE DATABASE other;");
        assert!(!itself.goes_there("\\connect other") && !itself.goes_there("\\connect orders evil"));
        assert!(itself.goes_there("\\connect orders\r"));
    }

    #[test]
    fn entries_of_a_database_are_told_from_what_is_in_it() {
        assert!(is_entry("Name: orders; Type: DATABASE; Schema: -; Owner: app"));
        assert!(is_entry("Name: DATABASE orders; Type: COMMENT; Schema: -; Owner: app"));
        assert!(!is_entry("Name: database; Type: TABLE; Schema: public; Owner: app"));
    }

    #[test]
    fn statements_about_a_database_are_told_from_others() {
        for line in [
            "DROP DATABASE IF EXISTS orders;",
            "ALTER DATABASE \"or ders\" SET work_mem TO '1GB';",
            "GRANT CONNECT ON DATABASE orders TO app;",
        ] {
            assert!(is_statement(line), "{line}");
        }
        for line in ["GRANT SELECT ON TABLE a TO b;", "CREATE TABLE database (a int);", "DROP DATABASE orders"] {
            assert!(!is_statement(line), "{line}");
        }
    }
}
