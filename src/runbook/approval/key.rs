//! Keys of approvers and operators: Ed25519, in the forms that OpenSSL reads.

pub use crate::model::estate::ApproverKey as Approver;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::fmt;

/// What stands before the 32 bytes of a private key (RFC 8410, PKCS #8) and of a public one.
const PRIVATE: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("it is no Ed25519 private key in PEM (PKCS #8)")]
    Private,
    #[error("it is no Ed25519 public key: 32 bytes in base64 are wanted")]
    Public,
    #[error("it names nobody: its first line must be `relight-key: NAME`")]
    Nameless,
}

impl Approver {
    fn bytes(&self) -> Result<[u8; 32], KeyError> {
        let bytes = STANDARD.decode(&self.public_key).map_err(|_| KeyError::Public)?;
        bytes.try_into().map_err(|_| KeyError::Public)
    }

    /// Whether the key can be one.
    pub fn check(&self) -> Result<(), KeyError> {
        self.bytes().map(|_| ())
    }

    /// Whether this key signed the text.
    pub fn signed(&self, text: &str, signature: &[u8]) -> bool {
        self.bytes().is_ok_and(|key| UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), signature).is_ok())
    }

    /// The public key as a file that OpenSSL reads.
    pub fn pem(&self) -> Result<String, KeyError> {
        Ok(pem("PUBLIC KEY", &[&PUBLIC[..], &self.bytes()?].concat()))
    }
}

pub fn pem(what: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", STANDARD.encode(bytes))
}

/// A private key with its owner's name.
pub struct SigningKey {
    pub name: String,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The file of a new key over 32 random bytes.
    pub fn file(name: &str, seed: &[u8; 32]) -> String {
        format!("relight-key: {name}\n{}", pem("PRIVATE KEY", &[&PRIVATE[..], seed].concat()))
    }

    pub fn read(text: &str) -> Result<Self, KeyError> {
        let name = text.lines().find_map(|line| line.strip_prefix("relight-key:")).ok_or(KeyError::Nameless)?;
        let body = text.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)).ok_or(KeyError::Private)?.0;
        let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes = STANDARD.decode(body).map_err(|_| KeyError::Private)?;
        let seed = bytes.strip_prefix(&PRIVATE).ok_or(KeyError::Private)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Private)?;
        match name.trim() {
            "" => Err(KeyError::Nameless),
            name => Ok(Self { name: name.to_owned(), pair }),
        }
    }

    pub fn public(&self) -> Approver {
        Approver { name: self.name.clone(), public_key: STANDARD.encode(self.pair.public_key().as_ref()) }
    }

    pub fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.pair.sign(text).as_ref().to_vec()
    }
}
