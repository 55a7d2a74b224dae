//! The one pass over an object: stored bytes are hashed, decoded and read in their form as they arrive.

use super::fault::Fault;
use super::inside::{self, Inside};
use super::layers::{self, Limits};
use super::source::{Digests, Source, Watch};
use super::unseal::{Keyless, Unseal};
use crate::model::content::{Content, Form};
use crate::model::proof::{Level, ProofOutcome};
use crate::model::size::ByteCount;
use crate::stores::{ObjectSum, SumKind};
use std::collections::BTreeMap;
use std::io::BufRead;

/// Checksums of the stored bytes that were recorded apart from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Where it was recorded, and the SHA-256, hexadecimal.
    pub sha256: Vec<(String, String)>,
    /// MD5 that a store gives as the entity tag of an object that was uploaded in one part. A difference
    /// proves nothing, because encrypting stores use other tags.
    pub md5: Option<String>,
    /// What the store itself keeps.
    pub stored: Vec<ObjectSum>,
}

impl Recorded {
    /// The sums of the whole that the store keeps.
    fn kept(&self) -> impl Iterator<Item = (SumKind, &str)> {
        self.stored.iter().filter_map(|sum| match sum {
            ObjectSum::Whole { kind, hex } => Some((*kind, hex.as_str())),
            ObjectSum::Composite { .. } => None,
        })
    }

    /// An entity tag, if it can be an MD5.
    pub fn md5_of_etag(etag: Option<&str>) -> Option<String> {
        etag.filter(|tag| tag.len() == 32 && tag.bytes().all(|b| b.is_ascii_hexdigit())).map(str::to_ascii_lowercase)
    }
}

/// What a pass is asked.
pub struct Job<'a> {
    pub wanted: Level,
    /// Size of the object as the store lists it.
    pub size: u64,
    pub recorded: Recorded,
    pub limits: Limits,
    pub watch: &'a dyn Watch,
    /// Makes the SHA-256 also where a checksum is recorded that costs less: the identity of what was proven.
    pub identity: bool,
    /// Told what part is being read, escaped.
    pub now_at: &'a (dyn Fn(&str) + Sync),
}

/// What a pass found out. `level`, `outcome` and `detail` are those of a ledger record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    pub level: Level,
    pub outcome: ProofOutcome,
    pub detail: String,
    /// Why it is not passed.
    pub fault: Option<Fault>,
    pub content: Content,
    /// Absent where the reading did not come to the end.
    pub digests: Option<Digests>,
    pub inside: Inside,
}

/// Reads an object once and says how far it is proven, without any key. See [`examine_with`].
pub fn examine(reader: impl BufRead, job: &Job<'_>) -> Examined {
    examine_with(reader, job, &Keyless)
}

/// Reads an object once, through its encryption where `keys` open it, and says how far it is proven. Never
/// proves more than `job.wanted`.
pub fn examine_with(reader: impl BufRead, job: &Job<'_>, keys: &dyn Unseal) -> Examined {
    let kept: Vec<SumKind> = job.recorded.kept().map(|(kind, _)| kind).collect();
    let nothing_cheaper = kept.is_empty() || kept.contains(&SumKind::Sha256);
    let with_sha256 = job.identity || !job.recorded.sha256.is_empty() || nothing_cheaper;
    let with_md5 = job.recorded.sha256.is_empty() && kept.is_empty() && job.recorded.md5.is_some();
    let source = Source::new(reader, job.watch).with_sha256(with_sha256).with_md5(with_md5);
    let mut source = source.with_sums(kept);
    let mut content = Content { wrapped: Vec::new(), form: Form::Unknown };
    let mut container_held = false;
    let looked = if job.wanted >= Level::L3 {
        look_inside(&mut source, job, keys, &mut content, &mut container_held)
    } else {
        Ok(Inside::default())
    };
    let digests = match &looked {
        Err(Fault::Lost(_) | Fault::Orphaned | Fault::Cancelled | Fault::Limit(_)) => None,
        _ => Some(source.drain()),
    };
    Verdict { job, content, container_held }.of(looked, digests)
}

fn look_inside<R: BufRead>(
    source: &mut Source<'_, R>,
    job: &Job<'_>,
    keys: &dyn Unseal,
    content: &mut Content,
    container_held: &mut bool,
) -> Result<Inside, Fault> {
    let mut opened = layers::open_with(Box::new(source), job.size, job.limits, job.watch, content, keys)?;
    let notes = std::mem::take(&mut opened.notes);
    let found = inside::read(content, &mut opened.reader, &job.now_at);
    if matches!(found, Err(Fault::Bad { .. })) && !content.wrapped.is_empty() {
        // The rest tells whether the damage is in the container or was already packed into it.
        *container_held = std::io::copy(&mut opened.reader, &mut std::io::sink()).is_ok();
    } else if found.is_ok() {
        ends_here(&mut opened.reader)?;
    }
    found.map(|mut inside| {
        inside.notes.extend(notes);
        inside
    })
}

/// A form's reader stopped at its own end; so must the content.
fn ends_here(reader: &mut dyn BufRead) -> Result<(), Fault> {
    let more = reader.fill_buf().map_err(|e| Fault::from_io(&e, "the end of the content", None))?;
    if more.is_empty() { Ok(()) } else { Err(Fault::bad("other bytes follow after the end of the content")) }
}

struct Verdict<'j, 'a> {
    job: &'j Job<'a>,
    content: Content,
    container_held: bool,
}

impl Verdict<'_, '_> {
    fn of(self, looked: Result<Inside, Fault>, drained: Option<Result<Digests, Fault>>) -> Examined {
        let (digests, broken) = match drained {
            Some(Ok(digests)) => (Some(digests), None),
            Some(Err(fault)) => (None, Some(fault)),
            None => (None, None),
        };
        let bad_inside = matches!(looked, Err(Fault::Bad { .. }));
        if let (Some(fault), false) = (broken, bad_inside) {
            return self.unknown(fault, None);
        }
        if let Some(fault) = digests.as_ref().and_then(|d| self.size_fault(d)) {
            return match fault {
                Fault::Bad { .. } => self.failed(Level::L0, fault, digests, BTreeMap::new()),
                _ => self.unknown(fault, digests),
            };
        }
        let mut facts = BTreeMap::new();
        let checked = digests.as_ref().map_or(Ok(false), |d| self.compare(d, &mut facts));
        let base = if checked == Ok(true) { Level::L2 } else { Level::L1 };
        if let Err(fault) = checked {
            return self.failed(Level::L1, fault, digests, facts);
        }
        match looked {
            Ok(inside) => self.passed(base, inside, digests, facts),
            Err(fault @ Fault::Bad { .. }) => {
                let level = if self.container_held { Level::L3 } else { base };
                self.failed(level, fault, digests, facts)
            }
            Err(Fault::Closed(why)) => {
                let inside = Inside { notes: vec![why], ..Inside::default() };
                self.passed(base, inside, digests, facts)
            }
            Err(fault) => self.unknown(fault, digests),
        }
    }

    fn size_fault(&self, digests: &Digests) -> Option<Fault> {
        if digests.bytes == 0 {
            return Some(Fault::bad("the object is empty"));
        }
        (digests.bytes != self.job.size).then(|| {
            Fault::Limit(format!(
                "the store lists {} bytes and gave {}: the object changed, or the store is wrong about it",
                self.job.size, digests.bytes
            ))
        })
    }

    /// Whether a checksum that was recorded apart from the bytes agrees. `false`: there is none.
    fn compare(&self, digests: &Digests, facts: &mut BTreeMap<String, String>) -> Result<bool, Fault> {
        let recorded = &self.job.recorded;
        let made = digests.sum(SumKind::Sha256).unwrap_or("unknown");
        for (place, sha256) in &recorded.sha256 {
            if !sha256.eq_ignore_ascii_case(made) {
                facts.insert("checksum".to_owned(), format!("differs from {place}"));
                return Err(Fault::bad(format!("its SHA-256 is {made}, but {place} records {sha256}")));
            }
        }
        let mut agreed: Vec<String> =
            recorded.sha256.first().map(|(place, _)| format!("SHA-256 matches {place}")).into_iter().collect();
        for (kind, kept) in recorded.kept() {
            let made = digests.sum(kind);
            if made.is_some_and(|made| made != kept) {
                facts.insert("checksum".to_owned(), format!("differs from the store's own {kind}"));
                let made = made.unwrap_or_default();
                return Err(Fault::bad(format!("its {kind} is {made}, but the store itself keeps {kept}")));
            }
            if made.is_some() {
                agreed.push(format!("{kind} matches the store's own"));
            }
        }
        if agreed.is_empty() && recorded.md5.is_some() && recorded.md5 == digests.md5 {
            agreed.push("MD5 matches the store's entity tag".to_owned());
        }
        let matched = !agreed.is_empty();
        if !matched {
            agreed.push("no recorded checksum to compare".to_owned());
        }
        agreed.extend(recorded.stored.iter().filter_map(|sum| match sum {
            ObjectSum::Composite { kind } => {
                Some(format!("the store's {kind} is one over parts and cannot be compared"))
            }
            ObjectSum::Whole { .. } => None,
        }));
        facts.insert("checksum".to_owned(), agreed.join(", "));
        Ok(matched)
    }

    fn passed(
        self,
        base: Level,
        mut inside: Inside,
        digests: Option<Digests>,
        mut facts: BTreeMap<String, String>,
    ) -> Examined {
        let level = inside.level.unwrap_or(base).max(base).min(self.job.wanted);
        let mut parts = Vec::new();
        if self.job.wanted >= Level::L3 {
            parts.push(if inside.summary.is_empty() {
                self.content.to_string()
            } else {
                format!("{}: {}", self.content, inside.summary)
            });
        }
        parts.append(&mut inside.notes.clone());
        parts.extend(facts.get("checksum").cloned());
        if level < self.job.wanted && inside.notes.is_empty() && self.job.wanted >= Level::L3 {
            parts.push(format!("nothing more can be checked in {} without restoring it", self.content.form));
        }
        facts.append(&mut inside.facts.clone());
        inside.facts = self.with_content(facts);
        Examined {
            level,
            outcome: ProofOutcome::Passed,
            detail: parts.join("; "),
            fault: None,
            content: self.content,
            digests,
            inside,
        }
    }

    fn failed(self, level: Level, fault: Fault, digests: Option<Digests>, facts: BTreeMap<String, String>) -> Examined {
        let mut detail =
            if self.job.wanted >= Level::L3 { format!("{}: {fault}", self.content) } else { fault.to_string() };
        if level == Level::L2 {
            detail.push_str("; its checksum is the recorded one, so it was written like this");
        }
        let inside = Inside { facts: self.with_content(facts), ..Inside::default() };
        Examined {
            level: level.min(self.job.wanted),
            outcome: ProofOutcome::Failed,
            detail,
            fault: Some(fault),
            content: self.content,
            digests,
            inside,
        }
    }

    fn unknown(self, fault: Fault, digests: Option<Digests>) -> Examined {
        let inside = Inside { facts: self.with_content(BTreeMap::new()), ..Inside::default() };
        Examined {
            level: Level::L0,
            outcome: ProofOutcome::Unknown,
            detail: format!("the check could not be finished: {fault}"),
            fault: Some(fault),
            content: self.content,
            digests,
            inside,
        }
    }

    fn with_content(&self, mut facts: BTreeMap<String, String>) -> BTreeMap<String, String> {
        if self.job.wanted >= Level::L3 {
            facts.insert("content".to_owned(), self.content.to_string());
        }
        facts.insert("stored_size".to_owned(), ByteCount(self.job.size).to_string());
        facts
    }
}

impl Examined {
    /// Plausible by its listing alone: nothing was read.
    pub fn listed(size: u64) -> Self {
        if size == 0 {
            return Self::bad(Fault::bad("the object is empty"));
        }
        let detail = format!("listed with {}; nothing of it was read", ByteCount(size));
        Self { level: Level::L1, outcome: ProofOutcome::Passed, detail, fault: None, ..Self::unread() }
    }

    /// A definite no before anything was read.
    pub fn bad(fault: Fault) -> Self {
        Self { outcome: ProofOutcome::Failed, detail: fault.to_string(), fault: Some(fault), ..Self::unread() }
    }

    fn unread() -> Self {
        Self {
            level: Level::L0,
            outcome: ProofOutcome::Unknown,
            detail: String::new(),
            fault: None,
            content: Content { wrapped: Vec::new(), form: Form::Unknown },
            digests: None,
            inside: Inside::default(),
        }
    }
}
