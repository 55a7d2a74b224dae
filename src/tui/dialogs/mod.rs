//! Dialogs: focus starts on Cancel, and Enter never confirms anything that changes the world.

mod amend;
mod another;
mod approval;
mod arm;
mod confirm;
mod form;
pub mod frame;
mod handover;
mod palette;
mod question;
pub mod quit;
mod reason;
mod typing;

pub use amend::AmendDialog;
pub use another::AnotherDialog;
pub use approval::ApprovalDialog;
pub use arm::ArmDialog;
pub use confirm::{ConfirmDialog, Purpose};
pub use handover::{OfferDialog, TakeDialog};
pub use palette::Palette;
pub use question::{QuestionDialog, question_doc};
pub use quit::QuitDialog;
pub use reason::{ReasonDialog, ReasonKind};
