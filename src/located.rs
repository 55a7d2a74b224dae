//! TOML read with places: every value knows its line, every problem is collected, nothing stops at
//! the first mistake.
