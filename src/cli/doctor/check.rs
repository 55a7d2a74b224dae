//! One thing that was looked at, and how it stands.

use crate::health::Severity;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// `configuration`, `state`, `identity`, `secret`, `tool`, `store`, `bucket`, `shared place`, `clock`, `server`, `images`.
    pub subject: &'static str,
    /// Which of them.
    pub name: String,
    pub verdict: Severity,
    /// What was seen. Untrusted text.
    pub detail: String,
    /// What to do; empty where nothing needs doing.
    pub next: String,
}

impl Check {
    pub fn new(subject: &'static str, name: impl Into<String>, verdict: Severity, detail: impl Into<String>) -> Self {
        Self { subject, name: name.into(), verdict, detail: detail.into(), next: String::new() }
    }

    pub fn good(subject: &'static str, name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(subject, name, Severity::Ok, detail)
    }

    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
}
