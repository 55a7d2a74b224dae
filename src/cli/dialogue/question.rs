//! What waits for the operator, as a block of text.

use crate::cli::table::Table;
use crate::cli::{Output, Tone};
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::runbook::{AnswerKind, Question, QuestionKind, RunState, RunStatus, SkipRule};
use std::io;

/// The open question, the pause, or the start: whatever the run waits for.
pub fn waits(state: &RunState, now: Timestamp, out: &mut Output) -> io::Result<()> {
    if let Some(asked) = &state.question {
        return question(asked, state, now, out);
    }
    match &state.status {
        RunStatus::Ready => {
            out.line("")?;
            out.line("The run has not begun. Nothing happens until you start it.")?;
            out.line("  answers: yes (starts the plan above) | abort REASON | arm REASON | note TEXT | detach")
        }
        RunStatus::Paused { cause } => {
            out.line("")?;
            out.line(&out.toned(Tone::Strong, &format!("Paused: {}", escaped(cause))))?;
            out.line("  answers: resume | abort REASON | abort-undo REASON | arm REASON | note TEXT | detach")
        }
        _ => Ok(()),
    }
}

fn question(asked: &Question, state: &RunState, now: Timestamp, out: &mut Output) -> io::Result<()> {
    let at = state.plan.steps.iter().position(|step| step.id == asked.step);
    let step = at.and_then(|at| state.plan.steps.get(at));
    out.line("")?;
    let place = at.map(|at| format!(" (step {} of {})", at + 1, state.plan.steps.len())).unwrap_or_default();
    let effect = step.map(|step| format!(", effect: {}", step.effect)).unwrap_or_default();
    out.line(&out.toned(Tone::Strong, &format!("Question {}{place}{effect}", asked.number)))?;
    out.line(&format!("  {}", escaped(&asked.title)))?;
    if let Some(step) = step.filter(|step| !step.help.is_empty()) {
        out.line(&format!("  {}", escaped(&step.help)))?;
    }
    match &asked.kind {
        QuestionKind::Answer { prompt, .. } | QuestionKind::Attest { prompt } => {
            out.line(&format!("  {}", escaped(prompt)))?;
        }
        _ => {}
    }
    approval(asked, out)?;
    target(asked, out)?;
    if let Some(loss) = &asked.loss {
        let (text, known, age) = (escaped(&loss.text), escaped(&loss.known_by), short_duration(now - loss.at));
        out.line(&out.toned(Tone::Warning, &format!("  lost:    {text}")))?;
        out.line(&format!("           known by {known}, looked at {age} ago"))?;
    }
    let armed = state.armed.as_ref().filter(|armed| armed.until > now);
    let guard = match armed {
        Some(armed) => format!("armed until {}", armed.until.format("%H:%M:%S UTC")),
        None => "read-only: steps that change something do not start".to_owned(),
    };
    out.line(&format!("  guard:   {guard}"))?;
    out.line(&format!("  yes:     {}", escaped(&asked.if_yes)))?;
    out.line(&format!("  no:      {}", escaped(&asked.if_no)))?;
    out.line(&format!("  nothing: {}", escaped(&asked.if_nothing)))?;
    if let QuestionKind::Phrase { phrase } | QuestionKind::Proof { phrase: Some(phrase), .. } = &asked.kind {
        out.line(&format!("  phrase:  {}", out.toned(Tone::Strong, &escaped(phrase))))?;
    }
    commit(state, now, out)?;
    let skip = step.map(|step| step.skip).unwrap_or_default();
    out.line(&format!("  answers: {}", answers(&asked.kind, skip).join(" | ")))
}

/// The ways at a commit point beside committing.
fn commit(state: &RunState, now: Timestamp, out: &mut Output) -> io::Result<()> {
    let Some(provisional) = state.provisional.as_ref().filter(|_| state.is_provisional()) else { return Ok(()) };
    let since = short_duration(now - provisional.since);
    let by = match (provisional.decide_by, state.overdue(now)) {
        (_, Some(late)) => out.toned(Tone::Critical, &format!("; OVERDUE for {}", short_duration(late))),
        (Some(by), None) => format!("; to be decided within {}", short_duration(by - now)),
        (None, None) => String::new(),
    };
    out.line(&format!("  provisional for {since}: recovered, not committed{by}"))?;
    let planned = state.plan.step(&provisional.step).and_then(|planned| planned.commit.as_ref()?.another.as_ref());
    if let Some(another) = planned {
        let set: Vec<String> = another.params.iter().map(|name| format!("--set {}=VALUE", escaped(name))).collect();
        let run = escaped(state.id.as_str());
        out.line(&format!("  another point, elsewhere: relight another-point {run} {} --reason WHY", set.join(" ")))?;
    }
    out.line("  roll back: abort-undo REASON")
}

/// What an approver signs, and how.
fn approval(asked: &Question, out: &mut Output) -> io::Result<()> {
    let QuestionKind::Approval { request, code, short, quorum } = &asked.kind else { return Ok(()) };
    for line in request.text().lines() {
        out.line(&format!("  | {}", escaped(line)))?;
    }
    let run = escaped(request.run.as_str());
    out.line(&format!("  approvals needed: {quorum}; on this machine: relight approve {run} --key FILE"))?;
    out.line(&format!("  elsewhere: relight approve CODE --key FILE; both must show {short}; CODE is"))?;
    out.line(&format!("  {code}"))
}

fn target(asked: &Question, out: &mut Output) -> io::Result<()> {
    if let Some(target) = &asked.target {
        let read = target.read_at.format("%H:%M:%S UTC");
        out.line(&format!("  target:  {}, read {read}", escaped(&target.title)))?;
        for (fact, value) in &target.facts {
            out.line(&format!("           {}: {}", escaped(fact), escaped(value)))?;
        }
    }
    if !asked.drift.is_empty() {
        let mut table = Table::new(&["  CHANGED", "IN THE PLAN", "NOW"]);
        for (fact, planned, now) in &asked.drift {
            table.row([format!("  {fact}").into(), planned.into(), now.into()]);
        }
        table.print(out)?;
    }
    Ok(())
}

/// Exactly what is taken.
fn answers(kind: &QuestionKind, skip: SkipRule) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = match kind {
        QuestionKind::Key | QuestionKind::Answer { answer: AnswerKind::YesNo, .. } => vec!["yes", "no"],
        QuestionKind::Phrase { .. } => vec!["the phrase itself", "no"],
        QuestionKind::Answer { answer: AnswerKind::Integer, .. } => vec!["a whole number", "no"],
        QuestionKind::Answer { answer: AnswerKind::Text, .. } => vec!["a text", "answer TEXT", "no"],
        QuestionKind::Attest { .. } => vec!["by-hand EVIDENCE (what you did and saw)", "no"],
        QuestionKind::Failed { may_retry, may_undo, may_look, .. } => {
            let ways = [(*may_retry, "retry"), (*may_undo, "undo"), (*may_look, "look"), (true, "by-hand EVIDENCE")];
            ways.iter().filter_map(|(may, word)| may.then_some(*word)).collect()
        }
        QuestionKind::Unknown => vec!["look", "by-hand EVIDENCE"],
        QuestionKind::Proof { phrase, from, .. } => {
            let ways = [(from.is_some(), "retry"), (phrase.is_some(), "the phrase itself"), (true, "no")];
            ways.iter().filter_map(|(may, word)| may.then_some(*word)).collect()
        }
        QuestionKind::Approval { .. } => vec!["approve NAME SIGNATURE", "no"],
        QuestionKind::Limit { .. } => vec!["raise AMOUNT REASON (2000objects, 30GiB)", "look", "no"],
        QuestionKind::Drift => vec!["accept REASON", "look", "no"],
        QuestionKind::Arm => vec![],
    };
    if skip == SkipRule::WithReason && *kind != QuestionKind::Unknown {
        all.push("skip REASON");
    }
    all.extend(["arm REASON", "pause REASON", "abort REASON", "abort-undo REASON", "note TEXT", "detach"]);
    all
}
