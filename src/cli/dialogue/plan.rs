//! A plan as text: everything that starting it would do.

use super::facts::facts;
use crate::cli::measured::exact;
use crate::cli::table::{Cell, Table};
use crate::cli::{Output, Tone, words};
use crate::model::task::{Effect, Values};
use crate::model::text::escaped;
use crate::model::time::short_duration;
use crate::runbook::estimate::{Estimate, Forecast, whole};
use crate::runbook::plan::PlannedAction;
use crate::runbook::template::render_phrase;
use crate::runbook::{Confirm, Mode, Plan, PlannedStep, SkipRule};
use chrono_tz::Tz;
use std::io;
use std::time::Duration;

pub fn plan(plan: &Plan, zone: Tz, out: &mut Output) -> io::Result<()> {
    let tone = if plan.mode == Mode::Real { Tone::Warning } else { Tone::Strong };
    let mode = out.toned(tone, &plan.mode.to_string().to_uppercase());
    let title = out.toned(Tone::Strong, &escaped(&plan.title));
    out.line(&format!("Plan: {title} ({}), mode {mode}", escaped(plan.runbook.as_str())))?;
    let environment = match plan.environment.as_str() {
        "" => String::new(),
        name => format!(" ({})", escaped(name)),
    };
    let made = words::instant(plan.made_at, zone);
    out.line(&format!("  estate {}{environment}, made {made}", escaped(&plan.estate)))?;
    out.line(&format!("  digest {}", plan.digest))?;
    block("Parameters", &plan.params, out)?;
    block("Resolved", &plan.resolved, out)?;
    block("Names, fixed now", &plan.names, out)?;
    out.line("What it touches")?;
    for line in &plan.touches {
        out.line(&format!("  - {}", escaped(line)))?;
    }
    if plan.touches.is_empty() {
        out.line("  the runbook names nothing")?;
    }
    for scope in &plan.lock_scope {
        out.line(&format!("Locked against other runs: {}", escaped(scope)))?;
    }
    let objective = |span: Option<Duration>| span.map_or("none".to_owned(), span_text);
    out.line(&format!("Objectives to keep: RPO {}, RTO {}", objective(plan.rpo), objective(plan.rto)))?;
    out.line("Steps")?;
    let learned = plan.steps.iter().any(|step| step.estimate.is_some());
    let mut headings = vec![">#", "STEP", "EFFECT", "ASKS", "UNDO", ">LIMIT", "SKIP", "TITLE"];
    if learned {
        headings.insert(6, ">TAKES");
    }
    let mut table = Table::new(&headings);
    for (at, step) in plan.steps.iter().enumerate() {
        let mut cells: Vec<Cell> = row(at, step).into();
        if learned {
            cells.insert(6, Cell::from(step.estimate.map(estimate_text).unwrap_or_default()));
        }
        table.row(cells);
    }
    table.print(out)?;
    if let Some(text) = expected(plan) {
        out.line(&text)?;
    }
    for step in &plan.steps {
        ordered(plan, step, out)?;
        proofs(step, out)?;
        watched(step, out)?;
        commits(step, out)?;
        let shown = step.phrase.as_deref().zip(step.identity.as_ref());
        if let Some(phrase) = shown.and_then(|(phrase, identity)| render_phrase(phrase, identity, "").ok()) {
            let place = escaped(step.id.as_str());
            out.line(&format!("{place} will ask for: {}", escaped(&phrase)))?;
        }
    }
    Ok(())
}

/// What a step works beside, and waits for.
fn ordered(plan: &Plan, step: &PlannedStep, out: &mut Output) -> io::Result<()> {
    match plan.order_of(step).filter(|_| step.omitted.is_none()) {
        Some(order) => out.line(&format!("{} {}", escaped(step.id.as_str()), escaped(&order))),
        None => Ok(()),
    }
}

/// What stops a step, how much it may touch, and what must hold after it.
fn watched(step: &PlannedStep, out: &mut Output) -> io::Result<()> {
    if let Some(watch) = step.stop_if.as_ref().filter(|_| step.omitted.is_none()) {
        let (id, wanted) = (escaped(step.id.as_str()), watch.wanted());
        out.line(&format!("{id} stops on this: {}", escaped(&wanted)))?;
    }
    if let Some(limit) = step.limit.filter(|_| step.omitted.is_none()) {
        out.line(&format!("{} touches at most {limit}, counted before it starts", escaped(step.id.as_str())))?;
    }
    if let Some(post) = step.post.as_ref().filter(|_| step.omitted.is_none()) {
        let (id, wanted) = (escaped(step.id.as_str()), post.wanted());
        out.line(&format!("{id} is done only when this holds: {}", escaped(&wanted)))?;
    }
    Ok(())
}

/// What the plan says of its commit point.
fn commits(step: &PlannedStep, out: &mut Output) -> io::Result<()> {
    let Some(commit) = step.commit.as_ref().filter(|_| step.omitted.is_none()) else { return Ok(()) };
    let id = escaped(step.id.as_str());
    let within = commit.decide_within.map(|span| format!("; to be decided within {}", span_text(span)));
    out.line(&format!(
        "{id} commits: before it the run is provisional, after it nothing is taken back{}",
        within.unwrap_or_default()
    ))?;
    if let Some(another) = &commit.another {
        let params = another.params.join(", ");
        out.line(&format!("{id} can be led to another point ({}): back to {}", escaped(&params), another.back_to))?;
    }
    Ok(())
}

/// What a step proves, and what it does not start without.
fn proofs(step: &PlannedStep, out: &mut Output) -> io::Result<()> {
    let id = escaped(step.id.as_str());
    if let Some(name) = &step.proof_out {
        out.line(&format!("{id} gives the proof {}", escaped(name)))?;
    }
    if !step.proof_in.is_empty() {
        let names = step.proof_in.join(", ");
        out.line(&format!("{id} starts only with the proof {}", escaped(&names)))?;
    }
    let declared = step.declare.as_ref().and_then(|declare| declare.approve.as_ref());
    for (what, approve) in [("", step.approve.as_ref()), (", when declared,", declared)] {
        if let Some(approve) = approve {
            let (quorum, ttl) = (approve.quorum, span_text(approve.ttl));
            let loss = escaped(&approve.loss);
            out.line(&format!("{id}{what} needs {quorum} approval(s), each within {ttl}; loss: {loss}"))?;
        }
    }
    if let Some(declare) = &step.declare {
        let (loss, phrase) = (escaped(&declare.loss), escaped(&declare.phrase));
        out.line(&format!("{id} may go on without it by the declaration “{phrase}”: {loss}"))?;
    }
    Ok(())
}

/// `12s to 20s`: the middle of earlier runs, and what nine of ten kept to.
fn estimate_text(estimate: Estimate) -> String {
    let text = |ms: u64| exact(chrono::Duration::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX)));
    match (text(estimate.p50_ms), text(estimate.p90_ms)) {
        (p50, p90) if p50 == p90 => p50,
        (p50, p90) => format!("{p50} to {p90}"),
    }
}

/// What all steps come to, from earlier runs.
fn expected(plan: &Plan) -> Option<String> {
    let Forecast { p50, p90, margin, unknown } = whole(plan)?;
    let margin = match margin {
        Some(margin) if margin < chrono::Duration::zero() => format!("; the RTO is missed by {}", exact(-margin)),
        Some(margin) => format!("; {} of the RTO are left then", exact(margin)),
        None => String::new(),
    };
    let unknown = match unknown {
        0 => String::new(),
        1 => "; 1 step was never measured".to_owned(),
        count => format!("; {count} steps were never measured"),
    };
    Some(format!(
        "Takes {} (p50) to {} (p90) of machine time, by earlier runs{margin}{unknown}",
        exact(p50),
        exact(p90)
    ))
}

pub fn span_text(span: Duration) -> String {
    short_duration(chrono::Duration::from_std(span).unwrap_or(chrono::Duration::MAX))
}

fn block(title: &str, values: &Values, out: &mut Output) -> io::Result<()> {
    let facts = facts(values);
    if facts.is_empty() {
        return Ok(());
    }
    out.line(title)?;
    let widest = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(32);
    for (name, value) in facts {
        out.line(&format!("  {name:<widest$}  {value}"))?;
    }
    Ok(())
}

fn row(at: usize, step: &PlannedStep) -> [Cell; 8] {
    let effect = match step.effect {
        Effect::Observe => Tone::Plain,
        Effect::Reversible | Effect::Costly => Tone::Warning,
        Effect::Fence | Effect::Irreversible => Tone::Critical,
    };
    let human = !matches!(step.action, PlannedAction::Task(_));
    let asks = match (&step.action, step.confirm) {
        _ if step.omitted.is_some() => "left out",
        (PlannedAction::Question { .. }, _) => "a question",
        (PlannedAction::Attest { .. }, _) => "work by hand",
        (_, Confirm::None) => "nothing",
        (_, Confirm::Key) => "yes",
        (_, Confirm::Phrase) => "a phrase",
    };
    let undo = match (&step.undo, step.effect) {
        (Some(undo), _) => Cell::from(&undo.module),
        (None, Effect::Observe) => Cell::new(Tone::Quiet, "not needed"),
        (None, _) => Cell::new(Tone::Warning, "no undo"),
    };
    let limit = if human { String::new() } else { span_text(step.timeout) };
    let skip = match step.skip {
        SkipRule::Forbidden => "no",
        SkipRule::WithReason => "with reason",
    };
    [
        (at + 1).to_string().into(),
        step.id.as_str().into(),
        Cell::new(effect, step.effect.to_string()),
        asks.into(),
        undo,
        limit.into(),
        skip.into(),
        Cell::from(&step.title),
    ]
}
