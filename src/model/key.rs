//! Keys that backups are encrypted with. The configuration holds only where their secrets come from.

use super::content::Wrapping;
use super::id::KeyId;
use super::secret::SecretRef;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub id: KeyId,
    pub kind: KeyKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum KeyKind {
    /// OpenPGP with a passphrase alone.
    Passphrase { passphrase: SecretRef },
    /// OpenPGP for a recipient. Without the secret key backups can be made and not opened.
    OpenPgp { public_key: Option<PathBuf>, secret_key: Option<SecretRef>, passphrase: Option<SecretRef> },
    /// age for recipients. Without an identity backups can be made and not opened.
    Age { recipients: Vec<String>, identity: Option<SecretRef> },
}

impl Key {
    /// What it encrypts to.
    pub const fn seal(&self) -> Wrapping {
        match self.kind {
            KeyKind::Passphrase { .. } | KeyKind::OpenPgp { .. } => Wrapping::OpenPgp,
            KeyKind::Age { .. } => Wrapping::Age,
        }
    }

    /// Whether its secret half is known here.
    pub const fn opens(&self) -> bool {
        match &self.kind {
            KeyKind::Passphrase { .. } => true,
            KeyKind::OpenPgp { secret_key, .. } => secret_key.is_some(),
            KeyKind::Age { identity, .. } => identity.is_some(),
        }
    }

    /// Every secret that it refers to, with what it is.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        match &self.kind {
            KeyKind::Passphrase { passphrase } => vec![("passphrase", passphrase)],
            KeyKind::OpenPgp { secret_key, passphrase, .. } => {
                let secret = secret_key.as_ref().map(|from| ("secret key", from));
                secret.into_iter().chain(passphrase.as_ref().map(|from| ("passphrase", from))).collect()
            }
            KeyKind::Age { identity, .. } => identity.iter().map(|from| ("identity", from)).collect(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            KeyKind::Passphrase { .. } => "OpenPGP, passphrase",
            KeyKind::OpenPgp { .. } => "OpenPGP, recipient",
            KeyKind::Age { .. } => "age",
        };
        write!(f, "key `{}` ({kind})", self.id)
    }
}
