//! Listing, with key ranges side by side.
//!
//! A listing starts as one range. When a page is full and there is room for more requests, the rest of its
//! range is cut at folder names into parts that go on independently; parts that end early make room for
//! cutting others. A range without folders goes on in sequence. Requests run only while the reader asks
//! for pages, and memory holds at most one page per running request.

use super::S3Store;
use super::error::nonsense;
use super::page::{Answer, Ask, ask};
use super::split::cuts;
use crate::stores::error::StoreError;
use crate::stores::port::Page;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered};

/// Requests that run at once.
const AT_ONCE: usize = 16;
/// Room below which a range is left whole: a search for cuts costs a request or more.
const WORTH_CUTTING: usize = 4;
/// Full pages that a part must have given before it is looked at for cutting again.
const SETTLED: u32 = 4;
/// Pages without a name in sequence, after which the server is taken to be going in circles.
const MAX_EMPTY: u32 = 1000;

/// The keys after `after`, up to `until` and including it.
struct Range {
    after: Option<String>,
    until: Option<String>,
    /// Set when the range goes on directly from an earlier answer.
    token: Option<String>,
    pages: u32,
    empty: u32,
    /// Number of pages from which on cutting is tried (again).
    cut_at: u32,
}

enum Step {
    Listed(Range, Result<Answer, StoreError>),
    Searched(Range, Result<Vec<String>, StoreError>),
}

struct Listing<'a> {
    store: &'a S3Store,
    /// Full key prefix that was asked for.
    scope: String,
    running: FuturesUnordered<BoxFuture<'a, Step>>,
}

pub(super) fn list<'a>(
    store: &'a S3Store,
    prefix: &str,
    after: Option<&str>,
) -> BoxStream<'a, Result<Page, StoreError>> {
    let scope = format!("{}{prefix}", store.prefix);
    let after = after.map(|after| format!("{}{after}", store.prefix));
    let listing = Listing { store, scope, running: FuturesUnordered::new() };
    listing.go_on(Range { after, until: None, token: None, pages: 0, empty: 0, cut_at: 1 });
    stream::unfold(Some(listing), |listing| async move {
        let mut listing = listing?;
        match listing.next_page().await? {
            Ok(page) => Some((Ok(page), Some(listing))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Listing<'_> {
    async fn next_page(&mut self) -> Option<Result<Page, StoreError>> {
        loop {
            let page = match self.running.next().await? {
                Step::Listed(range, answer) => answer.and_then(|answer| self.listed(range, answer)),
                Step::Searched(range, cuts) => cuts.map(|cuts| {
                    self.cut(range, cuts);
                    Page::default()
                }),
            };
            match page {
                Ok(page) if page.objects.is_empty() && page.skipped.is_empty() => {}
                other => return Some(other),
            }
        }
    }

    /// Takes what belongs to the range, and starts what comes next in it.
    fn listed(&mut self, mut range: Range, answer: Answer) -> Result<Page, StoreError> {
        let Answer { mut page, last_key, token, .. } = answer;
        let beyond = |key: &str| range.until.as_deref().is_some_and(|until| key > until);
        let ended = token.is_none() || last_key.as_deref().is_some_and(beyond);
        if last_key.as_deref().is_some_and(beyond) {
            let prefix = self.store.prefix.len();
            let until = range.until.as_deref().and_then(|until| until.get(prefix..)).unwrap_or_default();
            page.objects.retain(|object| object.name.as_str() <= until);
        }
        if ended {
            return Ok(page);
        }
        range.pages += 1;
        range.empty = if last_key.is_none() { range.empty + 1 } else { 0 };
        if range.empty > MAX_EMPTY {
            return Err(nonsense(&self.store.id, None, "the listing does not come to an end"));
        }
        range.token = token;
        range.after = last_key.or(range.after);
        let room = AT_ONCE.saturating_sub(self.running.len());
        if range.pages >= range.cut_at && range.after.is_some() && room >= WORTH_CUTTING {
            self.search(range, room);
        } else {
            self.go_on(range);
        }
        Ok(page)
    }

    fn go_on(&self, range: Range) {
        let (store, scope) = (self.store, self.scope.clone());
        self.running.push(Box::pin(async move {
            let request = || {
                let (after, token) = (range.after.as_deref(), range.token.as_deref());
                ask(store, Ask { prefix: &scope, after, token, by_folder: false })
            };
            let answer = store.retry.run(request).await;
            Step::Listed(range, answer)
        }));
    }

    fn search(&self, range: Range, parts: usize) {
        let (store, scope) = (self.store, self.scope.clone());
        self.running.push(Box::pin(async move {
            let after = range.after.as_deref().unwrap_or_default();
            let found = cuts(store, &scope, after, range.until.as_deref(), parts).await;
            Step::Searched(range, found)
        }));
    }

    fn cut(&self, mut range: Range, cuts: Vec<String>) {
        if cuts.is_empty() {
            range.cut_at = range.pages * 2 + SETTLED;
            return self.go_on(range);
        }
        let until = range.until.take();
        let mut ends = cuts.into_iter().map(Some).chain(std::iter::once(until));
        range.until = ends.next().flatten();
        let mut after = range.until.clone();
        range.pages = 0;
        range.cut_at = SETTLED;
        self.go_on(range);
        for until in ends {
            let next = until.clone();
            self.go_on(Range { after, until, token: None, pages: 0, empty: 0, cut_at: SETTLED });
            after = next;
        }
    }
}
