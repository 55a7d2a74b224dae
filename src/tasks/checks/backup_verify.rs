//! `backup.verify`: reads one copy of a backup once and records how far it is proven.

use super::choice;
use super::reading::{Meter, read_through};
use super::verdict::{output, settle_record};
use crate::catalog::Catalog;
use crate::catalog::sidecars::SidecarKind;
use crate::model::backup::{Backup, Copy};
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::proof::{Level, ProofOutcome, ProofRecord};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::proof::layers::Limits;
use crate::proof::{Examined, Fault, Job, Ledger, Recorded, examine_with};
use crate::stores::{ObjectMeta, Pin, Store, StoreError, StoreErrorKind};
use crate::tasks::context::TaskContext;
use crate::tasks::crypt::keyring::Keyring;
use crate::tasks::input::{Stop, read, settle_or_stop};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::span;
use crate::tasks::source::{Source, is_folder, store_failure};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

pub struct BackupVerify;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.verify",
    summary: "Read one copy of a backup once and record how far it is proven",
    effect: Effect::Observe,
    inputs: &[
        InputSpec {
            name: "source",
            kind: InputKind::Table,
            required: false,
            help: "Output of backup.resolve; or `backup` instead",
        },
        InputSpec { name: "backup", kind: InputKind::Text, required: false, help: "Id of a backup of the catalog" },
        InputSpec {
            name: "store",
            kind: InputKind::Text,
            required: false,
            help: "With `backup`: the store to read from; without it the nearest copy",
        },
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
    #[serde(default)]
    source: Option<Source>,
    #[serde(default)]
    backup: Option<String>,
    #[serde(default)]
    store: Option<StoreId>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    believe: Option<String>,
}

/// The copy that is to be proven.
pub(super) struct Subject {
    pub backup: BackupId,
    pub asset: AssetId,
    pub store: StoreId,
    pub path: String,
    pub taken_at: Timestamp,
    /// Identity of the bytes that the catalog or the plan knows.
    pub known: Pin,
    pub recorded: Vec<(String, String)>,
    /// Manifests of the model registry that it is a copy of, that of its own store first.
    pub manifests: Vec<(StoreId, String)>,
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
    let records = Ledger::in_state(&cx.state_dir).read().map(|proofs| proofs.records).unwrap_or_default();
    // Whoever loads a source holds it to the sum of the plan, so that the proof must be of that one.
    let held = input.source.as_ref().map(|source| source.sha256.clone());
    let subject = match input.source {
        Some(source) => of_source(&cx.catalog, source, &records),
        None => of_backup(cx, input.backup.as_deref().unwrap_or_default(), input.store.as_ref(), &records)?,
    };
    let within = span(input.believe.as_deref().or(Some("0s")))?;
    let standing = standing(cx, &subject, level, (&records, within));
    if let Some(record) = standing.filter(|record| held.as_ref().is_none_or(|sha256| *sha256 == record.sha256)) {
        // That they are still the same bytes is seen now; whoever reads them all holds them to their SHA-256.
        let meta = store_of(cx, &subject)?.head(&subject.path).await.map_err(|error| gone(&error))?;
        if !subject.known.holds(&meta) {
            return Err(replaced(&subject, &meta));
        }
        cx.feed.line(format!("proven {} by {}, and still the same object", instant(record.at), record.actor));
        return Ok(output(record));
    }
    settled(cx, &subject, level).await
}

/// The newest proof of the subject's very bytes, if it says enough and is not older than `within`.
fn standing<'r>(
    cx: &TaskContext,
    subject: &Subject,
    wanted: Level,
    (records, within): (&'r [ProofRecord], Duration),
) -> Option<&'r ProofRecord> {
    let copies = &cx.catalog.get(&subject.backup)?.copies;
    let copy = copies.iter().find(|copy| copy.store == subject.store && copy.path == subject.path)?;
    let record = choice::proof_of(records, copy)?;
    let age = (cx.clock.now() - record.at).to_std().ok()?;
    let enough = record.outcome == ProofOutcome::Passed && record.level >= wanted && record.sha256.is_some();
    (enough && !within.is_zero() && age <= within && !is_folder(&subject.path)).then_some(record)
}

fn instant(at: Timestamp) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}

fn store_of<'c>(cx: &'c TaskContext, subject: &Subject) -> Result<&'c Arc<dyn Store>, Failure> {
    cx.stores.get(&subject.store).ok_or_else(|| {
        Failure::new(format!("store `{}` is not configured", subject.store))
            .means("the copy cannot be reached")
            .next("put the store back into the configuration, or choose another copy")
    })
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
    settled(cx, &subject_of(backup, copy, &records), level).await
}

async fn settled(cx: &TaskContext, subject: &Subject, level: Level) -> Result<Values, Stop> {
    let store = store_of(cx, subject)?;
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

fn of_source(catalog: &Catalog, source: Source, records: &[ProofRecord]) -> Subject {
    let known = source.pin.unwrap_or(Pin { size: source.size_bytes, etag: None, modified: None });
    let backup = catalog.get(&source.backup);
    let copy = backup.and_then(|b| b.copies.iter().find(|c| c.store == source.store && c.path == source.path));
    let mut recorded = recorded(backup, copy, records);
    if let Some(sha256) = source.sha256.filter(|s| recorded.iter().all(|(_, known)| known != s)) {
        recorded.push(("the plan".to_owned(), sha256));
    }
    let manifests = manifests(backup, &source.store);
    let Source { backup, asset, store, path, taken_at, .. } = source;
    Subject { backup, asset, store, path, taken_at, known, recorded, manifests }
}

fn of_backup(
    cx: &TaskContext,
    text: &str,
    store: Option<&StoreId>,
    records: &[ProofRecord],
) -> Result<Subject, Failure> {
    let backup = cx.catalog.choose(text).map_err(|error| {
        Failure::new(error.to_string())
            .means("there is nothing to verify")
            .next("`relight catalog` lists the backups that are known")
    })?;
    let only = store.filter(|s| !s.as_str().is_empty());
    let (copies, reasons) = choice::copies(backup, only, true, &cx.catalog, &cx.estate, records);
    let Some(copy) = copies.first() else {
        let failure = Failure::new(format!("no copy of {} can be read", backup.id))
            .means("nothing was verified")
            .next("choose a store that holds a copy: `relight show` lists them");
        return Err(reasons.into_iter().fold(failure, Failure::evidence));
    };
    Ok(subject_of(backup, copy, records))
}

fn subject_of(backup: &Backup, copy: &Copy, records: &[ProofRecord]) -> Subject {
    Subject {
        backup: backup.id.clone(),
        asset: backup.asset.clone(),
        store: copy.store.clone(),
        path: copy.path.clone(),
        taken_at: backup.taken_at,
        known: Pin { size: copy.size_bytes, etag: copy.etag.clone(), modified: copy.modified_at },
        recorded: recorded(Some(backup), Some(copy), records),
        manifests: manifests(Some(backup), &copy.store),
    }
}

/// Where the manifests of a registry lie that speak of a backup, those of `first` before others.
pub fn manifests(backup: Option<&Backup>, first: &StoreId) -> Vec<(StoreId, String)> {
    let sidecars = backup.map(|b| b.sidecars.as_slice()).unwrap_or_default().iter();
    let of_registry = sidecars.filter(|s| SidecarKind::of(&s.name) == Some(SidecarKind::ModelManifest));
    let mut found: Vec<_> = of_registry.map(|s| (s.store.clone(), s.path.clone())).collect();
    found.sort_by_key(|(store, _)| store != first);
    found
}

/// SHA-256 sums that were recorded apart from the bytes: by sidecars, and by an earlier proof of the very
/// same object, which must not have changed since.
fn recorded(backup: Option<&Backup>, copy: Option<&Copy>, records: &[ProofRecord]) -> Vec<(String, String)> {
    let sidecars = backup.map(|b| b.sidecars.as_slice()).unwrap_or_default();
    let mut sums: Vec<(String, String)> =
        sidecars.iter().filter_map(|s| Some((s.name.clone(), s.sha256.clone()?))).collect();
    let passed = |record: &&ProofRecord| record.outcome == ProofOutcome::Passed;
    let earlier = copy.and_then(|copy| choice::proof_of(records, copy)).filter(passed);
    if let Some((at, sha256)) = earlier.and_then(|p| Some((p.at, p.sha256.clone()?))) {
        sums.push((format!("the proof of {}", instant(at)), sha256));
    }
    sums
}

async fn prove(cx: &TaskContext, store: &dyn Store, subject: &Subject, level: Level) -> Result<(Examined, Pin), Stop> {
    if let Some(examined) = implausible(cx, subject) {
        return Ok((examined, subject.known.clone()));
    }
    if is_folder(&subject.path) {
        let examined = super::verify_tree::prove(cx, store, subject, level).await?;
        return Ok((examined, subject.known.clone()));
    }
    let meta = store.head(&subject.path).await.map_err(|error| gone(&error))?;
    if !subject.known.holds(&meta) {
        return Err(replaced(subject, &meta));
    }
    let pin = meta.pin();
    let examined = if level <= Level::L1 {
        Examined::listed(pin.size)
    } else {
        let (stored, silent) = match store.sums(&subject.path, &pin).await {
            Ok(sums) => (sums, None),
            Err(error) if error.kind == StoreErrorKind::Changed => return Err(replaced(subject, &meta)),
            // It may be refused where reading is allowed; the bytes are checked all the same.
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let md5 = Recorded::md5_of_etag(pin.etag.as_deref());
        let recorded = Recorded { sha256: subject.recorded.clone(), md5, stored };
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

fn gone(error: &StoreError) -> Stop {
    let failure = store_failure(error);
    if error.kind == StoreErrorKind::NotFound { Stop::Failed(failure) } else { Stop::Unknown(failure) }
}

fn replaced(subject: &Subject, meta: &ObjectMeta) -> Stop {
    Stop::Unknown(
        Failure::new(format!("`{}` is no longer the object that was chosen", escaped(&subject.path)))
            .means("it was replaced since the scan or the plan; nothing was verified")
            .next("scan again, and make a new plan")
            .evidence(format!("known: {} bytes, mark {}", subject.known.size, escaped(&subject.known.mark())))
            .evidence(format!("now: {} bytes, mark {}", meta.size, escaped(&meta.pin().mark()))),
    )
}

/// One object of a proof, and where it stands in the whole.
pub(super) struct Object<'a> {
    pub path: &'a str,
    pub pin: &'a Pin,
    pub recorded: Recorded,
    /// Bytes of the task before this object, and of the whole task.
    pub before: u64,
    pub total: u64,
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
        let job = Job { wanted, size, recorded, limits: Limits::default(), watch: &*shared, now_at: &now_at };
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
        sha256: examined.digests.as_ref().map(|d| d.sha256.clone()),
        facts,
    }
}
