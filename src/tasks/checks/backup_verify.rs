//! `backup.verify`: reads one copy of a backup once and records how far it is proven.

use super::reading::{Meter, Object, read_through};
use super::subject::{Asked, BACKUP, SOURCE, STORE, Subject, instant};
use super::verdict::{output, settle_record};
use crate::model::backup::Backup;
use crate::model::id::StoreId;
use crate::model::proof::{Level, ProofOutcome, ProofRecord};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::proof::layers::Limits;
use crate::proof::{Examined, Fault, Job, Ledger, examine_with};
use crate::stores::{Pin, Store, StoreErrorKind};
use crate::tasks::context::TaskContext;
use crate::tasks::crypt::keyring::Keyring;
use crate::tasks::input::{Stop, read, settle_or_stop};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::span;
use crate::tasks::source::{is_folder, store_failure};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

pub struct BackupVerify;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.verify",
    summary: "Read one copy of a backup once and record how far it is proven",
    effect: Effect::Observe,
    inputs: &[
        SOURCE,
        BACKUP,
        STORE,
        InputSpec { name: "level", kind: InputKind::Text, required: false, help: "L1 to L4; default L4" },
        InputSpec {
            name: "believe",
            kind: InputKind::Text,
            required: false,
            help: "A proof of these very bytes, with their SHA-256, that is at most this old is taken for one: 24h; default 0s",
        },
    ],
    outputs: &["backup", "store", "path", "level", "outcome", "detail", "sha256", "size_bytes", "facts"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    asked: Asked,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    believe: Option<String>,
}

#[async_trait::async_trait]
impl Module for BackupVerify {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, verify(cx, input)).await
    }
}

async fn verify(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let level = wanted(input.level.as_deref())?;
    // Whoever loads a source holds it to the sum of the plan, so that the proof must be of that one.
    let held = input.asked.source.as_ref().map(|source| source.sha256.clone());
    let subject = Subject::of(cx, input.asked, true)?;
    let within = span(input.believe.as_deref().or(Some("0s")))?;
    let standing = standing(cx, &subject, level, within);
    if let Some(record) = standing.filter(|record| held.as_ref().is_none_or(|sha256| *sha256 == record.sha256)) {
        // That they are still the same bytes is seen now; whoever reads them all holds them to their SHA-256.
        subject.pinned(&**subject.store(cx)?).await?;
        cx.feed.line(format!("proven {} by {}, and still the same object", instant(record.at), record.actor));
        return Ok(output(record));
    }
    settled(cx, &subject, level).await
}

/// The newest proof of the subject's very bytes, if it says enough and is not older than `within`.
fn standing<'s>(cx: &TaskContext, subject: &'s Subject, wanted: Level, within: Duration) -> Option<&'s ProofRecord> {
    let record = subject.earlier.as_ref()?;
    let age = (cx.clock.now() - record.at).to_std().ok()?;
    let enough = record.outcome == ProofOutcome::Passed && record.level >= wanted && record.sha256.is_some();
    (enough && !within.is_zero() && age <= within && !is_folder(&subject.path)).then_some(record)
}

/// Proves one copy of a backup that a scan of this minute has found, and records it.
pub async fn prove_copy(
    cx: &TaskContext,
    backup: &Backup,
    store: &StoreId,
    path: &str,
    level: Option<&str>,
) -> Result<Values, Stop> {
    let level = wanted(level)?;
    let records = Ledger::in_state(&cx.state_dir).read().map(|proofs| proofs.records).unwrap_or_default();
    let copy = backup.copies.iter().find(|copy| copy.store == *store && copy.path == path);
    let copy = copy.ok_or_else(|| Failure::new(format!("{} has no copy `{}`", backup.id, escaped(path))))?;
    settled(cx, &Subject::of_copy(backup, copy, &records), level).await
}

async fn settled(cx: &TaskContext, subject: &Subject, level: Level) -> Result<Values, Stop> {
    let store = subject.store(cx)?;
    let (examined, pin) = prove(cx, &**store, subject, level).await?;
    let record = record(cx, subject, level, &examined, &pin);
    settle_record(cx, record, examined.fault).await
}

fn wanted(text: Option<&str>) -> Result<Level, Failure> {
    let level = text.filter(|t| !t.is_empty()).map_or(Ok(Level::L4), str::parse);
    match level {
        Ok(level @ (Level::L1 | Level::L2 | Level::L3 | Level::L4)) => Ok(level),
        Ok(level) => Err(Failure::new(format!("{level} cannot be proven by reading"))
            .means("L0 needs no proof; L5 and L6 need a restore")
            .next("ask for L1 to L4, or run a restore runbook as a drill")),
        Err(why) => Err(Failure::new(why).next("write L1, L2, L3 or L4")),
    }
}

async fn prove(cx: &TaskContext, store: &dyn Store, subject: &Subject, level: Level) -> Result<(Examined, Pin), Stop> {
    if let Some(examined) = implausible(cx, subject) {
        return Ok((examined, subject.known.clone()));
    }
    if is_folder(&subject.path) {
        let examined = super::verify_tree::prove(cx, store, subject, level).await?;
        return Ok((examined, subject.known.clone()));
    }
    let pin = subject.pinned(store).await?;
    let examined = if level <= Level::L1 {
        Examined::listed(pin.size)
    } else {
        let (recorded, silent) = subject.sums(store, &pin).await?;
        let object = Object { path: &subject.path, pin: &pin, recorded, before: 0, total: pin.size };
        let keys = Keyring::of(cx, &subject.asset, &subject.store, &subject.path);
        let examined = read_object(cx, store, object, level, keys).await?;
        let mut examined = confirm(store, subject, &pin, examined).await;
        if let Some(why) = silent {
            examined
                .inside
                .facts
                .insert("store_checksums".to_owned(), escaped(&format!("could not be asked: {why}")).into_owned());
        }
        examined
    };
    Ok((examined, pin))
}

/// A time that cannot be: it lies more than a day ahead.
fn implausible(cx: &TaskContext, subject: &Subject) -> Option<Examined> {
    let ahead = subject.taken_at - cx.clock.now();
    (ahead > chrono::Duration::days(1)).then(|| {
        Examined::bad(Fault::bad(format!(
            "it claims to be taken at {}, which lies in the future",
            instant(subject.taken_at)
        )))
    })
}

pub(super) async fn read_object(
    cx: &TaskContext,
    store: &dyn Store,
    object: Object<'_>,
    wanted: Level,
    keys: Keyring,
) -> Result<Examined, Stop> {
    let stream =
        store.read(object.path, 0, Some(object.pin)).await.map_err(|error| Stop::Unknown(store_failure(&error)))?;
    let meter = Meter::new(cx, object.before);
    let (shared, size, recorded) = (Arc::clone(&meter), object.pin.size, object.recorded);
    let examined = read_through(cx, stream, &meter, object.total, move |inlet| {
        let now_at = |part: &str| shared.part(part);
        let job =
            Job { wanted, size, recorded, limits: Limits::default(), watch: &*shared, identity: true, now_at: &now_at };
        examine_with(inlet, &job, &keys)
    });
    examined.await.map_err(Stop::Unknown)
}

/// A body that ended early is the store's fault, unless the object itself is shorter than listed.
async fn confirm(store: &dyn Store, subject: &Subject, pin: &Pin, examined: Examined) -> Examined {
    let Some(Fault::Lost(error)) = &examined.fault else { return examined };
    if error.kind != StoreErrorKind::Corrupt {
        return examined;
    }
    match store.head(&subject.path).await {
        Ok(meta) if meta.size != pin.size => {
            Examined::bad(Fault::bad(format!("the object has {} bytes, {} were listed ({error})", meta.size, pin.size)))
        }
        _ => examined,
    }
}

fn record(cx: &TaskContext, subject: &Subject, wanted: Level, examined: &Examined, pin: &Pin) -> ProofRecord {
    let mark = Some(pin.mark()).filter(|mark| !mark.is_empty());
    let mut facts = examined.inside.facts.clone();
    if examined.outcome != ProofOutcome::Passed
        && let Some(Fault::Bad { at: Some(at), .. }) = &examined.fault
    {
        facts.insert("bad_at_byte".to_owned(), at.to_string());
    }
    ProofRecord {
        backup: subject.backup.clone(),
        store: subject.store.clone(),
        path: subject.path.clone(),
        level: examined.level,
        wanted,
        outcome: examined.outcome,
        at: cx.clock.now(),
        actor: cx.actor.clone(),
        tool: format!("relight {}", env!("CARGO_PKG_VERSION")),
        detail: escaped(&examined.detail).into_owned(),
        size_bytes: pin.size,
        pin: mark,
        sha256: examined.digests.as_ref().and_then(|d| d.sha256.clone()),
        facts,
    }
}
