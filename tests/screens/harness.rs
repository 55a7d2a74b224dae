//! Opens the console on a view without a terminal, presses keys, and reads the cells back.

use super::estate;
use crossterm::event::{Event, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use relight::model::time::FixedClock;
use relight::session::{Request, SessionHandle, View};
use relight::tui::app::text_of;
use relight::tui::keys::Key;
use relight::tui::{App, Depth, Theme, TuiOptions};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

pub struct Console {
    pub app: App,
    pub requests: mpsc::Receiver<Request>,
    /// Keeps the channel of views open.
    _views: watch::Sender<Arc<View>>,
    pub size: (u16, u16),
}

pub fn options() -> TuiOptions {
    TuiOptions {
        theme: "dark".into(),
        depth: Depth::True,
        ascii: false,
        mouse: true,
        keys: BTreeMap::new(),
        clock: Arc::new(FixedClock(estate::now())),
        tmux: false,
        open_run: None,
        runs_end: false,
    }
}

impl Console {
    pub fn open(view: View, size: (u16, u16)) -> Self {
        Self::with(view, size, &options())
    }

    pub fn with(view: View, size: (u16, u16), options: &TuiOptions) -> Self {
        let (sender, requests) = mpsc::channel(16);
        let (views, receiver) = watch::channel(Arc::new(view));
        let handle = SessionHandle { requests: sender, view: receiver };
        let mut app = App::new(&handle, options).unwrap();
        app.set_theme(Theme::numbered());
        let mut console = Self { app, requests, _views: views, size };
        console.draw();
        console
    }

    /// Keys by name, separated by blanks; `'text` types a text.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for word in keys.split_whitespace() {
            if let Some(text) = word.strip_prefix('\'') {
                text.chars().for_each(|c| self.key(&c.to_string()));
            } else {
                self.key(word);
            }
        }
        self
    }

    fn key(&mut self, name: &str) {
        let key: Key = name.parse().unwrap();
        let mut modifiers = KeyModifiers::NONE;
        modifiers.set(KeyModifiers::CONTROL, key.ctrl);
        self.app.event(Event::Key(KeyEvent::new(key.code, modifiers)));
        self.draw();
    }

    pub fn draw(&mut self) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        self.app.draw(&mut buffer);
        buffer
    }

    pub fn text(&mut self) -> String {
        let buffer = self.draw();
        text_of(&buffer, buffer.area)
    }

    /// Symbols, then for each line the roles of its runs.
    pub fn picture(&mut self) -> String {
        let buffer = self.draw();
        let mut out = text_of(&buffer, buffer.area);
        out.push_str("\n\n");
        for y in 0..buffer.area.height {
            out.push_str(&format!("{y:>3}:"));
            let mut start = 0;
            while start < buffer.area.width {
                let role = role_at(&buffer, start, y);
                let mut end = start;
                while end < buffer.area.width && role_at(&buffer, end, y) == role {
                    end += 1;
                }
                out.push_str(&format!(" {}×{role}", end - start));
                start = end;
            }
            out.push('\n');
        }
        out
    }

    pub fn sent(&mut self) -> Option<Request> {
        self.requests.try_recv().ok()
    }
}

/// The role of a cell and, where another role lies under it, that one; marks that a role adds are the
/// theme's business.
fn role_at(buffer: &Buffer, x: u16, y: u16) -> String {
    let cell = &buffer[(x, y)];
    let name = |colour| Theme::numbered_role(colour).map_or("?", |role| role.name());
    let (text, ground) = (name(cell.fg), name(cell.bg));
    let text = if cell.symbol() == " " { ground } else { text };
    if text == ground || ground == "base" { text.to_owned() } else { format!("{text}/{ground}") }
}
