//! What a screen is: it owns cursor and scroll, draws from `&self` and the view, and answers keys with a
//! reaction. It never talks to the session itself.

use super::action::{Act, Scope};
use super::canvas::{Canvas, Hit};
use super::glyphs::Glyphs;
use super::keymap::Keymap;
use super::keys::Key;
use super::situation::Selected;
use crate::model::id::{RunId, RunbookId};
use crate::model::task::Values;
use crate::model::time::Timestamp;
use crate::runbook::{Intent, Mode, Plan};
use crate::session::{LockWish, Request, View};
use ratatui::layout::Rect;

/// What screens may read while they draw and decide.
#[derive(Clone, Copy, Debug)]
pub struct Cx<'a> {
    pub view: &'a View,
    pub now: Timestamp,
    pub glyphs: &'a Glyphs,
    pub keymap: &'a Keymap,
    pub frozen: bool,
    /// Leaving ends the open runs too.
    pub runs_end: bool,
}

impl Cx<'_> {
    pub fn zone(&self) -> chrono_tz::Tz {
        self.view.estate.time_zone
    }
}

/// The screens of the tab bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Overview,
    Catalog,
    Timeline,
    Runbooks,
    Run,
    Tasks,
    Stores,
    Journal,
    Notices,
    Checklists,
}

impl Place {
    pub const ALL: [(Place, Act, &'static str); 10] = [
        (Place::Overview, Act::Overview, "Overview"),
        (Place::Catalog, Act::Catalog, "Catalog"),
        (Place::Timeline, Act::Timeline, "Timeline"),
        (Place::Runbooks, Act::Runbooks, "Runbooks"),
        (Place::Run, Act::Run, "Run"),
        (Place::Tasks, Act::Tasks, "Tasks"),
        (Place::Stores, Act::Stores, "Stores"),
        (Place::Journal, Act::Journal, "Journal"),
        (Place::Notices, Act::Notices, "Notices"),
        (Place::Checklists, Act::Checklists, "Checklists"),
    ];

    pub fn of(act: Act) -> Option<Place> {
        Self::ALL.iter().find(|(_, known, _)| *known == act).map(|(place, ..)| *place)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(place, ..)| *place == self).map_or("", |(.., name)| name)
    }
}

/// A question to the session whose answer comes later, to the screen that asked.
#[derive(Debug)]
pub enum Ask {
    Plan {
        runbook: RunbookId,
        params: Values,
        mode: Mode,
    },
    /// The open run's plan for another point.
    AnotherPlan(Values),
    Start(Box<Plan>),
    Intent(Intent),
    /// Take a run over, or free its lock: for this reason, and whether its lease must have expired or not.
    Lock {
        run: RunId,
        wish: LockWish,
        reason: String,
        alive: bool,
    },
}

/// What came back.
#[derive(Debug)]
pub enum Reply {
    Plan(Result<Box<Plan>, Vec<String>>),
    /// The run and the digest that was approved for it.
    Started(Result<(RunId, String), String>),
    Intent(Result<(), String>),
}

/// What a screen wants after a key.
#[derive(Debug)]
pub enum Reaction {
    Ignored,
    Handled,
    Push(Box<dyn Screen>),
    /// Takes the screen's own place.
    Replace(Box<dyn Screen>),
    Pop,
    /// Switches the tab and shows the item there.
    Show(Place, Selected),
    Send(Request),
    Ask(Ask),
    Copy(String),
    Say(String),
    Warn(String),
    /// Closes the top layer, then does this.
    Perform(Act),
    /// Leaves the console.
    Leave,
    Both(Box<Reaction>, Box<Reaction>),
}

impl Reaction {
    #[must_use]
    pub fn and(self, next: Reaction) -> Reaction {
        Reaction::Both(Box::new(self), Box::new(next))
    }
}

pub trait Screen: std::fmt::Debug + Send {
    /// Its own scope; with `Global` and `Move` for pages, with `Dialog` for dialogs.
    fn scope(&self) -> Scope;

    fn title(&self, cx: &Cx) -> String;

    fn is_dialog(&self) -> bool {
        matches!(self.scope(), Scope::Dialog | Scope::Outcome)
    }

    /// Whether Enter has something to open.
    fn opens(&self, _cx: &Cx) -> bool {
        true
    }

    /// Characters go to [`Screen::key`] before any action.
    fn wants_text(&self) -> bool {
        false
    }

    /// Called before drawing when the view has changed, and when the screen comes into sight.
    fn sync(&mut self, _cx: &Cx) {}

    fn draw(&self, canvas: &mut Canvas, area: Rect, cx: &Cx);

    fn act(&mut self, act: Act, cx: &Cx) -> Reaction;

    /// A key while the screen wants text.
    fn key(&mut self, _key: Key, _cx: &Cx) -> Reaction {
        Reaction::Ignored
    }

    fn paste(&mut self, _text: &str, _cx: &Cx) -> Reaction {
        Reaction::Ignored
    }

    fn click(&mut self, _hit: Hit, _cx: &Cx) -> Reaction {
        Reaction::Ignored
    }

    fn reply(&mut self, _reply: Reply, _cx: &Cx) -> Reaction {
        Reaction::Handled
    }

    fn selected(&self, _cx: &Cx) -> Selected {
        Selected::Nothing
    }

    /// Brings an item into view.
    fn show(&mut self, _item: &Selected, _cx: &Cx) {}

    /// Text of everything the screen holds, where that is more than what fits.
    fn whole_text(&self, _cx: &Cx) -> Option<String> {
        None
    }
}

/// The scopes whose keys are live on a screen.
pub fn scopes(screen: &dyn Screen) -> Vec<Scope> {
    match screen.scope() {
        Scope::Outcome => vec![Scope::Dialog, Scope::Outcome],
        Scope::Dialog => vec![Scope::Dialog],
        scope => vec![scope, Scope::Move, Scope::Global],
    }
}
