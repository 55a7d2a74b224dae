//! Files beside backups that say something about them. Read when small, believed only where the objects agree.

mod kind;

pub(super) use kind::Loose;
pub use kind::SidecarKind;
