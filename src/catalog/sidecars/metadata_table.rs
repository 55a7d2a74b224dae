//! The table `backup_metadata` as someone took it out of its database: CSV or tab-separated with a header,
//! what `psql` prints as a table, or the `COPY` block of a dump.

use super::told::{About, Told, lossy};
use crate::catalog::sighting::base_name;
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct MetadataTable {
    /// The last row of each file, by the last part of its name: column and value.
    rows: HashMap<String, Vec<(String, String)>>,
    unread: u64,
}

const FILE: &str = "backup_file";
/// More columns than such a table has.
const COLUMNS: usize = 64;

impl MetadataTable {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = lossy(bytes);
        let mut lines = text.lines();
        let (form, columns) =
            lines.by_ref().find_map(header).ok_or("it has no line that names the column `backup_file`")?;
        let mut table = Self { rows: HashMap::new(), unread: 0 };
        for line in lines {
            if line.trim() == "\\." {
                break;
            }
            // The line under the header of a printed table, its last line, and blank ones.
            if line.trim().is_empty() || line.chars().all(|c| "-+ ".contains(c)) || line.trim_start().starts_with('(') {
                continue;
            }
            let values = form.split(line);
            if values.len() != columns.len() {
                table.unread += 1;
                continue;
            }
            let row: Vec<(String, String)> =
                columns.iter().cloned().zip(values).filter(|(_, value)| !value.is_empty()).collect();
            if let Some(file) = value(&row, FILE) {
                table.rows.insert(base_name(file).to_owned(), row);
            }
        }
        Ok(table)
    }

    /// `None` where no row is about the backup: rows outlive their files and begin late.
    pub(super) fn about(&self, about: &About<'_>) -> Option<Told> {
        let row = self.rows.get(about.name())?;
        let mut told = Told::default();
        for (column, value) in row.iter().filter(|(column, _)| column != FILE) {
            told.fact(column.as_str(), value);
        }
        if self.unread > 0 {
            told.warnings.push(format!("{} rows could not be read", self.unread));
        }
        if let Some(size) = value(row, "backup_size").and_then(|s| s.parse::<u64>().ok())
            && size != about.size
        {
            told.disagree(format!("its row says {size} bytes, the object has {}", about.size));
        }
        let status = value(row, "status").unwrap_or_default();
        if ["fail", "error", "abort"].iter().any(|word| status.to_ascii_lowercase().contains(word)) {
            told.disagree(format!("its row says that the backup ended as `{status}`"));
        } else if value(row, "end_time").is_none() {
            told.warnings.push(format!("its row was never closed (status `{status}`): it tells nothing of the end"));
        }
        let is_sum = |sum: &&str| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
        told.sha256 = value(row, "checksum").filter(is_sum).map(str::to_ascii_lowercase);
        Some(told)
    }
}

fn value<'r>(row: &'r [(String, String)], column: &str) -> Option<&'r str> {
    row.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str())
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Csv,
    Tabs,
    /// Columns between bars, as `psql` prints them.
    Bars,
}

/// The line that names the columns, in any of the forms.
fn header(line: &str) -> Option<(Form, Vec<String>)> {
    let copied = line.strip_prefix("COPY ").and_then(|rest| rest.split_once('(')?.1.split_once(')'));
    let (form, columns) = match copied {
        Some((columns, end)) if end.contains("FROM stdin") => (Form::Tabs, Form::Csv.split(columns)),
        Some(_) => return None,
        None => {
            let form = [('\t', Form::Tabs), ('|', Form::Bars)].into_iter().find(|(mark, _)| line.contains(*mark));
            let form = form.map_or(Form::Csv, |(_, form)| form);
            (form, form.split(line))
        }
    };
    (columns.len() <= COLUMNS && columns.iter().any(|c| c == FILE)).then_some((form, columns))
}

impl Form {
    fn split(self, line: &str) -> Vec<String> {
        match self {
            Form::Csv => csv(line),
            Form::Bars => line.split('|').take(COLUMNS + 1).map(|v| v.trim().to_owned()).collect(),
            Form::Tabs => {
                let null = |v: &str| if v == "\\N" { String::new() } else { v.trim().to_owned() };
                line.split('\t').take(COLUMNS + 1).map(null).collect()
            }
        }
    }
}

/// Values between commas, in quotes where they need them.
fn csv(line: &str) -> Vec<String> {
    let (mut values, mut value, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => value.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => {
                if values.len() > COLUMNS {
                    return values;
                }
                values.push(std::mem::take(&mut value).trim().to_owned());
            }
            c => value.push(c),
        }
    }
    values.push(value.trim().to_owned());
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::backup::BackupKind;

    fn told(table: &str, size: u64) -> Option<Told> {
        MetadataTable::parse(table.as_bytes()).unwrap().about(&About {
            path: "daily/app_20240115_020000.sql.gz",
            kind: BackupKind::Full,
            stamp: Some("20240115_020000"),
            size,
            objects: 1,
            members: None,
            sidecar: "daily/backup_metadata.csv",
            sidecar_size: 100,
        })
    }

    const PRINTED: &str = " id | backup_type | backup_file | backup_size | end_time | status \n\
        ----+-------------+-------------+-------------+----------+--------\n  \
        1 | full | /backup/app_20240115_020000.sql.gz | 7 | 2024-01-15 02:10:00+00 | completed\n(1 row)\n";
    const DUMPED: &str = "--\n-- PostgreSQL database dump\n--\n\
        COPY public.backup_metadata (id, backup_type, backup_file, backup_size, end_time, status) FROM stdin;\n\
        1\tfull\t/backup/app_20240115_020000.sql.gz\t7\t2024-01-15 02:10:00+00\tcompleted\n\\.\n";
    const CSV: &str = "id,backup_type,backup_file,backup_size,end_time,status\n\
        1,full,\"/backup/app_20240115_020000.sql.gz\",7,2024-01-15 02:10:00+00,completed\n";

    #[test]
    fn the_table_is_read_in_every_form_in_which_it_leaves_a_database() {
        for table in [PRINTED, DUMPED, CSV] {
            let good = told(table, 7).unwrap();
            assert_eq!((good.disagreements.len(), good.warnings.len()), (0, 0), "{table}: {good:?}");
            assert!(good.facts.contains(&("status".to_owned(), "completed".to_owned())), "{good:?}");
            assert!(told(table, 8).unwrap().disagreements[0].contains("7 bytes"));
        }
        assert!(MetadataTable::parse(b"no table\n").is_err());
    }

    #[test]
    fn a_row_that_was_never_closed_tells_nothing_and_a_failed_one_disagrees() {
        let open = told("backup_file,end_time,status\napp_20240115_020000.sql.gz,,started\n", 7).unwrap();
        assert!(open.disagreements.is_empty() && open.warnings[0].contains("never closed"), "{open:?}");
        let failed = told("backup_file,end_time,status\napp_20240115_020000.sql.gz,,failed\n", 7).unwrap();
        assert!(failed.disagreements[0].contains("`failed`"), "{failed:?}");
        assert_eq!(told("backup_file,status\nother.sql.gz,completed\n", 7), None);
    }
}
