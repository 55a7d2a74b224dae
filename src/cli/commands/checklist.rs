//! `relight checklist`: what must be looked at every day, week, month or quarter; the exit code is the worst item.

use crate::checklist::{Check, Checklist, Facts, Judged, JudgedItem, Log, Note, Outcome, judge};
use crate::cli::scan::scan_all;
use crate::cli::{Globals, Output, Tone};
use crate::health::Severity;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::{Exit, Fault};
use crate::wiring::Setup;
use color_eyre::eyre;
use serde::Serialize;

/// Go through a checklist: measured where it can be, answered by people where not
///
/// The exit code is the worst item: 0 all hold, 1 something is open or warns, 2 critical, 3 unknown.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// daily, weekly, monthly, quarterly, or one of your own
    #[arg(value_name = "NAME")]
    name: String,
    /// Answer an item that a person must look at: it holds
    #[arg(long, value_name = "ITEM=TEXT")]
    passed: Vec<String>,
    /// Answer an item that a person must look at: it does not hold
    #[arg(long, value_name = "ITEM=TEXT")]
    failed: Vec<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    checklist: &'a str,
    title: &'a str,
    period: &'static str,
    since: Timestamp,
    origin: &'a str,
    verdict: Severity,
    items: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    checked_by: &'static str,
    verdict: Severity,
    answer: &'a str,
    evidence: &'a [String],
    asks: Option<&'a str>,
    note: Option<&'a Note>,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let (lists, errors) = setup.checklists();
    let Some(list) = lists.iter().find(|list| list.id == args.name) else {
        let names: Vec<String> = lists.iter().map(|list| format!("`{}`", list.id)).collect();
        let fault = Fault::usage(format!("there is no checklist `{}`", escaped(&args.name)));
        return Err(fault.lines(&errors).hint(format!("the checklists are {}", names.join(", "))).into());
    };
    let log = Log::in_state(&setup.state_dir);
    for note in answers(args, list, &setup)? {
        log.append(&note)?;
    }
    let notes = log.read()?;
    let scanned = scan_all(globals, &setup).await;
    let facts = Facts {
        health: &scanned.health,
        catalog: &scanned.catalog,
        proofs: &scanned.proofs,
        notes: &notes.notes,
        zone: setup.estate.time_zone,
        now: setup.clock.now(),
    };
    let judged = judge(list, facts);
    if out.json {
        out.document("checklist", 1, facts.now, &body(&judged))?;
    } else {
        text(&judged, &setup, out)?;
        for line in &notes.unreadable {
            out.line(&format!("warning: line {line} of the kept answers cannot be read"))?;
        }
    }
    Ok(judged.verdict.into())
}

/// The answers of the command line, all of them good, or none.
fn answers(args: &Args, list: &Checklist, setup: &Setup) -> eyre::Result<Vec<Note>> {
    let passed = args.passed.iter().map(|text| (Outcome::Passed, text));
    let failed = args.failed.iter().map(|text| (Outcome::Failed, text));
    passed.chain(failed).map(|(outcome, text)| answer(outcome, text, list, setup)).collect()
}

fn answer(outcome: Outcome, given: &str, list: &Checklist, setup: &Setup) -> eyre::Result<Note> {
    let (id, text) = given.split_once('=').unwrap_or((given, ""));
    let asked = list.items.iter().find(|item| item.id == id);
    let why = match asked.map(|item| &item.check) {
        None => "there is no such item",
        Some(Check::Rules(_) | Check::Proof { .. }) => "it is measured: nobody can tick it by hand",
        Some(Check::Person { .. }) if text.trim().is_empty() => "an answer says what was seen: ITEM=TEXT",
        Some(Check::Person { .. }) => {
            let (at, by) = (setup.clock.now(), setup.actor.clone());
            let (checklist, item) = (list.id.clone(), id.to_owned());
            return Ok(Note { checklist, item, at, by, outcome, text: text.trim().to_owned() });
        }
    };
    let open: Vec<&str> =
        list.items.iter().filter(|i| matches!(i.check, Check::Person { .. })).map(|i| i.id.as_str()).collect();
    let fault = Fault::usage(format!("item `{}` of `{}` cannot be answered: {why}", escaped(id), list.id));
    Err(fault.hint(format!("items for people: {}; nothing was kept", open.join(", "))).into())
}

fn body<'a>(judged: &'a Judged<'a>) -> Body<'a> {
    let row = |item: &'a JudgedItem<'a>| {
        let asks = match &item.item.check {
            Check::Person { asks } => Some(asks.as_str()),
            Check::Rules(_) | Check::Proof { .. } => None,
        };
        Row {
            id: &item.item.id,
            title: &item.item.title,
            checked_by: if asks.is_some() { "person" } else { "measure" },
            verdict: item.verdict,
            answer: &item.answer,
            evidence: &item.evidence,
            asks,
            note: item.note,
        }
    };
    Body {
        checklist: &judged.list.id,
        title: &judged.list.title,
        period: judged.list.period.word(),
        since: judged.since,
        origin: &judged.list.origin,
        verdict: judged.verdict,
        items: judged.items.iter().map(row).collect(),
    }
}

fn text(judged: &Judged<'_>, setup: &Setup, out: &mut Output) -> eyre::Result<()> {
    let estate = &setup.estate;
    let verdict = out.toned(judged.verdict.into(), &judged.verdict.to_string());
    let since = judged.since.with_timezone(&estate.time_zone).format("%Y-%m-%d");
    let title = escaped(&judged.list.title);
    out.line(&format!("{title}, {} ({}): {verdict}, since {since}", escaped(&estate.name), estate.environment))?;
    for judged in &judged.items {
        let mark = match judged.verdict {
            Severity::Ok => "[x]",
            Severity::Warning => "[ ]",
            Severity::Unknown => "[?]",
            Severity::Critical => "[!]",
        };
        let mark = out.toned(judged.verdict.into(), mark);
        let name = out.toned(Tone::Strong, &escaped(&judged.item.title));
        out.line("")?;
        out.line(&format!("{mark} {name}  ({})", escaped(&judged.item.id)))?;
        out.line(&format!("    {}", escaped(&judged.answer)))?;
        for line in judged.evidence.iter().filter(|line| **line != judged.answer) {
            out.line(&format!("    - {}", escaped(line)))?;
        }
        if let (Check::Person { asks }, None) = (&judged.item.check, judged.note) {
            out.line(&format!("    asks: {}", escaped(asks)))?;
        }
    }
    Ok(())
}
