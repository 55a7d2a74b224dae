//! A shared place that loses requests and answers, and watches what is written into its leases.

use crate::dice::Dice;
use bytes::Bytes;
use relight::model::id::StoreId;
use relight::model::lease::Lease;
use relight::model::time::{Clock, Timestamp};
use relight::stores::place::{Register, SharedPlace, Tag};
use relight::stores::{StoreError, StoreErrorKind};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub struct Wall(Mutex<Timestamp>);

impl Wall {
    pub fn new(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }
    pub fn pass(&self, milliseconds: i64) {
        *self.0.lock().unwrap() += chrono::Duration::milliseconds(milliseconds);
    }
    pub fn at(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        self.at()
    }
}

#[derive(Debug)]
pub struct Pool(Mutex<Content>);

#[derive(Debug)]
pub struct Content {
    /// What is created once and never changed.
    pub entries: BTreeMap<String, Bytes>,
    registers: BTreeMap<String, (u64, Bytes)>,
    version: u64,
    dice: Dice,
    /// Of a hundred requests, how many are lost on the way, and as many again on the way back.
    pub faults: u64,
    /// The scope whose register takes no writes.
    pub deaf: Option<String>,
    /// Who ever held a scope under an epoch.
    holders: BTreeMap<(String, u64), (String, String)>,
    pub broken: Option<String>,
}

impl Content {
    /// By scope.
    pub fn leases(&self) -> BTreeMap<String, Lease> {
        let leases = self.registers.iter().filter(|(name, _)| name.starts_with("leases/"));
        let read = leases.map(|(_, (_, bytes))| serde_json::from_slice::<Lease>(bytes).unwrap());
        read.map(|lease| (lease.scope.clone(), lease)).collect()
    }

    fn is_lost(&mut self) -> bool {
        let faults = self.faults;
        self.dice.percent(faults)
    }

    /// One epoch of one scope has one holder for ever, and the next one is higher.
    fn watch(&mut self, lease: &Lease, before: Option<Lease>) {
        let holder = (lease.run.to_string(), lease.seat.clone());
        let known = self.holders.entry((lease.scope.clone(), lease.epoch)).or_insert_with(|| holder.clone());
        let falls = before.as_ref().is_some_and(|before| before.epoch > lease.epoch);
        let same = |before: &Lease| (before.run.to_string(), before.seat.clone()) == holder;
        // A seat knows which of its own runs are over; of another's it knows nothing.
        let unasked = before.is_some_and(|before| {
            !same(&before) && before.is_held() && lease.taken_from.is_none() && before.seat != lease.seat
        });
        if *known != holder || falls || unasked {
            self.broken.get_or_insert(format!("{lease:?} is written over {known:?}"));
        }
    }
}

impl Pool {
    pub fn new(dice: Dice) -> Self {
        let (registers, holders) = (BTreeMap::new(), BTreeMap::new());
        Self(Mutex::new(Content {
            entries: BTreeMap::new(),
            registers,
            version: 0,
            dice,
            faults: 0,
            deaf: None,
            holders,
            broken: None,
        }))
    }

    pub fn look(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }
}

pub fn error(kind: StoreErrorKind, name: &str) -> StoreError {
    StoreError::new(kind, &StoreId::from("shared"), Some(name), "no answer")
}

#[async_trait::async_trait]
impl SharedPlace for Pool {
    fn location(&self) -> String {
        "simulated".to_owned()
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let mut content = self.look();
        if content.is_lost() {
            return Err(error(StoreErrorKind::Unreachable, name));
        }
        if content.entries.contains_key(name) {
            return Err(error(StoreErrorKind::AlreadyExists, name));
        }
        content.entries.insert(name.to_owned(), bytes);
        if content.is_lost() { Err(error(StoreErrorKind::Unreachable, name)) } else { Ok(()) }
    }

    async fn read(&self, name: &str) -> Result<Bytes, StoreError> {
        let mut content = self.look();
        if content.is_lost() {
            return Err(error(StoreErrorKind::Unreachable, name));
        }
        content.entries.get(name).cloned().ok_or_else(|| error(StoreErrorKind::NotFound, name))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut content = self.look();
        if content.is_lost() {
            return Err(error(StoreErrorKind::Unreachable, prefix));
        }
        Ok(content.entries.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }

    async fn register(&self, name: &str) -> Result<Option<Register>, StoreError> {
        let mut content = self.look();
        if content.is_lost() {
            return Err(error(StoreErrorKind::Unreachable, name));
        }
        let found = content.registers.get(name);
        Ok(found.map(|(version, bytes)| Register { bytes: bytes.clone(), tag: Tag(version.to_string()) }))
    }

    async fn swap(&self, name: &str, old: Option<&Tag>, bytes: Bytes) -> Result<Tag, StoreError> {
        let mut content = self.look();
        if content.is_lost() {
            return Err(error(StoreErrorKind::Unreachable, name));
        }
        let found = content.registers.get(name).cloned();
        if found.as_ref().map(|(version, _)| version.to_string()) != old.map(|tag| tag.0.clone()) {
            return Err(error(StoreErrorKind::Changed, name));
        }
        if name.starts_with("leases/") {
            let lease: Lease = serde_json::from_slice(&bytes).unwrap();
            if content.deaf.as_ref() == Some(&lease.scope) {
                return Err(error(StoreErrorKind::Unreachable, name));
            }
            let before = found.map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap());
            content.watch(&lease, before);
        }
        content.version += 1;
        let version = content.version;
        content.registers.insert(name.to_owned(), (version, bytes));
        if content.is_lost() {
            return Err(error(StoreErrorKind::Unreachable, name));
        }
        Ok(Tag(version.to_string()))
    }

    async fn registers(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.look().registers.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
    }
}
