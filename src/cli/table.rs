//! Aligned columns of text.

use super::output::{Output, Tone};
use crate::model::text::escaped;
use std::io;
use unicode_width::UnicodeWidthStr;

/// One cell; its text is escaped when it is made.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: escaped(text.as_ref()).into_owned(), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// Rows below headings. A heading that begins with `>` aligns its column to the right.
#[derive(Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn print(&self, out: &mut Output) -> io::Result<()> {
        let names: Vec<&str> = self.headings.iter().map(|heading| heading.trim_start_matches('>')).collect();
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
            cells.chain([names[column].width()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..names.len()).map(widest).collect();
        let heading: Vec<Cell> = names.iter().map(|name| Cell::new(Tone::Quiet, name)).collect();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let fill = " ".repeat(widths.get(column).map_or(0, |width| width - cell.text.width()));
                let text = out.toned(cell.tone, &cell.text);
                let right = self.headings.get(column).is_some_and(|heading| heading.starts_with('>'));
                let last = column + 1 == row.len();
                match (right, last) {
                    (true, _) => line.extend([fill, text]),
                    (false, true) => line.push_str(&text),
                    (false, false) => line.extend([text, fill]),
                }
                if !last {
                    line.push_str("  ");
                }
            }
            out.line(&line)?;
        }
        Ok(())
    }
}
