//! The console: screens over the session's view. Nothing here touches the world but the terminal.

pub mod action;
pub mod app;
pub mod canvas;
mod chrome;
mod dialogs;
mod fit;
mod format;
mod freshness;
pub mod glyphs;
pub mod keymap;
pub mod keys;
mod layers;
mod options;
mod react;
mod reader;
pub mod run;
pub mod screen;
mod screens;
mod situation;
mod terminal;
pub mod theme;
mod widgets;

pub use action::reference;
pub use app::App;
pub use options::{Exit, TuiError, TuiOptions};
pub use run::{Input, drive, run};
pub use screens::catalog::index::Index as CatalogIndex;
pub use situation::Selected;
pub use terminal::{Host, TerminalGuard};
pub use theme::{Depth, Theme};
