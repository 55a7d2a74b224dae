//! One process per run: engine, tasks, journal, control socket.

pub mod protocol;
