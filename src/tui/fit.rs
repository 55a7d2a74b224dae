//! Text measured, escaped, cut and wrapped for cells: what a store says never reaches the terminal raw,
//! and a cut never falls inside an escape.

use super::glyphs::{Glyphs, ascii_for};
use crate::model::text::escaped;
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// `text` as it may be written: escaped, and in ASCII mode without any other character.
pub fn shown<'a>(text: &'a str, glyphs: &Glyphs) -> Cow<'a, str> {
    let clean = escaped(text);
    if !glyphs.ascii || clean.is_ascii() {
        return clean;
    }
    let mut out = String::with_capacity(clean.len());
    for c in clean.chars() {
        match ascii_for(c) {
            _ if c.is_ascii() => out.push(c),
            Some(instead) => out.push_str(instead),
            None => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// Columns that `text` takes once shown.
pub fn width(text: &str, glyphs: &Glyphs) -> usize {
    shown(text, glyphs).width()
}

/// The pieces between which a text may be cut: graphemes, each in its shown form.
fn pieces<'a>(text: &'a str, glyphs: &'a Glyphs) -> impl Iterator<Item = (Cow<'a, str>, usize)> + 'a {
    text.graphemes(true).map(move |grapheme| {
        let piece = shown(grapheme, glyphs);
        let columns = piece.width();
        (piece, columns)
    })
}

/// `text` shown in at most `columns`, with an ellipsis where it was cut.
pub fn fit(text: &str, columns: usize, glyphs: &Glyphs) -> String {
    let whole = shown(text, glyphs);
    if whole.width() <= columns {
        return whole.into_owned();
    }
    let Some(room) = columns.checked_sub(glyphs.ellipsis.width()) else {
        return String::new();
    };
    let mut out = String::new();
    let mut used = 0;
    for (piece, piece_columns) in pieces(text, glyphs) {
        if used + piece_columns > room {
            break;
        }
        used += piece_columns;
        out.push_str(&piece);
    }
    // Prose is cut between words, unless that would waste most of the room.
    if text.contains(' ') {
        let between = out.ends_with(' ') || text.get(out.len()..).is_some_and(|rest| rest.starts_with(' '));
        let end = out.trim_end().rfind(' ').filter(|end| out[..*end].width() * 3 >= room);
        if let Some(end) = end.filter(|_| !between) {
            out.truncate(end);
        }
        if between || end.is_some() {
            out.truncate(out.trim_end_matches(['.', ',', ';', ':', ' ']).len());
        }
    }
    out.push_str(glyphs.ellipsis);
    out
}

/// `text` broken into lines of at most `columns`, at spaces where it has any.
pub fn wrap(text: &str, columns: usize, glyphs: &Glyphs) -> Vec<String> {
    wrap_after(text, 0, columns, glyphs)
}

/// The same, where `taken` columns of the first line hold something else already.
pub fn wrap_after(text: &str, taken: usize, columns: usize, glyphs: &Glyphs) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    let mut used = taken;
    let mut gap_due = false;
    for word in words(text) {
        let word_columns = width(word, glyphs);
        let gap = usize::from(gap_due);
        if used + gap + word_columns <= columns {
            push(&mut lines, if gap_due { " " } else { "" });
            push(&mut lines, &shown(word, glyphs));
            used += gap + word_columns;
            gap_due = true;
            continue;
        }
        if used > 0 {
            lines.push(String::new());
            used = 0;
        }
        gap_due = true;
        for (piece, piece_columns) in pieces(word, glyphs) {
            if used > 0 && used + piece_columns > columns {
                lines.push(String::new());
                used = 0;
            }
            push(&mut lines, &piece);
            used += piece_columns;
        }
    }
    lines
}

/// The pieces between which a line may end: words, and spans of time such as `2d 11h`, which stay whole.
fn words(text: &str) -> Vec<&str> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    let (mut at, mut in_span) = (0, false);
    for word in text.split(' ') {
        let (start, end) = (at, at + word.len());
        at = end + 1;
        if word.is_empty() {
            continue;
        }
        let more = in_span && is_time(word.trim_end_matches([')', '.', ',', ';', ':']));
        match out.last_mut().filter(|last| more && last.1 + 1 == start) {
            Some(last) => last.1 = end,
            None => out.push((start, end)),
        }
        in_span = is_time(word.trim_start_matches('('));
    }
    out.into_iter().map(|(start, end)| &text[start..end]).collect()
}

/// `11h`, `05m`: digits and a unit.
fn is_time(word: &str) -> bool {
    let digits = word.strip_suffix(['d', 'h', 'm', 's']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: Glyphs = Glyphs::unicode();

    #[test]
    fn cuts_never_split_an_escape_or_a_wide_character() {
        assert_eq!(fit("ab\x1b[2Jcd", 6, &U), "ab…");
        assert_eq!(fit("ab\x1b[2Jcd", 7, &U), "ab\\x1b…");
        assert_eq!(fit("漢字漢字", 5, &U), "漢字…");
        assert_eq!(fit("漢字漢字", 4, &U), "漢…");
        assert_eq!(fit("abc", 3, &U), "abc");
        assert_eq!(fit("abc", 0, &U), "");
        assert_eq!(fit("Nothing was cut here", 15, &U), "Nothing was…");
        assert_eq!(fit("It went. And then it came back", 14, &U), "It went. And…");
        assert_eq!(fit("It went away. And came back", 16, &U), "It went away…");
    }

    #[test]
    fn lines_break_between_words_and_long_words_are_broken_hard() {
        assert_eq!(wrap("one two three", 7, &U), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh", 3, &U), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3, &U), [""]);
        assert_eq!(wrap("a\nb", 9, &U), ["a\\nb"]);
        assert_eq!(wrap("old: 2d 11h. The", 7, &U), ["old:", "2d 11h.", "The"]);
        assert_eq!(wrap("in 1d, 2h", 6, &U), ["in 1d,", "2h"]);
    }

    #[test]
    fn ascii_mode_shows_nothing_else() {
        let ascii = Glyphs::ascii();
        assert_eq!(shown("a → b · é", &ascii), "a -> b - \\u{e9}");
        assert_eq!(fit("abcdef", 4, &ascii), "abc~");
    }
}
