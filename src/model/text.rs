//! Text from stores, servers and files is hostile until escaped.

use std::borrow::Cow;

/// `text` with everything that could move a cursor, hide or reorder characters written as an escape.
///
/// Control characters become `\n`, `\t`, `\x1b`; invisible and bidirectional format characters become
/// `\u{202e}`. Plain text is borrowed unchanged.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !must_escape(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if must_escape(c) => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn must_escape(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed_and_hostile_text_is_shown() {
        assert!(matches!(escaped("orders_2026.sql.gz"), Cow::Borrowed(_)));
        assert_eq!(escaped("a\x1b[2Jb\nc"), "a\\x1b[2Jb\\nc");
        assert_eq!(escaped("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(escaped("\u{9b}31m"), "\\u{9b}31m");
    }
}
