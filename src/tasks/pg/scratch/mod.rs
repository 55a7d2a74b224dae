//! A pair of servers for drills: made from a copy of production's standby, apart from production by folder,
//! address and timeline, and removed again.

pub mod gone;
pub mod lose;
pub mod make;
pub mod pair;
mod place;
pub mod remove;
pub mod wall;
