//! Cursor and scroll of a list. The offset is settled while drawing, when the height is known.

use crate::tui::action::Act;
use std::cell::Cell;

#[derive(Clone, Debug, Default)]
pub struct ListState {
    selected: usize,
    offset: Cell<usize>,
    height: Cell<usize>,
}

impl ListState {
    /// The selected row, kept inside a list of `rows`.
    pub fn selected(&self, rows: usize) -> Option<usize> {
        (rows > 0).then(|| self.selected.min(rows - 1))
    }

    pub fn select(&mut self, row: usize) {
        self.selected = row;
    }

    /// First visible row for a height, moved as little as needed to keep the cursor in sight.
    pub fn window(&self, rows: usize, height: usize) -> std::ops::Range<usize> {
        self.height.set(height);
        let selected = self.selected.min(rows.saturating_sub(1));
        let mut offset = self.offset.get().min(rows.saturating_sub(height));
        if selected < offset {
            offset = selected;
        }
        if height > 0 && selected >= offset + height {
            offset = selected + 1 - height;
        }
        self.offset.set(offset);
        offset..rows.min(offset + height)
    }

    /// Moves the cursor; `false` if the action does not move.
    pub fn act(&mut self, act: Act, rows: usize) -> bool {
        let last = rows.saturating_sub(1);
        let page = self.height.get().saturating_sub(1).max(1);
        let now = self.selected.min(last);
        self.selected = match act {
            Act::Up | Act::DialogUp => now.saturating_sub(1),
            Act::Down | Act::DialogDown => (now + 1).min(last),
            Act::PageUp => now.saturating_sub(page),
            Act::PageDown => (now + page).min(last),
            Act::Top => 0,
            Act::Bottom => last,
            _ => return false,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_in_sight_and_in_the_list() {
        let mut list = ListState::default();
        assert_eq!(list.selected(0), None);
        assert_eq!(list.window(100, 10), 0..10);
        list.act(Act::PageDown, 100);
        list.act(Act::Down, 100);
        assert_eq!((list.selected(100), list.window(100, 10)), (Some(10), 1..11));
        list.act(Act::Bottom, 100);
        assert_eq!(list.window(100, 10), 90..100);
        assert_eq!((list.selected(5), list.window(5, 10)), (Some(4), 0..5));
        assert_eq!(list.window(5, 0), 0..0);
    }
}
