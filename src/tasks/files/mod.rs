//! Files: look, unpack safely beside the live folder, compare, swap by rename.

pub mod archive;
pub mod compare;
pub mod extract;
pub mod folder;
pub mod identity;
pub mod inspect;
pub mod made_gone;
pub mod members;
pub mod remove_made;
pub mod remove_side;
pub mod swap;
pub mod swap_back;
pub mod trees;
pub mod unpack;
