//! Encryption of backups: made, opened again as a whole before their plaintext may go, and opened in the stream
//! when they are proven or restored.
//!
//! OpenPGP is the work of `gpg`, because its keys, agents and smart cards are; age is the work of `age`, which runs
//! in the same way. Secrets reach them in unlinked memory files, plaintext never reaches a disk.

pub mod command;
pub mod encrypt;
pub mod held;
pub mod keyring;
mod opening;
pub mod remove_plain;
mod target;
pub mod test_decrypt;
