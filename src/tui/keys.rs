//! One key press, normalised: what terminals report in several ways is one value here.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    pub ctrl: bool,
    pub alt: bool,
}

const NAMED: [(&str, KeyCode); 13] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("shift-tab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("space", KeyCode::Char(' ')),
];

impl Key {
    /// Every key that has a name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name).chain(["page-up", "page-down"])
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a key; write for example ctrl-p, f5, enter, space, / or G")]
pub struct NotAKey(pub String);

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        let code = match event.code {
            KeyCode::Tab if shift => KeyCode::BackTab,
            KeyCode::Char(c) if ctrl => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Char(c) if shift => KeyCode::Char(c.to_uppercase().next().unwrap_or(c)),
            code => code,
        };
        Self { code, ctrl, alt }
    }
}

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let fail = || NotAKey(text.to_owned());
        let (mut ctrl, mut alt, mut rest) = (false, false, text);
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-").filter(|after| !after.is_empty()) {
                (ctrl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-").filter(|after| !after.is_empty()) {
                (alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        let code = match (NAMED.iter().find(|(name, _)| *name == rest), chars.next(), chars.next()) {
            (Some((_, code)), ..) => *code,
            (None, Some(c), None) if !c.is_whitespace() && !c.is_control() => KeyCode::Char(c),
            _ if rest == "page-up" => KeyCode::PageUp,
            _ if rest == "page-down" => KeyCode::PageDown,
            _ => {
                let number = rest.strip_prefix('f').and_then(|n| n.parse::<u8>().ok());
                KeyCode::F(number.filter(|n| (1..=12).contains(n)).ok_or_else(fail)?)
            }
        };
        Ok(Self { code, ctrl, alt })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = format!("{}{}", if self.ctrl { "ctrl-" } else { "" }, if self.alt { "alt-" } else { "" });
        let name = match self.code {
            KeyCode::F(n) => format!("f{n}"),
            KeyCode::PageUp => "page-up".to_owned(),
            KeyCode::PageDown => "page-down".to_owned(),
            code => match NAMED.iter().find(|(_, known)| *known == code) {
                Some((name, _)) => (*name).to_owned(),
                None => match code {
                    KeyCode::Char(c) => c.to_string(),
                    other => format!("{other:?}").to_lowercase(),
                },
            },
        };
        f.pad(&format!("{prefix}{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written() {
        for text in ["ctrl-p", "f5", "enter", "space", "/", "G", "shift-tab", "alt-x", "page-up", "?", "ctrl-y"] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        for text in ["", "ctrl-", "f13", "hello", "\t"] {
            assert!(text.parse::<Key>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_shifted_letter_is_its_capital_however_it_is_reported() {
        let plain: Key = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::NONE).into();
        let shifted: Key = KeyEvent::new(KeyCode::Char('g'), KeyModifiers::SHIFT).into();
        assert_eq!(plain, shifted);
    }
}
