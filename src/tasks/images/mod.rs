//! Container images: saved from an engine, loaded beside the live ones under a dated tag, and exchanged by their tags.
//! No container is started, stopped or made here.

mod engine;
pub mod identity;
pub mod in_use;
pub mod inspect;
pub mod load;
mod note;
mod relabel;
pub mod remove_side;
mod room;
pub mod save;
pub mod side_gone;
pub mod swap;
pub mod swap_back;

pub use engine::Engine;

use super::module::{InputKind, InputSpec};
use std::collections::BTreeMap;

/// The id that each name had in the plan; `None` where no image had it.
type Live = BTreeMap<String, Option<String>>;

const ASSET: InputSpec =
    InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset whose images are meant" };
const LIVE: InputSpec = InputSpec {
    name: "live",
    kind: InputKind::Table,
    required: true,
    help: "Id of each live image in the plan: output of images.inspect",
};
const SIDE: InputSpec =
    InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Tag of the loaded images, dated" };
const ASIDE: InputSpec =
    InputSpec { name: "aside", kind: InputKind::Text, required: true, help: "Tag for the images of before, dated" };
