//! The pass that reads sidecars: small, few at a time, and none that is known already.

use super::backup_label::BackupLabel;
use super::document::Document;
use super::kind::{Loose, SidecarKind};
use super::log::TAIL;
use super::targets::{Job, jobs};
use super::told::{About, Told};
use crate::catalog::fold::Found;
use crate::catalog::known::Known;
use crate::catalog::sighting::{Sighting, base_name};
use crate::model::backup::{BackupKind, ChainLink, Sidecar};
use crate::model::id::AssetId;
use crate::model::wal::LogTimeline;
use crate::stores::{ObjectMeta, Store, StoreError};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use std::collections::HashMap;

/// Sidecars read in one scan of one store; the next scan goes on with older ones.
const BUDGET: usize = 4000;
const AT_ONCE: usize = 8;
/// Sidecars longer than this are read one after the other, so that memory stays small.
const LONG: u64 = 1 << 20;
/// Names shown of files that are missing or of another size.
const SHOWN: usize = 5;

/// Reads what is worth reading, holds it against the sightings and writes the answers to them. Gives back
/// the sidecars that belong to no backup, and how many were put off to the next scan.
pub(in crate::catalog) async fn read(store: &dyn Store, found: &mut Found, known: &Known<'_>) -> (Vec<Loose>, usize) {
    let (jobs, left) = jobs(&found.sightings, std::mem::take(&mut found.loose));
    let mut to_read = Vec::new();
    for job in jobs {
        if !reuse(&job, &mut found.sightings, known) {
            to_read.push(job);
        }
    }
    to_read.sort_by_key(|job| std::cmp::Reverse(job.loose.meta.modified));
    let put_off = to_read.len().saturating_sub(BUDGET);
    to_read.truncate(BUDGET);
    let (long, short): (Vec<Job>, Vec<Job>) = to_read.into_iter().partition(|job| job.loose.meta.size > LONG);
    for (batch, at_once) in [(short, AT_ONCE), (long, 1)] {
        let pass = Pass { store, sightings: &found.sightings, logs: &found.log.logs };
        // Boxed one by one: the futures are then the same for every lifetime, and the scan stays `Send`.
        let asked: Vec<_> = batch.iter().map(|job| pass.answer(job).boxed()).collect();
        let mut answers: Vec<_> = stream::iter(asked).buffer_unordered(at_once).concat().await;
        answers.sort_by(|a, b| (a.0, &a.1.path).cmp(&(b.0, &b.1.path)));
        for (target, sidecar, told) in answers {
            apply(&mut found.sightings[target], sidecar, told);
        }
    }
    (left, put_off)
}

fn reuse(job: &Job, sightings: &mut [Sighting], known: &Known<'_>) -> bool {
    let meta = &job.loose.meta;
    let mark = meta.pin().mark();
    // A catalog whose rows changed may say something new of a backup that it did not speak of before.
    let all = job.targets.iter().all(|i| known.sidecar(&sightings[*i].copy, &meta.name, &mark).is_some());
    if !all {
        return false;
    }
    for index in &job.targets {
        let sighting = &mut sightings[*index];
        if let Some(sidecar) = known.sidecar(&sighting.copy, &meta.name, &mark) {
            sighting.sidecars.push(sidecar.clone());
            known.resume(sighting);
        }
    }
    true
}

struct Pass<'a> {
    store: &'a dyn Store,
    sightings: &'a [Sighting],
    logs: &'a [LogTimeline],
}

impl Pass<'_> {
    async fn answer(&self, job: &Job) -> Vec<(usize, Sidecar, Told)> {
        let mut answers = Vec::with_capacity(job.targets.len());
        match self.document(&job.loose).await {
            Ok(document) => {
                for target in &job.targets {
                    let sighting = &self.sightings[*target];
                    let about = about(sighting, &job.loose);
                    let logs = self.logs.iter().filter(|l| l.asset == sighting.asset);
                    let segments = logs.flat_map(|l| &l.ranges).map(|r| r.last - r.first + 1).sum();
                    if let Some(mut told) = document.about(&about, segments) {
                        self.look_for(sighting, &mut told).await;
                        answers.push((*target, self.sidecar(&job.loose), told));
                    }
                }
            }
            Err(trouble) => {
                for target in &job.targets {
                    let mut told = Told::default();
                    match &trouble {
                        Trouble::Unread(why) => told.warnings.push(why.clone()),
                        Trouble::Broken(why) => told.disagreements.push(why.clone()),
                    }
                    let mut sidecar = self.sidecar(&job.loose);
                    if matches!(trouble, Trouble::Unread(_)) {
                        // Not known yet: the next scan tries again.
                        sidecar.pin = None;
                    }
                    answers.push((*target, sidecar, told));
                }
            }
        }
        answers
    }

    fn sidecar(&self, loose: &Loose) -> Sidecar {
        Sidecar {
            name: base_name(&loose.meta.name).to_owned(),
            store: self.store.id().clone(),
            path: loose.meta.name.clone(),
            pin: Some(loose.meta.pin().mark()).filter(|mark| !mark.is_empty()),
            facts: Vec::new(),
            sha256: None,
            disagreements: Vec::new(),
            warnings: Vec::new(),
        }
    }

    async fn document(&self, loose: &Loose) -> Result<Document, Trouble> {
        let (size, limit) = (loose.meta.size, loose.kind.limit());
        let tail = loose.kind.grows();
        if size > limit && !tail {
            return Err(Trouble::Unread(format!("it was not read: {size} bytes, at most {limit} are")));
        }
        let from = if tail { size.saturating_sub(TAIL) } else { 0 };
        let bytes = fetch(self.store, &loose.meta, from).await;
        let bytes = bytes.map_err(|error| Trouble::Unread(format!("it could not be read: {error}")))?;
        Document::parse(loose.kind, &bytes).map_err(Trouble::Broken)
    }

    /// Lists the folder again and looks for every object that the sidecar names.
    async fn look_for(&self, sighting: &Sighting, told: &mut Told) {
        if told.expected.is_empty() {
            return;
        }
        let expected = std::mem::take(&mut told.expected);
        let mut missing: HashMap<&str, u64> = expected.iter().map(|(name, size)| (name.as_str(), *size)).collect();
        let (mut wrong, mut besides) = (Vec::new(), Vec::new());
        let mut pages = self.store.list(&sighting.copy.path, None);
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    for object in page.objects {
                        match missing.remove_entry(object.name.as_str()) {
                            Some((name, size)) if size != object.size => {
                                wrong.push(format!("{name} ({} bytes, not {size})", object.size));
                            }
                            None if told.exact && !(object.name.ends_with('/') && object.size == 0) => {
                                besides.push(object.name);
                            }
                            _ => {}
                        }
                    }
                }
                Err(error) => {
                    told.warnings.push(format!("its files could not all be looked for: {error}"));
                    return;
                }
            }
        }
        let mut missing: Vec<String> = missing.into_keys().map(str::to_owned).collect();
        if !besides.is_empty() {
            besides.sort_unstable();
            told.disagree(format!("{} files are there that it does not list: {}", besides.len(), some(&besides)));
        }
        if missing.is_empty() && wrong.is_empty() {
            told.complete = told.complete.or(Some(true));
            return;
        }
        missing.sort_unstable();
        wrong.sort_unstable();
        if !missing.is_empty() {
            told.incomplete(format!(
                "{} of its {} files are missing: {}",
                missing.len(),
                expected.len(),
                some(&missing)
            ));
        }
        if !wrong.is_empty() {
            told.disagree(format!(
                "{} of its {} files have another size: {}",
                wrong.len(),
                expected.len(),
                some(&wrong)
            ));
        }
    }
}

fn some(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

enum Trouble {
    /// Nothing is known of it.
    Unread(String),
    /// It is not what it should be.
    Broken(String),
}

async fn fetch(store: &dyn Store, meta: &ObjectMeta, from: u64) -> Result<Bytes, StoreError> {
    store.read_range(&meta.name, from..meta.size, Some(&meta.pin())).await
}

fn about<'a>(sighting: &'a Sighting, loose: &'a Loose) -> About<'a> {
    About {
        path: &sighting.copy.path,
        kind: sighting.kind,
        stamp: sighting.stamp.as_deref(),
        size: sighting.copy.size_bytes,
        objects: sighting.copy.objects,
        members: sighting.members.as_deref(),
        sidecar: &loose.meta.name,
        sidecar_size: loose.meta.size,
    }
}

fn apply(sighting: &mut Sighting, mut sidecar: Sidecar, told: Told) {
    sidecar.facts = told.facts;
    sidecar.sha256 = told.sha256;
    sidecar.disagreements = told.disagreements;
    sidecar.disagreements.extend(told.because.iter().cloned());
    sidecar.warnings = told.warnings;
    sighting.complete = match (sighting.complete, told.complete) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (before, now) => before.or(now),
    };
    sighting.because.extend(told.because.into_iter().map(|why| format!("{}: {why}", sidecar.name)));
    if let Some(base_name) = told.base {
        sighting.chain = Some(Box::new(ChainLink { base_name, base: None }));
    }
    sighting.sidecars.push(sidecar);
}

/// A backup history file of the log archive, to be matched with its base backup once all stores are known.
#[derive(Debug)]
pub(in crate::catalog) struct History {
    pub asset: AssetId,
    pub label: BackupLabel,
    pub sidecar: Sidecar,
}

const HISTORIES: usize = 128;

/// Reads the newest backup history files.
pub(in crate::catalog) async fn histories(store: &dyn Store, files: Vec<(AssetId, ObjectMeta)>) -> Vec<History> {
    let mut files = files;
    files.retain(|(_, meta)| meta.size > 0 && meta.size <= SidecarKind::BackupLabel.limit());
    files.sort_by(|a, b| b.1.name.cmp(&a.1.name));
    files.truncate(HISTORIES);
    let pass = Pass { store, sightings: &[], logs: &[] };
    let asked: Vec<_> = files.into_iter().map(|(asset, meta)| history(&pass, asset, meta).boxed()).collect();
    let read: Vec<Option<History>> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    let mut read: Vec<History> = read.into_iter().flatten().collect();
    read.sort_by(|a, b| a.sidecar.path.cmp(&b.sidecar.path));
    read
}

async fn history(pass: &Pass<'_>, asset: AssetId, meta: ObjectMeta) -> Option<History> {
    let limit = SidecarKind::BackupLabel.limit();
    let bytes = super::told::opened(&fetch(pass.store, &meta, 0).await.ok()?, limit).ok()?;
    let label = BackupLabel::parse(&bytes);
    let told = label.about(&About {
        path: "",
        kind: BackupKind::Full,
        stamp: None,
        size: 0,
        objects: 0,
        members: None,
        sidecar: &meta.name,
        sidecar_size: meta.size,
    });
    let mut sidecar = pass.sidecar(&Loose { kind: SidecarKind::BackupLabel, meta: meta.clone() });
    (sidecar.facts, sidecar.warnings) = (told.facts, told.warnings);
    Some(History { asset, label, sidecar })
}
