//! A checklist against what is known now: pure, and never better than what could be seen.

use super::definition::{Check, Checklist, Item};
use super::notes::{Note, Outcome};
use crate::catalog::Catalog;
use crate::health::{Finding, HealthReport, Severity};
use crate::model::id::AssetId;
use crate::model::proof::{Level, ProofOutcome, ProofRecord};
use crate::model::time::Timestamp;
use chrono::Duration;
use chrono_tz::Tz;
use std::collections::HashSet;

/// The rule that says that a store could not be listed: what it hides cannot be ticked.
const UNSEEN: &str = "store-unseen";

/// What a judgement stands on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub health: &'a HealthReport,
    pub catalog: &'a Catalog,
    /// Proofs of backups of the catalog.
    pub proofs: &'a [ProofRecord],
    /// All notes, oldest first.
    pub notes: &'a [Note],
    pub zone: Tz,
    pub now: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Judged<'a> {
    pub list: &'a Checklist,
    /// When its period began.
    pub since: Timestamp,
    /// The worst of its items.
    pub verdict: Severity,
    pub items: Vec<JudgedItem<'a>>,
}

#[derive(Clone, Debug)]
pub struct JudgedItem<'a> {
    pub item: &'a Item,
    pub verdict: Severity,
    /// One sentence: what was seen, or what is missing.
    pub answer: String,
    /// What shows it, one line each.
    pub evidence: Vec<String>,
    /// The person's word of this period.
    pub note: Option<&'a Note>,
}

pub fn judge<'a>(list: &'a Checklist, facts: Facts<'a>) -> Judged<'a> {
    let since = list.period.start(facts.now, facts.zone);
    let items: Vec<JudgedItem<'a>> = list
        .items
        .iter()
        .map(|item| match &item.check {
            Check::Rules(rules) => by_rules(item, rules, facts),
            Check::Proof { level, within } => by_proof(item, *level, *within, facts),
            Check::Person { .. } => by_person(item, list, since, facts),
        })
        .collect();
    let verdict = items.iter().map(|item| item.verdict).max().unwrap_or(Severity::Unknown);
    Judged { list, since, verdict, items }
}

/// Each finding with whose it is.
fn findings(health: &HealthReport) -> impl Iterator<Item = (String, &Finding)> {
    let assets = health.assets.iter().flat_map(|a| a.findings.iter().map(move |f| (a.id.to_string(), f)));
    let stores = health.stores.iter().flat_map(|s| s.findings.iter().map(move |f| (format!("store {}", s.id), f)));
    assets.chain(stores)
}

/// What could not be seen, one line each.
fn unseen(health: &HealthReport) -> Vec<String> {
    findings(health)
        .filter(|(_, finding)| finding.rule == UNSEEN)
        .map(|(of, finding)| format!("{of}: {}", finding.message))
        .collect()
}

/// The verdict of something measured: what was found, else whether all could be seen.
fn measured<'a>(item: &'a Item, found: Vec<(Severity, String)>, good: String, facts: Facts) -> JudgedItem<'a> {
    let hidden = unseen(facts.health);
    let worst = found.iter().map(|(severity, _)| *severity).max();
    let evidence: Vec<String> = found.into_iter().map(|(_, line)| line).collect();
    let (verdict, answer) = match (worst, facts.health.assets.is_empty(), hidden.is_empty()) {
        (Some(worst), ..) if evidence.len() == 1 => (worst, evidence[0].clone()),
        (Some(worst), ..) => (worst, format!("{} findings stand against it.", evidence.len())),
        (None, true, _) => (Severity::Unknown, "Nothing was judged: no asset is known.".to_owned()),
        (None, false, false) => (Severity::Unknown, "Not everything could be seen.".to_owned()),
        (None, false, true) => (Severity::Ok, good),
    };
    let evidence = if worst.is_some() { evidence } else { hidden };
    JudgedItem { item, verdict, answer, evidence, note: None }
}

fn by_rules<'a>(item: &'a Item, rules: &[String], facts: Facts) -> JudgedItem<'a> {
    let found = findings(facts.health)
        .filter(|(_, finding)| rules.contains(&finding.rule))
        .map(|(of, finding)| (finding.severity, format!("{of}: {}", finding.message)))
        .collect();
    measured(item, found, format!("Measured on {} assets.", facts.health.assets.len()), facts)
}

fn by_proof<'a>(item: &'a Item, level: Level, within: Duration, facts: Facts) -> JudgedItem<'a> {
    let good = |record: &ProofRecord| {
        record.outcome == ProofOutcome::Passed && record.level >= level && facts.now - record.at <= within
    };
    let asset_of = |record: &&ProofRecord| facts.catalog.get(&record.backup).map(|backup| &backup.asset);
    let proven: HashSet<&AssetId> =
        facts.proofs.iter().filter(|record| good(record)).filter_map(|r| asset_of(&r)).collect();
    let days = within.num_days();
    let span = if days >= 2 { format!("{days} days") } else { format!("{} hours", within.num_hours()) };
    let found = facts
        .health
        .assets
        .iter()
        .filter(|asset| !proven.contains(&asset.id))
        .map(|asset| (Severity::Warning, format!("{}: no proof of level {level} in the last {span}.", asset.id)))
        .collect();
    measured(item, found, format!("Every asset has a proof of level {level} from the last {span}."), facts)
}

fn by_person<'a>(item: &'a Item, list: &'a Checklist, since: Timestamp, facts: Facts<'a>) -> JudgedItem<'a> {
    let of_item = |note: &&Note| note.checklist == list.id && note.item == item.id;
    let note = facts.notes.iter().rev().filter(of_item).find(|note| note.at >= since && note.at <= facts.now);
    let (verdict, answer) = match note {
        None => (Severity::Warning, format!("Nobody has answered it this {}.", list.period.word())),
        Some(note) if note.outcome == Outcome::Passed => (Severity::Ok, format!("{} says: {}", note.by, note.text)),
        Some(note) => (Severity::Critical, format!("{} says it does not hold: {}", note.by, note.text)),
    };
    JudgedItem { item, verdict, answer, evidence: Vec::new(), note }
}
