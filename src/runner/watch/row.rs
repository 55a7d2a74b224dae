//! How many looks in a row say down, and when that is enough.

use crate::tasks::vantage::State;

#[derive(Clone, Debug)]
pub struct Row {
    times: u32,
    down: u32,
    /// A run was opened for this outage.
    settled: bool,
}

impl Row {
    pub fn new(times: u32) -> Self {
        Self { times: times.max(1), down: 0, settled: false }
    }

    /// Whether a run is to be opened now. As long as none could be, it is asked for again each time the row is
    /// full; once one was, not before the server was up again.
    pub fn saw(&mut self, state: State) -> bool {
        match state {
            State::Down => self.down = self.down.saturating_add(1),
            State::Unknown => self.down = 0,
            State::Up => *self = Self::new(self.times),
        }
        self.down > 0 && self.down.is_multiple_of(self.times) && !self.settled
    }

    pub fn settle(&mut self) {
        self.settled = true;
    }

    /// Looks in a row that said down.
    pub const fn down(&self) -> u32 {
        self.down
    }

    /// The row is on its way to being full for the first time.
    pub const fn is_filling(&self) -> bool {
        0 < self.down && self.down <= self.times
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Down, Unknown, Up};
    use super::*;

    fn opened(states: &[State], settle: bool) -> Vec<usize> {
        let mut row = Row::new(3);
        let mut opened = Vec::new();
        for (at, state) in states.iter().enumerate() {
            if row.saw(*state) {
                opened.push(at);
                if settle {
                    row.settle();
                }
            }
        }
        opened
    }

    #[test]
    fn only_a_whole_row_opens_and_only_once_for_each_outage() {
        assert_eq!(opened(&[Down, Down, Up, Down, Down, Unknown, Down, Down], true), [0; 0]);
        assert_eq!(opened(&[Unknown; 30], true), [0; 0], "unknown never counts");
        assert_eq!(opened(&[Down; 12], true), [2]);
        assert_eq!(opened(&[Down; 12], false), [2, 5, 8, 11], "asked for again while none could be opened");
        let mut twice = vec![Down; 4];
        twice.extend([Unknown, Down, Down, Down, Up, Down, Down, Down]);
        assert_eq!(opened(&twice, true), [2, 11], "unknown ends no outage, up does");
    }
}
