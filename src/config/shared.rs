//! `[shared]`: where runs on several machines keep out of each other's way.

use super::names::{Names, path_below};
use crate::located::{Fields, Problem};
use crate::model::id::StoreId;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TERM: Duration = Duration::from_mins(2);
const TERMS: std::ops::RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_hours(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    pub place: SharedIn,
    /// Below the place; ends in `/`.
    pub prefix: String,
    /// How long a lease holds without being renewed.
    pub term: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedIn {
    /// A store of the estate that can be written to.
    Store(StoreId),
    /// A folder on a share.
    Folder(PathBuf),
}

pub(super) fn shared(fields: &mut Fields<'_>, stores: &Names, base: &Path) -> Option<Shared> {
    let store = fields.take("store");
    let path = fields.take("path");
    let prefix = fields.take("prefix").map_or(Some("relight/".to_owned()), |item| {
        let text = item.read::<String>()?;
        let inner = text.trim_matches('/');
        let odd = |part: &str| part.is_empty() || matches!(part, "." | "..");
        if inner.split('/').any(odd) || text.chars().any(char::is_control) {
            return item.refuse("be folder names without `.` and `..`");
        }
        Some(format!("{inner}/"))
    });
    let term = fields.take("term").map_or(Some(TERM), |item| match item.read::<Duration>()? {
        term if TERMS.contains(&term) => Some(term),
        _ => item.refuse("lie between 3s and 1h"),
    });
    let place = match (store, path) {
        (Some(store), None) => stores.refer(&store).map(|id| SharedIn::Store(StoreId::new(id))),
        (None, Some(path)) => path_below(base, &path).map(SharedIn::Folder),
        (Some(_), Some(path)) => {
            let problem = Problem::at(&path.place, "[shared] has both `store` and `path`");
            fields.report(problem.help("keep the one that all machines reach"));
            None
        }
        (None, None) => {
            let problem = Problem::at(&fields.place, "[shared] needs `store` or `path`");
            fields.report(problem.help("name a store that can be written to, or a folder on a share"));
            None
        }
    };
    Some(Shared { place: place?, prefix: prefix?, term: term? })
}
