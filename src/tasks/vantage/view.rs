//! What the places said, and what follows from all of it.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Up,
    Down,
    /// Nothing was heard, nobody could look, or the places do not agree.
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Up => "up",
            State::Down => "down",
            State::Unknown => "unknown",
        })
    }
}

/// What one place said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// `here`, `standby beta`, `host app-box`…
    pub from: String,
    pub state: State,
    /// What was seen, for people; escaped.
    pub words: String,
    /// The server itself answered, not someone who speaks of it.
    pub itself: bool,
    /// What remains unknown because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
}

impl View {
    pub fn new(from: impl Into<String>, state: State, words: impl Into<String>) -> Self {
        Self { from: from.into(), state, words: words.into(), itself: false, open: None }
    }

    #[must_use]
    pub fn by_itself(mut self) -> Self {
        self.itself = true;
        self
    }

    #[must_use]
    pub fn open(mut self, question: impl Into<String>) -> Self {
        self.open = Some(question.into());
        self
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}: {} ({})", self.from, self.state, self.words)
    }
}

/// One look from all places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    pub views: Vec<View>,
}

impl Look {
    /// Up where the server itself answered somewhere; down where somebody saw it down and nobody saw it up;
    /// unknown otherwise.
    pub fn state(&self) -> State {
        let any = |state| self.views.iter().any(|view| view.state == state);
        if self.views.iter().any(|view| view.state == State::Up && view.itself) {
            State::Up
        } else if any(State::Down) && !any(State::Up) {
            State::Down
        } else {
            State::Unknown
        }
    }

    /// Everything that nobody could say.
    pub fn open(&self) -> Vec<String> {
        let mut open: Vec<String> = self.views.iter().filter_map(|view| view.open.clone()).collect();
        open.dedup();
        open
    }

    /// The same states from the same places, whatever the words.
    pub fn is_like(&self, other: &Self) -> bool {
        let states = |look: &'_ Self| -> Vec<(String, State)> {
            look.views.iter().map(|view| (view.from.clone(), view.state)).collect()
        };
        states(self) == states(other)
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let views: Vec<String> = self.views.iter().map(ToString::to_string).collect();
        f.write_str(&views.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Down, Unknown, Up};
    use super::*;

    fn look(views: &[(State, bool)]) -> State {
        let views = views.iter().map(|(state, itself)| View { itself: *itself, ..View::new("x", *state, "") });
        Look { views: views.collect() }.state()
    }

    #[test]
    fn only_its_own_answer_is_up_and_silence_alone_is_never_down() {
        assert_eq!(look(&[(Up, true), (Down, false)]), Up, "its own answer outweighs what others lack");
        assert_eq!(look(&[(Unknown, false), (Up, false)]), Unknown, "hearsay is no answer");
        assert_eq!(look(&[(Down, false), (Up, false)]), Unknown, "the places do not agree");
        assert_eq!(look(&[(Unknown, false), (Down, false)]), Down);
        assert_eq!(look(&[(Unknown, false), (Unknown, false)]), Unknown);
        assert_eq!(look(&[]), Unknown);
    }
}
