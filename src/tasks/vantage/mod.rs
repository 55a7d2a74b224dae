//! Looks at one server from several places at once. Each says up, down or unknown; silence is unknown, and
//! unknown is never down.

mod around;
mod view;

pub use around::{Around, Watched, look_around};
pub use view::{Look, State, View};
