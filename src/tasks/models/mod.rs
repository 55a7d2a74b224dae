//! A registry of models: one folder for each model, backed up object by object with a manifest, and held to it again
//! when it is restored.

pub mod collect;
pub mod compare;
pub mod destination;
mod live;
pub mod manifest;
mod place;
pub mod publish;
