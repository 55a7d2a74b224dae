//! Which backups a sidecar speaks of, by where it lies.

use super::kind::{Loose, SidecarKind};
use super::told::digits;
use crate::catalog::sighting::{Sighting, folder_of};
use crate::model::backup::BackupKind;
use std::collections::HashMap;

/// A sidecar that speaks of one backup, beside so many, cannot be told to belong to any.
const CROWD: usize = 8;

#[derive(Debug)]
pub(super) struct Job {
    pub loose: Loose,
    /// Positions of sightings.
    pub targets: Vec<usize>,
}

#[derive(Debug)]
struct Places<'s> {
    sightings: &'s [Sighting],
    by_path: HashMap<&'s str, usize>,
    by_folder: HashMap<&'s str, Vec<usize>>,
    /// Folder backups by the digits of each part of their path.
    by_stamp: HashMap<String, Vec<usize>>,
}

/// The jobs, and the sidecars of no known backup.
pub(super) fn jobs(sightings: &[Sighting], loose: Vec<Loose>) -> (Vec<Job>, Vec<Loose>) {
    let mut jobs = Vec::new();
    for (index, sighting) in sightings.iter().enumerate() {
        for loose in sighting.members.iter().flat_map(|m| &m.sidecars) {
            jobs.push(Job { loose: loose.clone(), targets: vec![index] });
        }
    }
    let places = Places::of(sightings);
    let mut left = Vec::new();
    for loose in loose {
        let targets = places.targets(&loose);
        if targets.is_empty() { left.push(loose) } else { jobs.push(Job { loose, targets }) }
    }
    (jobs, left)
}

impl<'s> Places<'s> {
    fn of(sightings: &'s [Sighting]) -> Self {
        let mut places =
            Self { sightings, by_path: HashMap::new(), by_folder: HashMap::new(), by_stamp: HashMap::new() };
        for (index, sighting) in sightings.iter().enumerate() {
            let path = sighting.copy.path.as_str();
            places.by_path.insert(path, index);
            places.by_folder.entry(folder_of(path)).or_default().push(index);
            if sighting.is_folder() {
                for stamp in path.split('/').map(digits).filter(|d| d.len() >= 8) {
                    places.by_stamp.entry(stamp).or_default().push(index);
                }
            }
        }
        places
    }

    fn targets(&self, loose: &Loose) -> Vec<usize> {
        let name = loose.meta.name.as_str();
        let beside = |folder: &str| self.by_folder.get(folder).cloned().unwrap_or_default();
        let folder = folder_of(name);
        match loose.kind {
            SidecarKind::CatalogCsv | SidecarKind::ManifestText => beside(folder),
            SidecarKind::Checksums => match name.strip_suffix(".sha256").and_then(|path| self.by_path.get(path)) {
                Some(index) => vec![*index],
                None => beside(folder).into_iter().filter(|i| !self.sightings[*i].is_folder()).collect(),
            },
            SidecarKind::ModelManifest => {
                let stamp = crate::model::registry::Registry::stamp_of(name);
                self.by_stamp.get(&stamp).cloned().unwrap_or_default()
            }
            SidecarKind::LabelStamp => self.before(loose).into_iter().collect(),
            SidecarKind::Log | SidecarKind::MetadataTable | SidecarKind::RecoveryReport => self.under(folder).collect(),
            // It speaks of what was newest.
            SidecarKind::VerificationLog => {
                let mut newest: HashMap<&str, usize> = HashMap::new();
                for index in self.under(folder) {
                    let asset = self.sightings[index].asset.as_str();
                    let best = newest.entry(asset).or_insert(index);
                    if self.sightings[*best].reading.first() < self.sightings[index].reading.first() {
                        *best = index;
                    }
                }
                let mut newest: Vec<usize> = newest.into_values().collect();
                newest.sort_unstable();
                newest
            }
            _ => {
                let single: Vec<usize> =
                    beside(folder).into_iter().filter(|i| !self.sightings[*i].is_folder()).collect();
                if single.len() <= CROWD { single } else { Vec::new() }
            }
        }
    }

    fn under(&self, folder: &'s str) -> impl Iterator<Item = usize> + '_ {
        let sightings = self.sightings.iter().enumerate();
        sightings.filter(move |(_, s)| s.copy.path.starts_with(folder)).map(|(index, _)| index)
    }

    /// The newest full backup that is not younger than the label, in the label's neighbourhood.
    fn before(&self, loose: &Loose) -> Option<usize> {
        let stamp = digits(crate::catalog::sighting::base_name(&loose.meta.name));
        let around = folder_of(folder_of(&loose.meta.name));
        let fits = |s: &&(usize, &Sighting)| {
            s.1.kind == BackupKind::Full
                && s.1.copy.path.starts_with(around)
                && s.1.stamp.as_deref().is_some_and(|own| digits(own) <= stamp)
        };
        let candidates = self.sightings.iter().enumerate();
        candidates.filter(|s| fits(&s)).max_by_key(|(_, s)| s.reading.first()).map(|(index, _)| index)
    }
}
