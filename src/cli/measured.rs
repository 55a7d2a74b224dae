//! What a run took against its objectives, as lines of a report and as part of a document.

use super::output::Output;
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::runbook::measure::Measured;
use crate::runbook::{Mode, Plan, StepState};
use chrono::Duration;
use serde::Serialize;
use std::io;

/// Seconds with milliseconds: phases of a drill may be short.
#[derive(Serialize)]
pub struct Row<'a> {
    recovery_seconds: Option<f64>,
    rto_met: Option<bool>,
    machine_seconds: f64,
    people_seconds: f64,
    unattended_seconds: f64,
    recovery_point: Option<Timestamp>,
    loss_seconds: Option<f64>,
    rpo_met: Option<bool>,
    phases: Vec<PhaseRow<'a>>,
}

#[derive(Serialize)]
struct PhaseRow<'a> {
    step: &'a str,
    state: StepState,
    machine_seconds: f64,
    people_seconds: f64,
    clears: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    prepares: bool,
}

fn seconds(span: Duration) -> f64 {
    span.num_milliseconds() as f64 / 1000.0
}

impl<'a> Row<'a> {
    pub fn new(measured: &'a Measured) -> Self {
        let phase = |phase: &'a crate::runbook::measure::Phase| PhaseRow {
            step: phase.step.as_str(),
            state: phase.state,
            machine_seconds: seconds(phase.machine),
            people_seconds: seconds(phase.people),
            clears: phase.clears,
            prepares: phase.prepares,
        };
        Self {
            recovery_seconds: measured.recovery.map(seconds),
            rto_met: measured.rto_met,
            machine_seconds: seconds(measured.machine),
            people_seconds: seconds(measured.people),
            unattended_seconds: seconds(measured.unattended),
            recovery_point: measured.recovery_point,
            loss_seconds: measured.loss.map(seconds),
            rpo_met: measured.rpo_met,
            phases: measured.phases.iter().map(phase).collect(),
        }
    }
}

/// `1h 02m 03.4s`, short enough for a table and exact enough for a drill of seconds.
pub fn exact(span: Duration) -> String {
    let (whole, tenths) = (span.num_seconds(), span.num_milliseconds() % 1000 / 100);
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds}.{tenths}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds:02}s"),
        (hours, minutes, seconds) => format!("{hours}h {minutes:02}m {seconds:02}s"),
    }
}

/// A Markdown table of the phases, and what they come to.
pub fn table(measured: &Measured, plan: &Plan, out: &mut Output) -> io::Result<()> {
    out.line("| phase | state | machine | people |")?;
    out.line("|---|---|---:|---:|")?;
    for phase in &measured.phases {
        let title = escaped(&phase.title).replace('|', "\\|");
        let clears = match phase {
            phase if phase.clears => " (clearing, not counted)",
            phase if phase.prepares => " (preparing, not counted)",
            _ => "",
        };
        let (machine, people) = (exact(phase.machine), exact(phase.people));
        out.line(&format!("| {title}{clears} | {} | {machine} | {people} |", phase.state))?;
    }
    out.line("")?;
    let what = if plan.mode == Mode::Drill { "Measured" } else { "Taken" };
    let (machine, people) = (exact(measured.machine), exact(measured.people));
    let nobody = match measured.unattended {
        none if none.is_zero() => String::new(),
        span => format!(", {} without a runner", exact(span)),
    };
    let judged = match (plan.rto.and_then(|rto| Duration::from_std(rto).ok()), measured.rto_met) {
        (Some(rto), Some(true)) => format!(" RTO {}: met.", short_duration(rto)),
        (Some(rto), Some(false)) => format!(" RTO {}: MISSED.", short_duration(rto)),
        _ => String::new(),
    };
    match measured.recovery {
        Some(recovery) => out.line(&format!(
            "{what} recovery time {}: machine {machine}, people {people}{nobody}.{judged}",
            exact(recovery)
        )),
        None => out.line(&format!("Not recovered; so far machine {machine}, people {people}{nobody}.")),
    }
}
