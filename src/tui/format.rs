//! Instants, ages, sizes and states as words.

use super::theme::Role;
use crate::health::Severity;
use crate::model::proof::{ProofOutcome, ProofRecord};
use crate::model::size::ByteCount;
use crate::model::task::Effect;
use crate::model::time::{Timestamp, short_duration};
use crate::runbook::{Mode, RunStatus, StepState};
use chrono_tz::Tz;

/// `2026-11-20 02:15 CET`: in the estate's zone, which is always named.
pub fn instant(at: Timestamp, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
}

/// The same without the zone, for columns whose heading names it.
pub fn instant_short(at: Timestamp, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// The same for a phone's width: the year gives way to the time of day while the day alone cannot mislead.
pub fn instant_narrow(at: Timestamp, zone: Tz, now: Timestamp) -> String {
    let recent = (now - at).num_days().abs() < 300;
    at.with_timezone(&zone).format(if recent { "%m-%d %H:%M" } else { "%Y-%m-%d" }).to_string()
}

/// A figure of a finding with its instants, which are written for machines, in the estate's zone.
pub fn figure(text: &str, zone: Tz) -> String {
    let word = |word: &str| match word.parse::<Timestamp>() {
        Ok(at) if word.contains('T') => instant(at, zone),
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// `14:02:11` in the zone.
pub fn clock(at: Timestamp, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M:%S").to_string()
}

/// `2h 05m ago`, or `in 2h 05m` for an instant that lies ahead.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let span = now - at;
    if span < chrono::Duration::zero() {
        return format!("in {}", short_duration(span));
    }
    format!("{} ago", short_duration(span))
}

/// One unit only: `3d`, `26h`, `5m`, for narrow columns.
pub fn brief(seconds: i64) -> String {
    match seconds.unsigned_abs() {
        s if s < 60 => format!("{s}s"),
        s if s < 3_600 => format!("{}m", s / 60),
        s if s < 48 * 3_600 => format!("{}h", s / 3_600),
        s => format!("{}d", s / 86_400),
    }
}

/// `12:04` or `1:12:04`.
pub fn stopwatch(span: chrono::Duration) -> String {
    let s = span.num_seconds().max(0);
    let (hours, minutes, seconds) = (s / 3_600, s / 60 % 60, s % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

pub fn bytes(n: u64) -> String {
    ByteCount(n).to_string()
}

/// `12 400` with thin groups that every terminal shows: `12,400`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `3 backups`, `1 backup`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

pub const fn severity_role(severity: Severity) -> Role {
    match severity {
        Severity::Ok => Role::Ok,
        Severity::Warning => Role::Warning,
        Severity::Unknown => Role::Unknown,
        Severity::Critical => Role::Critical,
    }
}

pub const fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Warning => "warning",
        Severity::Unknown => "unknown",
        Severity::Critical => "critical",
    }
}

/// Level and outcome in one short word: `L4`, `L2 FAILED`, `L3 unsure`, `none`.
pub fn proof(proof: Option<&ProofRecord>) -> (String, Role) {
    match proof {
        None => ("none".to_owned(), Role::Faint),
        Some(p) => match p.outcome {
            ProofOutcome::Passed => (p.level.to_string(), Role::Ok),
            ProofOutcome::Failed => (format!("{} FAILED", p.wanted), Role::Critical),
            ProofOutcome::Unknown => (format!("{} unsure", p.wanted), Role::Unknown),
        },
    }
}

pub const fn effect_role(effect: Effect) -> Role {
    match effect {
        Effect::Observe => Role::Dim,
        Effect::Reversible => Role::Ok,
        Effect::Costly => Role::Info,
        Effect::Fence => Role::Warning,
        Effect::Irreversible => Role::Critical,
    }
}

pub const fn step_role(state: StepState) -> Role {
    use StepState as S;
    match state {
        S::Pending | S::Cancelled | S::NotRun => Role::Faint,
        S::Ready | S::Armed => Role::Dim,
        S::Blocked | S::AwaitingAnswer | S::AwaitingApproval | S::Skipped | S::DoneByHand => Role::Warning,
        S::Running | S::Verifying | S::Reconciling | S::Compensating => Role::Accent,
        S::Done | S::Compensated => Role::Ok,
        S::Failed | S::TimedOut | S::CompensationFailed => Role::Critical,
        S::Interrupted | S::Unknown => Role::Unknown,
    }
}

pub const fn status_role(status: &RunStatus) -> Role {
    match status {
        RunStatus::Ready | RunStatus::Running => Role::Accent,
        RunStatus::Waiting
        | RunStatus::Provisional
        | RunStatus::Paused { .. }
        | RunStatus::CompletedWithExceptions
        | RunStatus::Aborting => Role::Warning,
        RunStatus::AbortedClean => Role::Dim,
        RunStatus::AbortedDirty => Role::Critical,
        RunStatus::Completed => Role::Ok,
    }
}

/// `DRY-RUN`, `DRILL`, `REAL`.
pub const fn mode(mode: Mode) -> (&'static str, Role) {
    match mode {
        Mode::DryRun => ("DRY-RUN", Role::ModeDry),
        Mode::Drill => ("DRILL", Role::ModeDrill),
        Mode::Real => ("REAL", Role::ModeReal),
    }
}

/// The first digits of a digest, enough to compare by eye.
pub fn digest(hex: &str) -> String {
    hex.chars().take(12).collect()
}

/// A JSON value as an operator writes it.
/// A digest in groups, between which a narrow screen can break it.
pub fn grouped(digest: &str) -> String {
    let letters: Vec<char> = digest.chars().collect();
    letters.chunks(16).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

pub fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "none".to_owned(),
        serde_json::Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
        assert_eq!(brief(26 * 3_600), "26h");
        assert_eq!(brief(3 * 86_400), "3d");
        assert_eq!(stopwatch(chrono::Duration::seconds(3_725)), "1:02:05");
    }
}
