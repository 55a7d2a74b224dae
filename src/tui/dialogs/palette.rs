//! The command palette: every action by name, its key, and why it cannot run now.

use super::{frame, typing};
use crate::tui::action::{ACTIONS, Act, ActionRow, Scope};
use crate::tui::canvas::{Canvas, Hit, Line, span};
use crate::tui::fit;
use crate::tui::keys::Key;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::situation::Situation;
use crate::tui::theme::Role;
use crate::tui::widgets::{Field, ListState};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::layout::Rect;

#[derive(Debug)]
pub struct Palette {
    /// What could be called, with the reason it cannot be now.
    offered: Vec<(&'static ActionRow, Option<String>)>,
    /// Places in `offered`, best first.
    found: Vec<usize>,
    filter: Field,
    list: ListState,
}

/// Below this width the rows cannot hold the longest sentence: the selected one stands whole at the foot.
const WHOLE: u16 = 108;
const FOOT: u16 = 2;

impl Palette {
    /// Offers what is live on the screen beneath.
    pub fn new(live: &[Scope], situation: &Situation, cx: &Cx) -> Self {
        let mut offered: Vec<_> = ACTIONS
            .iter()
            .filter(|row| live.contains(&row.scope) && row.scope != Scope::Move)
            .filter(|row| !matches!(row.act, Act::Palette | Act::Back))
            .map(|row| (row, situation.why_not(row.need)))
            .collect();
        // What belongs to this screen first, then what can run.
        offered.sort_by_key(|(row, why)| (row.scope == Scope::Global, why.is_some()));
        let mut palette = Self { offered, found: Vec::new(), filter: Field::default(), list: ListState::default() };
        palette.search(cx);
        palette
    }

    fn search(&mut self, cx: &Cx) {
        let text = self.filter.text();
        if text.trim().is_empty() {
            self.found = (0..self.offered.len()).collect();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(&text, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = Vec::new();
        for (at, (row, _)) in self.offered.iter().enumerate() {
            let hay = format!("{} {} {} {}", row.title, row.name, row.help, cx.keymap.hint(row.act));
            if let Some(score) = pattern.score(Utf32Str::new(&hay, &mut buffer), &mut matcher) {
                scored.push((score, at));
            }
        }
        scored.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
        self.found = scored.into_iter().map(|(_, at)| at).collect();
        self.list.select(0);
    }

    fn chosen(&self) -> Option<&(&'static ActionRow, Option<String>)> {
        let at = self.list.selected(self.found.len())?;
        self.offered.get(self.found[at])
    }

    fn foot(&self, canvas: &mut Canvas, area: Rect) {
        let Some((row, why)) = self.chosen() else { return };
        let (text, role) = match why {
            Some(why) => (format!("Not now: {why}."), Role::Warning),
            None => (row.help.to_owned(), Role::Base),
        };
        let room = area.width.saturating_sub(2);
        for (y, line) in (area.top()..area.bottom()).zip(fit::wrap(&text, usize::from(room), canvas.glyphs)) {
            canvas.text(area.x + 1, y, room, &line, role);
        }
    }

    fn press(&self) -> Reaction {
        match self.chosen() {
            None => Reaction::Handled,
            Some((row, Some(why))) => Reaction::Warn(format!("{}: {why}", row.title)),
            Some((row, None)) => Reaction::Perform(row.act),
        }
    }
}

impl Screen for Palette {
    fn scope(&self) -> Scope {
        Scope::Dialog
    }

    fn title(&self, _cx: &Cx) -> String {
        "Commands".to_owned()
    }

    fn wants_text(&self) -> bool {
        true
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let height = (self.offered.len() as u16 + 4).min(22);
        let inner = frame::open(canvas, area, "Commands", false, 112, height);
        canvas.text(inner.x, inner.y, 2, "> ", Role::Key);
        let field = Rect { x: inner.x + 2, width: inner.width.saturating_sub(2), height: 1, ..inner };
        self.filter.draw(canvas, field, "what you want to do", true);
        let mut rows = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        if inner.width < WHOLE && rows.height > FOOT + 2 {
            rows.height -= FOOT;
            self.foot(canvas, Rect { y: rows.bottom(), height: FOOT, ..rows });
        }
        let selected = self.list.selected(self.found.len());
        for (line, at) in self.list.window(self.found.len(), usize::from(rows.height)).enumerate() {
            let y = rows.y + line as u16;
            let place = Rect { y, height: 1, ..rows };
            if selected == Some(at) {
                canvas.tint(place, Role::Selected);
            }
            canvas.hit(place, Hit::Row { pane: 0, row: at });
            let (row, why) = &self.offered[self.found[at]];
            draw_row(canvas, place, row, why.as_deref(), &cx.keymap.hint(row.act));
        }
        if self.found.is_empty() {
            canvas.text(rows.x + 2, rows.y, rows.width.saturating_sub(2), "No action fits.", Role::Dim);
        }
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::Press => self.press(),
            act if self.list.act(act, self.found.len()) => Reaction::Handled,
            _ => Reaction::Ignored,
        }
    }

    fn key(&mut self, key: Key, cx: &Cx) -> Reaction {
        if !typing::is_command(key, cx) && self.filter.key(key) {
            self.search(cx);
            return Reaction::Handled;
        }
        Reaction::Ignored
    }

    fn paste(&mut self, text: &str, cx: &Cx) -> Reaction {
        self.filter.paste(text);
        self.search(cx);
        Reaction::Handled
    }

    fn click(&mut self, hit: Hit, _cx: &Cx) -> Reaction {
        let Hit::Row { row, .. } = hit else { return Reaction::Handled };
        self.list.select(row);
        self.press()
    }
}

fn draw_row(canvas: &mut Canvas, place: Rect, row: &ActionRow, why: Option<&str>, key: &str) {
    let key_columns = fit::width(key, canvas.glyphs) as u16;
    canvas.text_right(place.x, place.y, place.width.saturating_sub(1), key, Role::Key);
    let room = place.width.saturating_sub(key_columns + 4);
    let title = format!("{:<16}", row.title);
    let line: Line = match why {
        // A phone's width holds the names alone; the foot explains the selected one.
        _ if place.width < 60 => vec![span(row.title, if why.is_some() { Role::Faint } else { Role::Strong })],
        None => vec![span(title, Role::Strong), span(row.help, Role::Dim)],
        Some(why) => vec![span(title, Role::Faint), span(format!("not now: {why}"), Role::Warning)],
    };
    canvas.line(place.x + 1, place.y, room, &line);
}
