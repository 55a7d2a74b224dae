//! The configuration: file, environment, flags, themes, keys.
