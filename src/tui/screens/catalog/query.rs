//! The filter language: words that must all occur, `column:value`, and `!` for without.

use crate::model::backup::Backup;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub not: bool,
    pub column: Option<Column>,
    /// Lower case.
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Asset,
    Kind,
    Store,
    Proof,
    Content,
    Id,
    Path,
}

const COLUMNS: [(&str, Column); 7] = [
    ("asset", Column::Asset),
    ("kind", Column::Kind),
    ("store", Column::Store),
    ("proof", Column::Proof),
    ("content", Column::Content),
    ("id", Column::Id),
    ("path", Column::Path),
];

/// A filter text as terms. An unknown column is an ordinary word with a colon in it.
pub fn parse(text: &str) -> Vec<Term> {
    text.to_lowercase().split_whitespace().filter_map(term).collect()
}

fn term(word: &str) -> Option<Term> {
    let (not, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
    let column = word.split_once(':').and_then(|(name, value)| {
        let (_, column) = COLUMNS.iter().find(|(known, _)| *known == name)?;
        Some((*column, value))
    });
    let (column, value) = column.map_or((None, word), |(column, value)| (Some(column), value));
    // A column whose value is not typed yet, or a lone `!`, excludes nothing.
    (!value.is_empty()).then(|| Term { not, column, value: value.to_owned() })
}

/// Whether whatever fits `new` also fits `old`, so that the old result can be narrowed.
pub fn narrows(old: &[Term], new: &[Term]) -> bool {
    old.iter().all(|term| {
        new.iter().any(|other| {
            other.not == term.not
                && other.column == term.column
                && if term.not { term.value == other.value } else { other.value.contains(&term.value) }
        })
    })
}

impl Term {
    /// Whether a column's value fits; `None` for a term about the whole row.
    pub fn fits_column(&self, backup: &Backup) -> Option<bool> {
        let has = |text: &str| contains(text, &self.value);
        let found = match self.column? {
            Column::Asset => has(backup.asset.as_str()),
            Column::Kind => has(&backup.kind.to_string()),
            Column::Store => backup.copies.iter().any(|copy| has(copy.store.as_str())),
            Column::Proof => has(&crate::tui::format::proof(backup.proof.as_deref()).0),
            Column::Content => backup.content.as_ref().is_some_and(|content| has(&content.to_string())),
            Column::Id => has(backup.id.as_str()),
            Column::Path => backup.copies.iter().any(|copy| has(&copy.path)),
        };
        Some(found != self.not)
    }
}

/// Whether `text` holds the lower-case `word` in any case.
fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let word = word.as_bytes();
        return text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    }
    text.to_lowercase().contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_columns_and_negation_are_read() {
        let terms = parse("Orders !kind:log asset: weird:thing !");
        assert_eq!(terms.len(), 3);
        assert_eq!((terms[0].value.as_str(), terms[0].not), ("orders", false));
        assert_eq!((terms[1].column, terms[1].not), (Some(Column::Kind), true));
        assert_eq!((terms[2].column, terms[2].value.as_str()), (None, "weird:thing"));
    }

    #[test]
    fn typing_on_narrows_and_deleting_does_not() {
        assert!(narrows(&parse("or"), &parse("ord")));
        assert!(narrows(&parse("ord"), &parse("ord full")));
        assert!(!narrows(&parse("ord"), &parse("or")));
        assert!(!narrows(&parse("!lo"), &parse("!log")));
        assert!(narrows(&[], &parse("x")));
    }
}
