//! The demo: artefacts that the real tools accept, an estate with its planted problems, and nothing left.

mod cli;
mod forge;
mod sandbox;
