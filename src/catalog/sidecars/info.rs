//! `backup_info.txt` of a Redis copy: a date, the server's version, its number of keys.

use super::told::{About, Told, lossy};

#[derive(Debug)]
pub(super) struct Info(String);

impl Info {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(lossy(bytes).into_owned())
    }

    pub(super) fn about(&self, _: &About<'_>) -> Told {
        let mut told = Told::default();
        let mut lines = self.0.lines().map(str::trim).filter(|l| !l.is_empty());
        if let Some(date) = lines.next() {
            told.fact("date", date);
        }
        let (mut version, mut keys) = (None, None);
        for line in lines.take(100) {
            if let Some((_, found)) = line.split_once("redis_version:") {
                version = Some(found.trim());
            } else if let Some(number) = line.rsplit(|c: char| !c.is_ascii_digit()).find(|n| !n.is_empty()) {
                keys = number.parse::<u64>().ok();
            }
        }
        match version {
            Some(version) => told.fact("redis_version", version),
            None => told.warnings.push("it gives no redis_version".to_owned()),
        }
        match keys {
            Some(keys) => told.fact("keys", keys),
            None => told.warnings.push("it gives no number of keys".to_owned()),
        }
        told
    }
}
