//! The console's state between two frames, and what a key, an answer or a new view does to it.

use super::action::{ACTIONS, Act, row};
use super::canvas::{Canvas, Hit};
use super::chrome;
use super::dialogs;
use super::glyphs::Glyphs;
use super::keymap::Keymap;
use super::keys::Key;
use super::layers::LayerStack;
use super::options::{Exit, TuiError, TuiOptions};
use super::react::Pending;
use super::screen::{Cx, Place, Reaction, scopes};
use super::screens;
use super::situation::{Selected, Situation};
use super::theme::{Depth, Role, Theme};
use crate::model::id::RunId;
use crate::model::time::{Clock, Timestamp};
use crate::session::{Request, SessionHandle, View};
use crossterm::event::{Event, KeyEventKind, MouseButton, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the loop must do to the world around the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Copy(String),
    CaptureMouse(bool),
    Suspend,
    /// The process was stopped by someone else and goes on.
    Resume,
    Redraw,
    Exit(Exit),
}

/// A word of the console itself, in the footer until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub text: String,
    pub error: bool,
    since: Timestamp,
}

impl Status {
    /// Errors stay until the next key; the rest makes room for the keys again.
    fn is_shown(&self, now: Timestamp) -> bool {
        self.error || now - self.since < chrono::Duration::seconds(4)
    }
}

/// A run that starts as soon as its runner listens: the operator has approved this digest.
#[derive(Clone, Debug)]
pub struct Autostart {
    pub run: RunId,
    pub digest: String,
}

#[derive(Debug)]
pub struct App {
    pub(super) stack: LayerStack,
    pub(super) view: Arc<View>,
    pub(super) frozen: Option<Arc<View>>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) pending: Pending,
    pub(super) autostart: Option<Autostart>,
    pub(super) status: Option<Status>,
    pub(super) orders: Vec<Order>,
    keymap: Keymap,
    glyphs: Glyphs,
    theme: Theme,
    depth: Depth,
    clock: Arc<dyn Clock>,
    mouse: bool,
    runs_end: bool,
    size: Rect,
    hits: Vec<(Rect, Hit)>,
    /// The text of the body as last drawn, for `copy view`.
    body: String,
}

impl App {
    pub fn new(handle: &SessionHandle, options: &TuiOptions) -> Result<Self, TuiError> {
        let mut app = Self {
            stack: LayerStack::new(screens::bases()),
            view: handle.view.borrow().clone(),
            frozen: None,
            requests: handle.requests.clone(),
            pending: Pending::default(),
            autostart: None,
            status: None,
            orders: Vec::new(),
            keymap: Keymap::new(&options.keys).map_err(TuiError::Keys)?,
            glyphs: if options.ascii { Glyphs::ascii() } else { Glyphs::unicode() },
            theme: Theme::load(&options.theme, options.depth)?,
            depth: options.depth,
            clock: Arc::clone(&options.clock),
            mouse: options.mouse,
            runs_end: options.runs_end,
            // Until the first frame nobody knows better; keys that come before it count.
            size: Rect::new(0, 0, chrome::SMALLEST.0, chrome::SMALLEST.1),
            hits: Vec::new(),
            body: String::new(),
        };
        if let Some(run) = &options.open_run {
            app.stack.go(Place::Run);
            app.react(Reaction::Send(Request::OpenRun { run: run.clone() }));
        }
        Ok(app)
    }

    /// Replaces the theme, for tests and pictures.
    pub fn set_theme(&mut self, theme: Theme) {
        self.theme = theme;
    }

    /// Calls `f` with what screens may read, and the stack.
    pub(super) fn with<T>(&mut self, f: impl FnOnce(&mut LayerStack, &Cx) -> T) -> T {
        let view = Arc::clone(self.frozen.as_ref().unwrap_or(&self.view));
        let cx = Cx {
            view: &view,
            now: self.clock.now(),
            glyphs: &self.glyphs,
            keymap: &self.keymap,
            frozen: self.frozen.is_some(),
            runs_end: self.runs_end,
        };
        f(&mut self.stack, &cx)
    }

    pub fn order(&mut self, order: Order) {
        self.orders.push(order);
    }

    pub fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    pub fn warn(&mut self, text: impl Into<String>) {
        self.status = Some(Status { text: text.into(), error: true, since: self.clock.now() });
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.status = Some(Status { text: text.into(), error: false, since: self.clock.now() });
    }

    /// Draws everything; returns where the cursor belongs.
    pub fn draw(&mut self, buffer: &mut Buffer) -> Option<Position> {
        self.size = buffer.area;
        self.sync();
        let theme = self.theme.clone();
        let glyphs = self.glyphs.clone();
        let now = self.clock.now();
        let status = self.status.clone().filter(|status| status.is_shown(now));
        let mut canvas = Canvas::new(buffer, &theme, &glyphs);
        let whole = canvas.area();
        canvas.fill(whole, Role::Base);
        if whole.width < chrome::SMALLEST.0 || whole.height < chrome::SMALLEST.1 {
            self.with(|_, cx| chrome::one_line(&mut canvas, whole, cx));
            self.hits = Vec::new();
            return None;
        }
        let areas = chrome::areas(whole);
        self.with(|stack, cx| {
            chrome::band(&mut canvas, areas.band, cx);
            let trail: Vec<String> = stack.pages().map(|layer| layer.screen.title(cx)).collect();
            chrome::tabs(&mut canvas, areas.tabs, stack.place(), &trail.join(" › "), cx);
            for layer in stack.visible() {
                if layer.screen.is_dialog() {
                    canvas.hits.clear();
                    canvas.cursor = None;
                    canvas.tint(areas.body, Role::Faint);
                }
                layer.screen.draw(&mut canvas, areas.body, cx);
            }
            stack.visible_mut().iter_mut().for_each(|layer| layer.seen = true);
            match &status {
                Some(status) => {
                    let role = if status.error { Role::StatusError } else { Role::Status };
                    let text = format!(" {} ", status.text);
                    canvas.text(areas.footer.x, areas.footer.y, areas.footer.width, &text, role);
                }
                None => {
                    if let Some(top) = stack.top() {
                        chrome::footer(&mut canvas, areas.footer, top.screen.as_ref(), stack.depth() > 1, cx);
                    }
                }
            }
        });
        let (hits, cursor) = (std::mem::take(&mut canvas.hits), canvas.cursor);
        self.hits = hits;
        self.body = text_of(buffer, areas.body);
        cursor
    }

    /// One event of the terminal.
    pub fn event(&mut self, event: Event) {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.key(key.into()),
            Event::Paste(text) => {
                self.status = None;
                let reaction = self.with(|stack, cx| match stack.top_mut() {
                    Some(top) => top.screen.paste(&text, cx),
                    None => Reaction::Ignored,
                });
                self.react(reaction);
            }
            Event::Mouse(mouse) if self.mouse => match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => self.click(Position::new(mouse.column, mouse.row)),
                MouseEventKind::ScrollUp => self.wheel(Act::Up, Act::DialogUp),
                MouseEventKind::ScrollDown => self.wheel(Act::Down, Act::DialogDown),
                _ => {}
            },
            _ => {}
        }
    }

    /// Screens take in the view before they draw and before they decide.
    fn sync(&mut self) {
        self.with(|stack, cx| stack.visible_mut().iter_mut().for_each(|layer| layer.screen.sync(cx)));
    }

    fn is_tiny(&self) -> bool {
        self.size.width < chrome::SMALLEST.0 || self.size.height < chrome::SMALLEST.1
    }

    fn key(&mut self, key: Key) {
        self.status = None;
        if self.is_tiny() {
            // Nothing that is asked can be seen: only leaving makes sense.
            if matches!(self.keymap.action(key, &[super::action::Scope::Global]), Some(Act::Quit | Act::Leave)) {
                self.orders.push(Order::Exit(Exit::Quit));
            } else if self.keymap.action(key, &[super::action::Scope::Global]) == Some(Act::Suspend) {
                self.orders.push(Order::Suspend);
            }
            return;
        }
        self.sync();
        let typed = self.with(|stack, cx| match stack.top_mut() {
            Some(top) if top.screen.wants_text() => top.screen.key(key, cx),
            _ => Reaction::Ignored,
        });
        if !matches!(typed, Reaction::Ignored) {
            self.react(typed);
            return;
        }
        let act = self.with(|stack, cx| {
            let top = stack.top()?;
            cx.keymap.action(key, &scopes(top.screen.as_ref()))
        });
        if let Some(act) = act {
            self.perform(act);
        }
    }

    fn wheel(&mut self, page: Act, dialog: Act) {
        let is_dialog = self.stack.top().is_some_and(|top| top.screen.is_dialog());
        for _ in 0..3 {
            self.perform(if is_dialog { dialog } else { page });
        }
    }

    fn click(&mut self, at: Position) {
        let Some((_, hit)) = self.hits.iter().rev().find(|(area, _)| area.contains(at)).copied() else { return };
        self.status = None;
        match hit {
            Hit::Tab(number) => {
                if let Some((_, act, _)) = Place::ALL.get(usize::from(number).saturating_sub(1)) {
                    self.perform(*act);
                }
            }
            Hit::Action(at) => {
                if let Some(row) = ACTIONS.get(at) {
                    self.perform(row.act);
                }
            }
            hit => {
                let reaction = self.with(|stack, cx| match stack.top_mut() {
                    Some(top) => top.screen.click(hit, cx),
                    None => Reaction::Ignored,
                });
                self.react(reaction);
            }
        }
    }

    /// Does an action, or says why it cannot be done now.
    pub fn perform(&mut self, act: Act) {
        // Keys that were typed ahead, or pasted where the terminal does not mark it, answer no question that
        // nobody has seen.
        if row(act).confirms() && self.stack.top().is_some_and(|top| !top.seen) {
            self.warn("the question was not on the screen yet: read it, then answer");
            return;
        }
        let need = row(act).need;
        let why_not = self.with(|stack, cx| {
            let selected = stack.top().map_or(Selected::Nothing, |top| top.screen.selected(cx));
            Situation { view: cx.view, frozen: cx.frozen, selected: &selected }.why_not(need)
        });
        if let Some(why) = why_not {
            self.warn(format!("{}: {why}", row(act).title));
            return;
        }
        let reaction = self.with(|stack, cx| match stack.top_mut() {
            Some(top) => top.screen.act(act, cx),
            None => Reaction::Ignored,
        });
        match reaction {
            Reaction::Ignored => self.global(act),
            reaction => self.react(reaction),
        }
    }

    fn global(&mut self, act: Act) {
        if let Some(place) = Place::of(act) {
            self.stack.go(place);
            return;
        }
        match act {
            Act::Back | Act::Cancel => {
                self.stack.pop();
            }
            Act::Quit if self.stack.depth() > 1 => {
                self.stack.pop();
            }
            Act::Quit | Act::Leave | Act::DialogLeave => self.leave(),
            Act::Help => self.push_help(),
            Act::Palette => self.push_palette(),
            Act::Rescan => self.react(Reaction::Send(Request::Rescan { store: None }).and(said("scanning all stores"))),
            Act::Arm => self.stack.push(Box::new(dialogs::ArmDialog::for_session())),
            Act::Disarm => self.react(Reaction::Send(Request::Disarm).and(said("read-only again"))),
            Act::Freeze => {
                self.frozen = if self.frozen.is_some() { None } else { Some(Arc::clone(&self.view)) };
            }
            Act::Theme => self.next_theme(),
            Act::Mouse => {
                self.mouse = !self.mouse;
                self.orders.push(Order::CaptureMouse(self.mouse));
                self.say(if self.mouse {
                    "the mouse is ours"
                } else {
                    "the mouse is the terminal's: select text freely"
                });
            }
            Act::Copy => self.copy_item(),
            Act::CopyView => self.copy_view(),
            Act::Suspend => self.orders.push(Order::Suspend),
            Act::Redraw => self.orders.push(Order::Redraw),
            _ => {}
        }
    }

    fn push_help(&mut self) {
        let live = self.stack.top().map_or_else(Vec::new, |top| scopes(top.screen.as_ref()));
        self.stack.push(Box::new(screens::Help::new(live)));
    }

    fn push_palette(&mut self) {
        let palette = self.with(|stack, cx| {
            let live = stack.top().map_or_else(Vec::new, |top| scopes(top.screen.as_ref()));
            let selected = stack.top().map_or(Selected::Nothing, |top| top.screen.selected(cx));
            dialogs::Palette::new(&live, &Situation { view: cx.view, frozen: cx.frozen, selected: &selected }, cx)
        });
        self.stack.push(Box::new(palette));
    }

    fn next_theme(&mut self) {
        let name = self.theme.next_name();
        match Theme::load(name, self.depth) {
            Ok(theme) => {
                self.theme = theme;
                self.say(format!("theme {name}"));
            }
            Err(error) => self.warn(error.to_string()),
        }
    }

    fn copy_item(&mut self) {
        let text = self.with(|stack, cx| match stack.top()?.screen.selected(cx) {
            Selected::Nothing => None,
            Selected::Asset(id) => Some(id.to_string()),
            Selected::Backup(id) => Some(id.to_string()),
            Selected::Runbook(id) => Some(id.to_string()),
            Selected::Run(id) => Some(id.to_string()),
            Selected::Store(id) => Some(id.to_string()),
            Selected::Task(id) => cx.view.tasks.iter().find(|task| task.id == id).map(|task| task.title.clone()),
            Selected::Notice(id) => {
                let notice = cx.view.notices.iter().find(|notice| notice.id == id)?;
                Some(format!("{} {}", notice.what, notice.next))
            }
            Selected::Text(text) => Some(text),
        });
        match text {
            Some(text) => self.react(Reaction::Copy(text)),
            None => self.warn("nothing is selected to copy"),
        }
    }

    fn copy_view(&mut self) {
        let whole = self.with(|stack, cx| stack.top().and_then(|top| top.screen.whole_text(cx)));
        let text = whole.unwrap_or_else(|| self.body.clone());
        self.react(Reaction::Copy(text));
    }

    /// Asks before leaving only if something goes on or is lost; the second wish leaves at once.
    fn leave(&mut self) {
        let asked = self.with(|stack, cx| {
            let already = stack.top().is_some_and(|top| top.screen.title(cx) == dialogs::quit::TITLE);
            already || dialogs::QuitDialog::is_needless(cx.view)
        });
        if asked {
            self.orders.push(Order::Exit(Exit::Quit));
        } else {
            self.stack.push(Box::new(dialogs::QuitDialog::default()));
        }
    }
}

pub(super) fn said(text: &str) -> Reaction {
    Reaction::Say(text.to_owned())
}

/// The symbols of an area, line by line, without trailing blanks.
pub fn text_of(buffer: &Buffer, area: Rect) -> String {
    let area = area.intersection(buffer.area);
    let line = |y: u16| {
        let mut text = String::new();
        let mut skip = 0;
        for x in area.left()..area.right() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            text.push_str(symbol);
        }
        text.trim_end().to_owned()
    };
    (area.top()..area.bottom()).map(line).collect::<Vec<_>>().join("\n")
}
