//! A crontab as text: its jobs, and the mark in front of a line that keeps it from running. Pure; every byte that is
//! not a mark stays as it was.

use crate::model::time::Timestamp;
use chrono_tz::Tz;
use std::str::FromStr as _;

/// Longest crontab that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// To cron a comment; to us, whose it is and since when.
const MARK: &str = "#relight-paused run=";
const END: &str = " | ";

/// One job of a crontab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of its line, from 0.
    pub number: usize,
    /// `0 2 * * *` or `@daily`.
    pub when: String,
    pub command: String,
    /// `CRON_TZ` above it.
    pub zone: Option<String>,
    pub paused: Option<Paused>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paused {
    pub run: String,
    pub at: String,
}

/// The jobs of a crontab. Those of the system name a user before the command.
pub fn entries(bytes: &[u8], of_system: bool) -> Vec<Entry> {
    let mut zone = None;
    let mut found = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let text = String::from_utf8_lossy(line);
        let (paused, text) = unmarked(&text);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = assignment(text) {
            if name == "CRON_TZ" {
                zone = Some(value.to_owned());
            }
            continue;
        }
        let fields = if text.starts_with('@') { 1 } else { 5 };
        let Some((when, rest)) = split(text, fields) else { continue };
        let Some((_, command)) = (if of_system { split(rest, 1) } else { Some(("", rest)) }) else { continue };
        found.push(Entry { number, when: when.to_owned(), command: command.to_owned(), zone: zone.clone(), paused });
    }
    found
}

/// The mark of a paused line, and the line.
fn unmarked(text: &str) -> (Option<Paused>, &str) {
    let parts = || {
        let (mark, line) = text.strip_prefix(MARK)?.split_once(END)?;
        let (run, at) = mark.split_once(" at=")?;
        Some((Paused { run: run.to_owned(), at: at.to_owned() }, line))
    };
    parts().map_or((None, text), |(paused, line)| (Some(paused), line))
}

/// `NAME = value`; a job's first field never is a name.
fn assignment(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim().trim_matches(['"', '\'']);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (name, value.trim().trim_matches(['"', '\''])))
}

/// The first `count` words as they stand, and what follows them.
fn split(text: &str, count: usize) -> Option<(&str, &str)> {
    let mut at = 0;
    for _ in 0..count {
        let word = text[at..].find(|c: char| !c.is_whitespace())? + at;
        at = text[word..].find(char::is_whitespace)? + word;
    }
    Some((text[..at].trim(), text[at..].trim_start()))
}

/// The crontab with a mark before one line.
pub fn pause(bytes: &[u8], number: usize, run: &str, at: Timestamp) -> Vec<u8> {
    let mark = format!("{MARK}{run} at={}{END}", at.format("%Y-%m-%dT%H:%M:%SZ"));
    edit(bytes, number, |line| [mark.as_bytes(), line].concat())
}

/// The crontab without the mark of one line.
pub fn resume(bytes: &[u8], number: usize) -> Vec<u8> {
    edit(bytes, number, |line| {
        let text = String::from_utf8_lossy(line);
        let marked = text.starts_with(MARK);
        let mark = line.windows(END.len()).position(|window| window == END.as_bytes()).filter(|_| marked);
        mark.map_or_else(|| line.to_vec(), |mark| line[mark + END.len()..].to_vec())
    })
}

fn edit(bytes: &[u8], number: usize, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines: Vec<Vec<u8>> = lines.map(|(at, line)| if at == number { change(line) } else { line.to_vec() }).collect();
    lines.join(&b'\n')
}

/// When it runs next after `now`, and when it should have run last. `None` for what runs at no set time (`@reboot`).
pub fn around(when: &str, zone: Tz, now: Timestamp) -> Result<Option<(Timestamp, Timestamp)>, String> {
    if when.eq_ignore_ascii_case("@reboot") {
        return Ok(None);
    }
    let cron = croner::Cron::from_str(when).map_err(|error| format!("`{when}` is not understood: {error}"))?;
    let local = now.with_timezone(&zone);
    let next = cron.find_next_occurrence(&local, false).map_err(|error| error.to_string())?;
    let last = cron.find_previous_occurrence(&local, true).map_err(|error| error.to_string())?;
    Ok(Some((next.to_utc(), last.to_utc())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"# backups\nMAILTO = \"ops\"\r\n 0 2 * * *\t/opt/backup.sh --db=orders  >> /var/log/b 2>&1\n\
                           @daily /opt/sync \xff.sh\nCRON_TZ=Europe/Berlin\n30 3 1,15 * Mon /opt/prune\n#0 1 * * * off";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn jobs_are_read_and_settings_are_not_taken_for_jobs() {
        let found = entries(TABLE, false);
        let whens: Vec<&str> = found.iter().map(|entry| entry.when.as_str()).collect();
        assert_eq!(whens, ["0 2 * * *", "@daily", "30 3 1,15 * Mon"]);
        assert_eq!(found[0].command, "/opt/backup.sh --db=orders  >> /var/log/b 2>&1");
        assert_eq!((found[0].zone.as_deref(), found[2].zone.as_deref()), (None, Some("Europe/Berlin")));
        let system = entries(b"17 * * * * root cd / && run\n", true);
        assert_eq!(system[0].command, "cd / && run");
    }

    #[test]
    fn a_paused_line_comes_back_byte_for_byte() {
        for entry in entries(TABLE, false) {
            let paused = pause(TABLE, entry.number, "run-1", at("2026-03-01T02:00:00Z"));
            let seen = entries(&paused, false);
            let mine = seen.iter().find(|found| found.number == entry.number).unwrap();
            assert_eq!(mine.paused.as_ref().map(|paused| paused.run.as_str()), Some("run-1"));
            assert_eq!((&mine.when, &mine.command), (&entry.when, &entry.command));
            assert!(paused.split(|b| *b == b'\n').nth(entry.number).unwrap().starts_with(b"#"), "cron skips it");
            assert_eq!(resume(&paused, entry.number), TABLE);
        }
        assert_eq!(resume(TABLE, 2), TABLE, "a line that is not paused stays as it is");
    }

    #[test]
    fn both_days_are_an_or_and_the_zone_counts() {
        // The first of a month, or a Monday; 2026-03-02 is a Monday.
        let (next, last) = around("30 3 1,15 * Mon", Tz::UTC, at("2026-03-01T12:00:00Z")).unwrap().unwrap();
        assert_eq!((next, last), (at("2026-03-02T03:30:00Z"), at("2026-03-01T03:30:00Z")));
        let (next, _) = around("0 2 * * *", Tz::Europe__Berlin, at("2026-07-01T12:00:00Z")).unwrap().unwrap();
        assert_eq!(next, at("2026-07-02T00:00:00Z"));
        assert_eq!(around("@reboot", Tz::UTC, at("2026-07-01T12:00:00Z")).unwrap(), None);
        assert!(around("61 * * * *", Tz::UTC, at("2026-07-01T12:00:00Z")).is_err());
    }
}
