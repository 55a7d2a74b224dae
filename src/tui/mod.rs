//! The console: screens over the session's view.
