//! The settings of sessions that load a part of a dump: those of its first lines, which every one of them must have, and
//! those by which a load is quicker.

use crate::tasks::input::Stop;
use crate::tasks::pg::connect::Session;
use crate::tasks::pg::itself;

/// More is no beginning of a dump.
const LONGEST: usize = 64 << 10;

/// Whether `text` holds the whole beginning, or is more than one can be.
pub fn is_enough(text: &[u8]) -> bool {
    text.len() > LONGEST || entry(text).is_some()
}

/// Settings of the sessions that load parts of this dump. `None`: its text says nothing of where its parts begin, or it
/// is in an encoding in which the server's own words could not be read.
pub fn of(text: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(&text[..entry(text)?]).ok()?;
    let is_dump = head.lines().any(|line| line == "-- PostgreSQL database dump");
    let is_utf8 = head.lines().any(|line| line == "SET client_encoding = 'UTF8';");
    if !is_dump || !is_utf8 {
        return None;
    }
    let mut settings = String::new();
    for line in head.lines().map(str::trim_end) {
        if line.starts_with("SET ") || line == "SELECT pg_catalog.set_config('search_path', '', false);" {
            settings.push_str(line);
            settings.push('\n');
        } else if !line.is_empty()
            && !line.starts_with("--")
            && !line.starts_with("\\restrict ")
            && !itself::is_statement(line)
        {
            return None;
        }
    }
    Some(settings)
}

/// Most memory that one session takes to build an index, in kB.
const MOST_MEMORY: i64 = 1 << 20;

/// What makes `jobs` sessions quicker on this server. Commits need not wait for the disk: the one that marks the side
/// database as restored does, and everything before it is on the disk with it.
pub async fn quicker(session: &Session, jobs: usize) -> Result<String, Stop> {
    let sql = "SELECT (SELECT setting::bigint * 8 FROM pg_settings WHERE name = 'shared_buffers'), \
               (SELECT setting::bigint FROM pg_settings WHERE name = 'maintenance_work_mem'), \
               current_setting('server_version_num')::int";
    let row = session.row("looking at the server's memory settings", sql, &[]).await?;
    let (buffers, memory, version): (i64, i64, i32) = (row.get(0), row.get(1), row.get(2));
    let mut settings = "SET synchronous_commit = off;\n".to_owned();
    // The server's own cache says how large the machine is; as much again, for all sessions together.
    let share = (buffers / i64::try_from(jobs).unwrap_or(i64::MAX)).min(MOST_MEMORY);
    if share > memory {
        settings.push_str(&format!("SET maintenance_work_mem = {share};\n"));
    }
    // Compiling the one query of a foreign key's check takes longer than it saves.
    if version >= 110_000 {
        settings.push_str("SET jit = off;\n");
    }
    Ok(settings)
}

/// Where the comment of the first entry begins.
fn entry(text: &[u8]) -> Option<usize> {
    let starts = ["\n-- Name: ", "\n-- Data for Name: ", "\n-- PostgreSQL database dump complete"];
    starts.iter().filter_map(|start| memchr::memmem::find(text, start.as_bytes())).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped by pg_dump version 15.8\n\n\
        SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n\
        SELECT pg_catalog.set_config('search_path', '', false);\nSET row_security = off;\n\n--\n";

    #[test]
    fn settings_of_a_dump() {
        let text =
            format!("{HEAD}-- Name: t; Type: TABLE; Schema: public; Owner: bob\n--\n\nCREATE TABLE t (a int);\n");
        assert!(!is_enough(HEAD.as_bytes()) && is_enough(text.as_bytes()));
        assert_eq!(
            of(text.as_bytes()).unwrap(),
            "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n\
             SELECT pg_catalog.set_config('search_path', '', false);\nSET row_security = off;\n"
        );
        assert_eq!(of(text.replace("UTF8", "LATIN1").as_bytes()), None);
        assert_eq!(of(text.replace("-- PostgreSQL database dump", "-- mine").as_bytes()), None);
        assert_eq!(of(text.replace("SET row_security = off;", "DROP TABLE t;").as_bytes()), None);
    }

    #[test]
    fn other_text_is_no_dump() {
        let text = "CREATE TABLE t (a int);\n".repeat(10_000);
        assert!(is_enough(text.as_bytes()));
        assert_eq!(of(text.as_bytes()), None);
    }
}
