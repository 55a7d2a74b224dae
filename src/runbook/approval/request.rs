//! What an approver signs.

use super::{base32, packed};
use crate::model::id::{RunId, StepId};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest code that is read, in bytes.
const LONGEST: usize = 32 << 10;
/// Bytes of the digest that the short code holds.
const SHORT: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    #[error("it holds characters that no code has: letters, digits and dashes are taken")]
    Letter,
    #[error("it is too short or too long: a part of it is missing, or typed twice")]
    Length,
    #[error("its check characters do not fit: one of its characters is wrong")]
    Check,
    #[error("what it holds is no request for an approval")]
    Content,
}

/// One step of one run, at one loss, until one instant. Any other value makes another text, and another code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    pub estate: String,
    pub environment: String,
    pub run: RunId,
    pub mode: String,
    pub step: StepId,
    pub title: String,
    pub loss: String,
    /// Digest of the plan, hexadecimal.
    pub plan: String,
    /// Number of the question that asks for it: no two of a run are the same.
    pub question: u64,
    pub operator: String,
    pub expires: Timestamp,
}

impl ApprovalRequest {
    /// The exact text that is signed: one line for each value, nothing in it that a terminal would hide.
    pub fn text(&self) -> String {
        let expires = self.expires.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let question = self.question.to_string();
        let rows = [
            ("relight-approval", "1"),
            ("estate", &self.estate),
            ("environment", &self.environment),
            ("run", self.run.as_str()),
            ("mode", &self.mode),
            ("step", self.step.as_str()),
            ("title", &self.title),
            ("loss", &self.loss),
            ("plan", &self.plan),
            ("question", &question),
            ("operator", &self.operator),
            ("expires", &expires),
        ];
        rows.iter().fold(String::new(), |text, (name, value)| text + &format!("{name}: {}\n", escaped(value)))
    }

    /// SHA-256 of the text, hexadecimal.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.text()))
    }

    /// The request as one word that another device reads without a network: its values, and the short code of
    /// its text.
    pub fn code(&self) -> String {
        format!("{}.{}", base32::encode(&packed::pack(self)), short_code(&self.text()))
    }

    /// The text that a code holds; the short code at its end must be that of the text.
    pub fn text_of(code: &str) -> Result<String, CodeError> {
        if code.len() > LONGEST {
            return Err(CodeError::Length);
        }
        let (body, short) = code.trim().rsplit_once('.').ok_or(CodeError::Length)?;
        let bytes = base32::decode(body)?;
        let text = match packed::unpack(&bytes) {
            Some(request) => request.text(),
            // Codes once held the text itself.
            None => String::from_utf8(bytes).map_err(|_| CodeError::Check)?,
        };
        if base32::plain(&short_code(&text))? != base32::plain(short)? {
            return Err(CodeError::Check);
        }
        let clean = text.lines().all(|line| escaped(line) == line);
        if text.starts_with("relight-approval: 1\n") && clean { Ok(text) } else { Err(CodeError::Content) }
    }
}

/// Eighty bits of the text's SHA-256 with check characters: what two people compare by voice.
pub fn short_code(text: &str) -> String {
    base32::checked(&Sha256::digest(text)[..SHORT])
}
