//! PostgreSQL: look, dump, restore beside the live database, validate, swap.

pub mod connect;
pub mod create_side;
pub mod database;
pub mod drop_side;
pub mod dump;
pub mod exchange;
pub mod health;
pub mod identity;
pub mod inspect;
pub mod inventory;
pub mod made_gone;
pub mod names;
pub mod pair;
pub mod preflight;
pub mod remove_made;
pub mod restore;
pub mod room;
pub mod safety_dump;
pub mod scratch;
pub mod script;
pub mod settings;
pub mod swap;
pub mod swap_back;
pub mod target;
pub mod tools;
pub mod validate;
