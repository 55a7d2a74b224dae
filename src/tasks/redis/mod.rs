//! Redis and Valkey: what a server is, snapshots into and out of it, and the change of its data folder in the
//! order that loses nothing. Nothing here trusts a file that no Redis has loaded.

pub mod here_gone;
pub mod identity;
pub mod inspect;
pub mod load;
pub mod look;
mod note;
pub mod pull;
pub mod remove_side;
mod room;
pub mod save;
mod scene;
mod scratch;
mod snapshot;
mod stream;
pub mod swap;
pub mod swap_back;
mod wire;

use super::module::{InputKind, InputSpec};

const SERVER: InputSpec =
    InputSpec { name: "server", kind: InputKind::Text, required: true, help: "Redis server of the configuration" };
const SIDE: InputSpec = InputSpec {
    name: "side",
    kind: InputKind::Text,
    required: true,
    help: "Path of the new data folder, beside the live one, on the server's host",
};
