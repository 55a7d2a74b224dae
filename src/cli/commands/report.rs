//! `relight report`: one run as Markdown, from its journal alone.

use super::bundle;
use crate::cli::dialogue::{answer_words, elapsed, facts, sentence};
use crate::cli::run_document::{self, Told};
use crate::cli::{Globals, Output, measured, words};
use crate::event::EventKind;
use crate::model::task::TaskOutcome;
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::report::Exit;
use crate::runbook::measure::{measure, recovery_point, told_loss};
use crate::runbook::{Mode, Question, RunState};
use crate::runner::lessons::{self, Lesson};
use crate::runner::{RunFolder, runs};
use chrono_tz::Tz;
use color_eyre::eyre;
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// Print what happened in a run: plan, timeline, answers, exceptions, evidence
///
/// Markdown; every word of it comes from the run's journal, which is checked first.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
    /// Write report, journal, plan, approvals and public keys there instead: a new folder, or a new file that
    /// ends in .tar
    #[arg(long, value_name = "DIR|FILE.tar", requires = "key")]
    bundle: Option<PathBuf>,
    /// Sign the bundle with this private key, as `relight approver new` makes it
    #[arg(long, value_name = "FILE", requires = "bundle")]
    key: Option<PathBuf>,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.run)?;
    let now = setup.clock.now();
    if let (Some(to), Some(key)) = (&args.bundle, &args.key) {
        return bundle::write(&folder, setup.estate.time_zone, now, (to, key), out);
    }
    if out.json {
        run_document::print(&folder, now, out)?;
        return Ok(Exit::Fine);
    }
    markdown(&folder, &run_document::read(&folder)?, setup.estate.time_zone, now, out)?;
    Ok(Exit::Fine)
}

/// The whole report.
pub fn markdown(folder: &RunFolder, told: &Told, zone: Tz, now: Timestamp, out: &mut Output) -> eyre::Result<()> {
    header(told, zone, out)?;
    plan(&told.state, out)?;
    objectives(&told.state, now, out)?;
    section("Phases", out)?;
    measured::table(&measure(&told.events)?, &told.state.plan, out)?;
    timeline(told, zone, out)?;
    questions(told, zone, out)?;
    approvals(told, zone, out)?;
    amendments(&told.state, zone, out)?;
    exceptions(&told.state, zone, out)?;
    debts(&told.state, zone, out)?;
    taught(&lessons::read(folder)?.lessons, told.state.plan.mode, zone, out)?;
    steps(&told.state, out)?;
    out.line("")?;
    out.line("## Integrity")?;
    out.line("")?;
    out.line(&format!("- plan digest {}", code(&told.state.plan.digest)))?;
    out.line(&format!("- runbook digest {}", code(&told.state.plan.runbook_digest)))?;
    match &told.head {
        Some((entry, hash)) => out.line(&format!("- journal head: entry {entry}, {}", code(hash)))?,
        None => out.line("- journal head: not readable")?,
    }
    Ok(())
}

/// Who else said yes, and to what.
fn approvals(told: &Told, zone: Tz, out: &mut Output) -> io::Result<()> {
    section("Approvals", out)?;
    let mut any = false;
    for event in &told.events {
        if let EventKind::ApprovalGiven { step, approver, request, .. } = &event.kind {
            any = true;
            let (at, step) = (words::instant(event.at, zone), code(step.as_str()));
            out.line(&format!("- {at}, {step}, by {}: signed request {}", prose(approver), code(request)))?;
        }
    }
    if any { Ok(()) } else { out.line("None.") }
}

/// Text that Markdown leaves as it is.
fn code(text: &str) -> String {
    format!("`{}`", escaped(text).replace('`', "'"))
}

/// Text within a sentence: nothing in it may start markup.
fn prose(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escaped(text).chars() {
        if matches!(c, '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '\\') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

fn header(told: &Told, zone: Tz, out: &mut Output) -> io::Result<()> {
    let state = &told.state;
    out.line(&format!("# {}", prose(&state.plan.title)))?;
    out.line("")?;
    let mut fact = |name: &str, value: &str| out.line(&format!("- {name}: {value}"));
    fact("run", &code(state.id.as_str()))?;
    fact("status", &format!("**{}**", prose(&told.word)))?;
    fact("mode", &state.plan.mode.to_string())?;
    fact("estate", &format!("{} ({})", prose(&state.plan.estate), prose(&state.plan.environment)))?;
    fact("runbook", &code(state.plan.runbook.as_str()))?;
    fact("operator", &prose(&state.operator.to_string()))?;
    fact("created", &words::instant(state.created_at, zone))?;
    for (name, at) in [("started", state.started_at), ("ended", state.ended_at)] {
        fact(name, &at.map_or("not yet".to_owned(), |at| words::instant(at, zone)))?;
    }
    if let Some(abort) = &state.abort {
        let undo = if abort.undo { ", with undo" } else { "" };
        fact("aborted", &format!("by {}{undo}: {}", prose(&abort.by.to_string()), prose(&abort.reason)))?;
    }
    Ok(())
}

fn plan(state: &RunState, out: &mut Output) -> io::Result<()> {
    section("Plan", out)?;
    for (title, values) in
        [("parameter", &state.plan.params), ("resolved", &state.plan.resolved), ("name", &state.plan.names)]
    {
        for (name, value) in facts(values) {
            out.line(&format!("- {title} {}: {}", code(&name), code(&value)))?;
        }
    }
    for line in &state.plan.touches {
        out.line(&format!("- touches: {}", prose(line)))?;
    }
    Ok(())
}

fn objectives(state: &RunState, now: Timestamp, out: &mut Output) -> io::Result<()> {
    section("Objectives", out)?;
    match elapsed(state, now) {
        Some(text) => out.line(&format!("- {text}"))?,
        None => out.line("- the run was never started")?,
    }
    if let (Some(began), Some(human)) = (state.started_at, i64::try_from(state.human_wait_ms).ok()) {
        let machine = state.ended_at.unwrap_or(now) - began - chrono::Duration::milliseconds(human);
        out.line(&format!("- machine time {}", short_duration(machine)))?;
    }
    let rpo = state.plan.rpo.and_then(|rpo| chrono::Duration::from_std(rpo).ok());
    let judged = |gap: chrono::Duration| match rpo {
        Some(rpo) if gap <= rpo => format!("; RPO {}: met", short_duration(rpo)),
        Some(rpo) => format!("; RPO {}: MISSED", short_duration(rpo)),
        None => "; no RPO is set".to_owned(),
    };
    match (rpo, recovery_point(&state.plan), told_loss(state)) {
        (_, Some(at), _) => {
            let gap = state.created_at - at;
            let point = at.format("%Y-%m-%d %H:%M:%S UTC");
            out.line(&format!("- recovery point {point}, {} before the run{}", short_duration(gap), judged(gap)))
        }
        (_, None, Some(lost)) => out.line(&format!(
            "- the last {} of commits may be lost, a step measured{}",
            short_duration(lost),
            judged(lost)
        )),
        (Some(rpo), None, None) => {
            out.line(&format!("- RPO {}: the plan names no recovery point", short_duration(rpo)))
        }
        (None, None, None) => out.line("- no RPO is set"),
    }
}

fn timeline(told: &Told, zone: Tz, out: &mut Output) -> io::Result<()> {
    section("Timeline", out)?;
    let mut day = None;
    for event in &told.events {
        let Some((_, text)) = sentence(event, &told.state.plan) else { continue };
        let at = event.at.with_timezone(&zone);
        if day != Some(at.date_naive()) {
            day = Some(at.date_naive());
            out.line(&format!("- {}", at.format("%Y-%m-%d (%Z)")))?;
        }
        out.line(&format!("- {} {}", at.format("%H:%M:%S"), prose(&text)))?;
    }
    Ok(())
}

fn questions(told: &Told, zone: Tz, out: &mut Output) -> io::Result<()> {
    section("Questions and answers", out)?;
    let mut any = false;
    for event in &told.events {
        let at = event.at.with_timezone(&zone).format("%H:%M:%S");
        match &event.kind {
            EventKind::QuestionAsked { number, question, .. } => {
                any = true;
                let asked = serde_json::from_value::<Question>(question.clone());
                let title = asked.as_ref().map(|asked| asked.title.as_str()).unwrap_or_default();
                out.line(&format!("- {at} question {number}: {}", prose(title)))?;
                if let Some(loss) = asked.as_ref().ok().and_then(|asked| asked.loss.as_ref()) {
                    let seen = loss.at.with_timezone(&zone).format("%H:%M:%S");
                    out.line(&format!("  - would be lost: {} ({}, {seen})", prose(&loss.text), prose(&loss.known_by)))?;
                }
                for (fact, value) in asked.iter().filter_map(|asked| asked.target.as_ref()).flat_map(|t| &t.facts) {
                    out.line(&format!("  - target {}: {}", code(fact), code(value)))?;
                }
            }
            EventKind::Answered { number, answer, refused, .. } => {
                let said =
                    serde_json::from_value(answer.clone()).map_or_else(|_| text_of(answer), |a| answer_words(&a));
                let by = prose(&event.actor.to_string());
                let end = refused.as_ref().map(|why| format!(", refused: {}", prose(why))).unwrap_or_default();
                out.line(&format!("  - {at} answer to {number} by {by}: {}{end}", prose(&said)))?;
            }
            _ => {}
        }
    }
    if any { Ok(()) } else { out.line("None.") }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What was changed on the way, and how the run stands to its commit point.
fn amendments(state: &RunState, zone: Tz, out: &mut Output) -> io::Result<()> {
    if let Some(provisional) = &state.provisional {
        section("Commit", out)?;
        out.line(&format!("- recovered, not committed, since {}", words::instant(provisional.since, zone)))?;
        if let Some(by) = provisional.decide_by {
            let late = provisional.overdue_at.map(|_| ", and that passed without a decision").unwrap_or_default();
            out.line(&format!("- to be decided by {}{late}", words::instant(by, zone)))?;
        }
        match (state.committed_at(), &state.abort) {
            (Some(at), _) => out.line(&format!("- committed {}", words::instant(at, zone)))?,
            (None, Some(abort)) if abort.undo => {
                out.line(&format!("- rolled back by {}: {}", prose(&abort.by.to_string()), prose(&abort.reason)))?;
            }
            (None, _) => out.line("- not committed")?,
        }
    }
    if state.amendments.is_empty() {
        return Ok(());
    }
    section("Amendments", out)?;
    for amendment in &state.amendments {
        let (at, by) = (words::instant(amendment.at, zone), prose(&amendment.by.to_string()));
        out.line(&format!("- {at}, by {by}: {}", prose(&amendment.why)))?;
        for change in &amendment.changes {
            out.line(&format!("  - {}", code(&change.words())))?;
        }
    }
    Ok(())
}

fn exceptions(state: &RunState, zone: Tz, out: &mut Output) -> io::Result<()> {
    section("Exceptions", out)?;
    for exception in &state.exceptions {
        let at = words::instant(exception.at, zone);
        let by = prose(&exception.by.to_string());
        out.line(&format!("- {at}, {}, by {by}: {}", code(exception.step.as_str()), prose(&exception.text)))?;
    }
    if state.exceptions.is_empty() {
        out.line("None.")?;
    }
    section("Left behind", out)?;
    for leftover in &state.leftovers {
        out.line(&format!("- {}", prose(leftover)))?;
    }
    if state.leftovers.is_empty() {
        let text = if state.status.is_over() { "Nothing that the run knows of." } else { "The run is not over." };
        out.line(text)?;
    }
    Ok(())
}

/// Only drills make things that they must clear.
fn debts(state: &RunState, zone: Tz, out: &mut Output) -> io::Result<()> {
    if state.plan.mode != Mode::Drill {
        return Ok(());
    }
    section("Made and cleared", out)?;
    for debt in &state.debts {
        let standing = match debt.gone_at {
            Some(at) => format!("seen gone {}", words::instant(at, zone)),
            None => "**NOT CLEARED**".to_owned(),
        };
        let since = words::instant(debt.since, zone);
        out.line(&format!("- {}, made by {} {since}: {standing}", prose(&debt.title), code(debt.step.as_str())))?;
    }
    if state.debts.is_empty() {
        out.line("It made nothing.")?;
    }
    Ok(())
}

/// Open lessons first; a drill without any says how to write one down.
fn taught(lessons: &[Lesson], mode: Mode, zone: Tz, out: &mut Output) -> io::Result<()> {
    if lessons.is_empty() && mode != Mode::Drill {
        return Ok(());
    }
    section("Lessons", out)?;
    let (open, learnt): (Vec<&Lesson>, Vec<&Lesson>) = lessons.iter().partition(|lesson| lesson.done.is_none());
    for lesson in open.into_iter().chain(learnt) {
        let (at, owner) = (words::instant(lesson.at, zone), prose(&lesson.owner));
        let standing = match &lesson.done {
            None => "**open**".to_owned(),
            Some(done) => format!("learnt {}: {}", words::instant(done.at, zone), prose(&done.text)),
        };
        out.line(&format!("- {}. {} (owner {owner}, {at}): {standing}", lesson.number, prose(&lesson.text)))?;
    }
    if lessons.is_empty() {
        out.line("None written down: `relight lesson RUN --owner NAME --text TEXT` adds one.")?;
    }
    Ok(())
}

fn steps(state: &RunState, out: &mut Output) -> io::Result<()> {
    section("Steps and their evidence", out)?;
    for (at, (planned, record)) in state.plan.steps.iter().zip(&state.steps).enumerate() {
        let why = record.why.as_deref().map(|why| format!(": {}", prose(why))).unwrap_or_default();
        let attempts = if record.attempt > 1 { format!(", {} attempts", record.attempt) } else { String::new() };
        out.line(&format!("{}. {}: **{}**{attempts}{why}", at + 1, prose(&planned.title), record.state))?;
        if let Some(TaskOutcome::Done { output }) = &record.outcome {
            for (name, value) in facts(output) {
                out.line(&format!("   - {}: {}", code(&name), code(&value)))?;
            }
        }
        if let Some(limit) = planned.limit.filter(|_| planned.omitted.is_none()) {
            let allowed = record.allowed.map(|allowed| format!(", amended to {allowed}")).unwrap_or_default();
            out.line(&format!("   - may touch at most {limit}{allowed}"))?;
        }
        if let Some(watch) = planned.stop_if.as_ref().filter(|_| planned.omitted.is_none()) {
            out.line(&format!("   - stops on this: {}", code(&watch.wanted())))?;
        }
        if let Some(post) = planned.post.as_ref().filter(|_| planned.omitted.is_none()) {
            out.line(&format!("   - done only when this holds: {}", code(&post.wanted())))?;
        }
        if let Some(failure) = record.last_failure() {
            for line in [&failure.what, &failure.meaning].into_iter().chain(&failure.evidence) {
                out.line(&format!("   - {}", code(line)))?;
            }
        }
    }
    Ok(())
}

fn section(title: &str, out: &mut Output) -> io::Result<()> {
    out.line("")?;
    out.line(&format!("## {title}"))?;
    out.line("")
}
