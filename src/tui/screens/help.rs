//! The keys that work here and everywhere, from the registry and the live keymap.

use crate::tui::action::{ACTIONS, Act, ActionRow, Scope};
use crate::tui::canvas::{Canvas, span};
use crate::tui::keys::Key;
use crate::tui::screen::{Cx, Reaction, Screen};
use crate::tui::theme::Role;
use crate::tui::widgets::{Doc, DocPane, Field};
use ratatui::layout::Rect;

#[derive(Debug)]
pub struct Help {
    /// Scopes of the screen that help was called on.
    live: Vec<Scope>,
    pane: DocPane,
    filter: Field,
    typing: bool,
}

impl Help {
    pub fn new(live: Vec<Scope>) -> Self {
        Self { live, pane: DocPane::default(), filter: Field::default(), typing: false }
    }

    fn doc(&self, width: u16, cx: &Cx) -> Doc {
        let column = if width < 60 { 8usize } else { 20 };
        let mut doc = Doc::new();
        let wanted = self.filter.text().to_lowercase();
        let fits = |row: &&ActionRow| {
            let keys: Vec<String> = cx.keymap.keys_of(row).iter().map(ToString::to_string).collect();
            let keys = keys.join(" ");
            format!("{} {} {} {keys}", row.name, row.title, row.help).to_lowercase().contains(&wanted)
        };
        let others = Scope::ALL.iter().copied().filter(|scope| !self.live.contains(scope));
        for scope in self.live.iter().copied().chain(others) {
            let rows: Vec<&ActionRow> = ACTIONS.iter().filter(|row| row.scope == scope).filter(fits).collect();
            if rows.is_empty() {
                continue;
            }
            doc.heading(scope.title());
            for row in rows {
                let keys: Vec<String> = cx.keymap.keys_of(row).iter().map(ToString::to_string).collect();
                let keys = if keys.is_empty() { "no key".to_owned() } else { keys.join("  ") };
                let columns = column.saturating_sub(keys.chars().count()).max(1);
                doc.marked(
                    vec![span(format!("  {keys}{}", " ".repeat(columns)), Role::Key)],
                    row.help.to_owned(),
                    Role::Base,
                );
            }
        }
        if doc.is_empty() {
            doc.text("No key fits.", Role::Dim);
        }
        doc
    }
}

impl Screen for Help {
    fn scope(&self) -> Scope {
        Scope::Help
    }

    fn title(&self, _cx: &Cx) -> String {
        "Help".to_owned()
    }

    fn wants_text(&self) -> bool {
        self.typing
    }

    fn opens(&self, _cx: &Cx) -> bool {
        false
    }

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx) {
        let framed = area.height >= 14 && area.width >= 60;
        let mut inner = if framed {
            let remark = [span("/ filters, esc goes back", Role::Dim)];
            canvas.panel(area, &[span("Keys", Role::Title)], &remark, Role::BorderFocus)
        } else {
            area
        };
        if self.typing || !self.filter.is_empty() {
            canvas.text(inner.x, inner.y, 2, "/ ", Role::Key);
            let field = Rect { x: inner.x + 2, width: inner.width.saturating_sub(2).min(48), height: 1, ..inner };
            self.filter.draw(canvas, field, "what you want to do", self.typing);
            inner = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
        }
        self.pane.draw(canvas, inner, &self.doc(area.width, cx));
    }

    fn act(&mut self, act: Act, _cx: &Cx) -> Reaction {
        match act {
            Act::HelpFilter => self.typing = true,
            Act::Help => return Reaction::Pop,
            Act::Open => self.typing = false,
            Act::Back if self.typing || !self.filter.is_empty() => {
                self.typing = false;
                self.filter.clear();
            }
            act if self.pane.act(act) => {}
            _ => return Reaction::Ignored,
        }
        Reaction::Handled
    }

    fn key(&mut self, key: Key, _cx: &Cx) -> Reaction {
        if self.filter.key(key) { Reaction::Handled } else { Reaction::Ignored }
    }

    fn whole_text(&self, cx: &Cx) -> Option<String> {
        Some(self.doc(u16::MAX, cx).plain(cx.glyphs))
    }
}
