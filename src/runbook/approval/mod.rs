//! A second person's yes: what is signed, how it travels, whose key it is. Ed25519 over a text that names run,
//! step, plan, loss and expiry, so that it counts for nothing else.

mod base32;
mod key;
mod packed;
mod request;

pub use key::{Approver, KeyError, SigningKey, pem};
pub use request::{ApprovalRequest, CodeError, short_code};

use base32::{checked, unchecked};

/// A signature as it is typed or pasted: base32 in groups, with two check characters at its end.
pub fn signature_text(signature: &[u8]) -> String {
    checked(signature)
}

/// The signature in a typed text; case, spaces and dashes do not count.
pub fn signature_bytes(text: &str) -> Result<Vec<u8>, CodeError> {
    unchecked(text, 64)
}
