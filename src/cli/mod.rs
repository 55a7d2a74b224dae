//! The headless twin of the console: one file per subcommand, text and JSON.
