//! Estates and scans in a few words.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use relight::catalog::{Catalog, Scan, Stores};
use relight::model::backup::{Backup, BackupKind};
use relight::model::estate::{Asset, AssetKind, Estate, Source, StoreConfig, StorePlace, Tier};
use relight::model::id::{AssetId, StoreId};
use relight::model::objective::Objectives;
use relight::model::time::{FixedClock, Timestamp};
use relight::stores::Store;
use relight::stores::memory::MemoryStore;
use relight::stores::wrap::Faulty;
use std::collections::BTreeMap;
use std::sync::Arc;

pub fn at(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
}

pub struct World {
    pub estate: Estate,
    pub stores: Stores,
    pub memory: BTreeMap<String, Arc<Faulty<MemoryStore>>>,
    pub now: Timestamp,
}

impl World {
    pub fn new(zone: Tz, stores: &[&str]) -> Self {
        let config = |id: &&str| StoreConfig {
            id: StoreId::from(*id),
            place: StorePlace::Local { path: format!("/{id}").into() },
            site: (*id).to_owned(),
            medium: "disk".to_owned(),
            time_zone: zone,
        };
        let memory: BTreeMap<String, Arc<Faulty<MemoryStore>>> =
            stores.iter().map(|id| ((*id).to_owned(), Arc::new(Faulty::new(MemoryStore::new(*id))))).collect();
        let opened = memory.iter().map(|(id, store)| {
            let store: Arc<dyn Store> = store.clone();
            (StoreId::from(id.as_str()), Ok(store))
        });
        Self {
            estate: Estate {
                name: "test".to_owned(),
                environment: "test".to_owned(),
                time_zone: Tz::UTC,
                stores: stores.iter().map(config).collect(),
                assets: Vec::new(),
                servers: Vec::new(),
                hosts: Vec::new(),
                services: Vec::new(),
                jobs: Vec::new(),
                runbook_dirs: Vec::new(),
                approvers: vec![],
                quorum: 0,
            },
            stores: opened.collect(),
            memory,
            now: at("2024-01-16T12:00:00Z"),
        }
    }

    pub fn asset(&mut self, id: &str, kind: AssetKind) -> &mut Asset {
        self.estate.assets.push(Asset {
            id: AssetId::from(id),
            kind,
            tier: Tier::Critical,
            objectives: Objectives::default(),
            sources: Vec::new(),
            server: None,
            database: None,
            path: None,
            trees: Vec::new(),
            images: None,
            health_url: None,
            drill: None,
        });
        self.estate.assets.last_mut().unwrap()
    }

    pub fn put(&self, store: &str, name: &str, bytes: impl Into<Vec<u8>>, modified: &str) {
        self.memory[store].inner().put_at(name, bytes.into(), at(modified));
    }

    pub fn scan(&self) -> Catalog {
        self.rescan(&Catalog::default())
    }

    pub fn rescan(&self, previous: &Catalog) -> Catalog {
        let clock = FixedClock(self.now);
        let scan = Scan { estate: &self.estate, stores: &self.stores, previous, clock: &clock, progress: &|_, _| {} };
        futures::executor::block_on(sendable(scan.all()))
    }

    pub fn only(&self, store: &str, previous: &Catalog) -> Catalog {
        let clock = FixedClock(self.now);
        let scan = Scan { estate: &self.estate, stores: &self.stores, previous, clock: &clock, progress: &|_, _| {} };
        futures::executor::block_on(sendable(scan.only(&StoreId::from(store))))
    }
}

/// Sessions run scans as tasks: a scan that cannot move between threads must not compile.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

pub trait Sources {
    fn from(&mut self, store: &str, pattern: &str, kind: BackupKind) -> &mut Source;
}

impl Sources for Asset {
    fn from(&mut self, store: &str, pattern: &str, kind: BackupKind) -> &mut Source {
        self.sources.push(Source {
            store: StoreId::from(store),
            pattern: pattern.to_owned(),
            kind,
            schedule: None,
            retention: None,
            min_size: None,
            encrypted: false,
            key: None,
            time_zone: None,
            required: Vec::new(),
        });
        self.sources.last_mut().unwrap()
    }
}

pub fn ids(catalog: &Catalog) -> Vec<&str> {
    catalog.backups.iter().map(|b| b.id.as_str()).collect()
}

pub fn get<'c>(catalog: &'c Catalog, id: &str) -> &'c Backup {
    catalog.backups.iter().find(|b| b.id.as_str() == id).unwrap_or_else(|| panic!("no {id} in {:#?}", ids(catalog)))
}

/// Disagreements of all sidecars with a name.
pub fn disagreements(backup: &Backup, sidecar: &str) -> Vec<String> {
    let of_name = backup.sidecars.iter().filter(|s| s.name == sidecar);
    of_name.flat_map(|s| s.disagreements.clone()).collect()
}

pub fn fact<'b>(backup: &'b Backup, sidecar: &str, name: &str) -> Option<&'b str> {
    let sidecar = backup.sidecars.iter().find(|s| s.name == sidecar)?;
    sidecar.facts.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}
