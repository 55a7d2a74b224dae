//! Where to cut a key range, so that its parts can be listed side by side.

use super::S3Store;
use super::page::{Ask, ask};
use crate::stores::error::StoreError;

/// How many folder levels one search for cuts goes down.
const LEVELS: usize = 4;

/// Keys strictly between `after` and `until` at which the range can be cut, ascending, at most `parts - 1`.
/// They are names of folders; a range without folders in it gives none.
pub(super) async fn cuts(
    store: &S3Store,
    scope: &str,
    after: &str,
    until: Option<&str>,
    parts: usize,
) -> Result<Vec<String>, StoreError> {
    for folder in folders_to_search(scope, after, until) {
        let request = Ask { prefix: folder, after: Some(after), token: None, by_folder: true };
        let found = store.retry.run(|| ask(store, Ask { ..request })).await?.folders;
        let inside = |cut: &String| cut.as_str() > after && until.is_none_or(|until| cut.as_str() < until);
        let cuts: Vec<String> = found.into_iter().filter(inside).collect();
        if !cuts.is_empty() {
            return Ok(evenly(cuts, parts.saturating_sub(1)));
        }
    }
    Ok(Vec::new())
}

/// The folders around `after`, outermost first, that can have other folders before `until`.
fn folders_to_search<'a>(scope: &'a str, after: &'a str, until: Option<&str>) -> Vec<&'a str> {
    let shared = until.map_or(scope.len(), |until| {
        after.bytes().zip(until.bytes()).take_while(|(a, b)| a == b).count().max(scope.len())
    });
    let slashes = after.match_indices('/').map(|(at, _)| at + 1).filter(|at| *at > scope.len());
    let mut ends: Vec<usize> = std::iter::once(scope.len()).chain(slashes).collect();
    // Above the folder that both ends share nothing lies between them.
    let first = ends.iter().rposition(|end| *end <= shared).unwrap_or(0);
    ends.drain(..first);
    ends.truncate(LEVELS);
    ends.into_iter().filter_map(|end| after.get(..end)).collect()
}

/// At most `most` of `cuts`, spread evenly.
fn evenly(cuts: Vec<String>, most: usize) -> Vec<String> {
    let all = cuts.len();
    if all <= most {
        return cuts;
    }
    let step = |i: usize| (i + 1) * all / (most + 1);
    let mut wanted: Vec<usize> = (0..most).map(step).collect();
    wanted.dedup();
    cuts.into_iter().enumerate().filter(|(at, _)| wanted.binary_search(at).is_ok()).map(|(_, cut)| cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_only_where_cuts_can_be() {
        assert_eq!(folders_to_search("", "a/b/c", None), ["", "a/", "a/b/"]);
        assert_eq!(folders_to_search("", "a/b/c", Some("a/x/")), ["a/", "a/b/"]);
        assert_eq!(folders_to_search("a/", "a/b/c", None), ["a/", "a/b/"]);
        assert_eq!(folders_to_search("a/b", "a/b/c", None), ["a/b", "a/b/"]);
    }

    #[test]
    fn cuts_are_spread() {
        let cuts: Vec<String> = (0..100).map(|n| format!("{n:02}/")).collect();
        assert_eq!(evenly(cuts.clone(), 3), ["25/", "50/", "75/"]);
        assert_eq!(evenly(cuts[..2].to_vec(), 3), ["00/", "01/"]);
        assert!(evenly(cuts, 0).is_empty());
    }
}
