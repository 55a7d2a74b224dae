//! Files beside backups that say something about them. Read when small, believed only where the objects agree.

mod kind;

pub use kind::SidecarKind;
pub(super) use kind::Loose;
