//! Looks at the world that belong to no one subject: space, an application's health.

pub mod disk_space;
pub mod http_health;
