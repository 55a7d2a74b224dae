//! One request of a listing, and what its answer must hold to be believed.

use super::client::AnswerLimit;
use super::error::{nonsense, of_request};
use super::{S3Store, bare_tag, instant};
use crate::model::text::escaped;
use crate::stores::error::StoreError;
use crate::stores::name::key_fault;
use crate::stores::port::{ObjectMeta, Page};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// Most names that an answer may hold; S3 gives 1000.
const MAX_NAMES: usize = 10_000;

/// A request: names below `prefix` from a place on, whole or only down to the next `/`.
pub(super) struct Ask<'r> {
    /// Full key prefix, the store's own included.
    pub prefix: &'r str,
    pub after: Option<&'r str>,
    pub token: Option<&'r str>,
    /// Gather everything below a folder into the folder's name.
    pub by_folder: bool,
}

/// An answer with full keys, checked and in order.
pub(super) struct Answer {
    /// Names below the store's prefix.
    pub page: Page,
    /// Full key of the last object.
    pub last_key: Option<String>,
    /// Full keys of folders, each ending in `/`, ascending.
    pub folders: Vec<String>,
    /// How to go on, where there is more.
    pub token: Option<String>,
}

pub(super) async fn ask(store: &S3Store, ask: Ask<'_>) -> Result<Answer, StoreError> {
    let answer = store
        .client
        .list_objects_v2()
        .bucket(&store.bucket)
        .prefix(ask.prefix)
        .encoding_type(EncodingType::Url)
        .set_start_after(ask.token.map_or(ask.after, |_| None).map(str::to_owned))
        .set_continuation_token(ask.token.map(str::to_owned))
        .set_delimiter(ask.by_folder.then(|| "/".to_owned()))
        .customize()
        .interceptor(AnswerLimit::WHOLE)
        .send()
        .await
        .map_err(|failed| of_request(&store.id, None, "list the objects", &failed))?;
    let token = next_token(store, &ask, &answer)?;
    if answer.contents().len() + answer.common_prefixes().len() > MAX_NAMES {
        return Err(nonsense(&store.id, None, "a page of the listing holds more than 10000 names"));
    }
    let coded = answer.encoding_type() == Some(&EncodingType::Url);
    let mut reading = Reading { store, prefix: ask.prefix, after: ask.after, coded, page: Page::default(), last: None };
    for object in answer.contents.unwrap_or_default() {
        reading.object(object)?;
    }
    let mut folders = Vec::new();
    for folder in answer.common_prefixes.unwrap_or_default() {
        let raw = folder.prefix.ok_or_else(|| nonsense(&store.id, None, "a folder without a name"))?;
        folders.extend(reading.decoded(raw).ok().filter(|f| f.starts_with(ask.prefix) && f.ends_with('/')));
    }
    folders.sort_unstable();
    Ok(Answer { page: reading.page, last_key: reading.last, folders, token })
}

fn next_token(store: &S3Store, ask: &Ask<'_>, answer: &ListObjectsV2Output) -> Result<Option<String>, StoreError> {
    let wrong = |what| Err(nonsense(&store.id, None, what));
    match (answer.is_truncated(), answer.next_continuation_token()) {
        (None, _) => wrong("a page of the listing does not say whether it is the last"),
        (Some(false), _) => Ok(None),
        (Some(true), None | Some("")) => wrong("a page of the listing has no way to the next"),
        (Some(true), Some(token)) if ask.token == Some(token) => wrong("the listing goes in a circle"),
        (Some(true), Some(token)) => Ok(Some(token.to_owned())),
    }
}

struct Reading<'r> {
    store: &'r S3Store,
    prefix: &'r str,
    after: Option<&'r str>,
    coded: bool,
    page: Page,
    last: Option<String>,
}

impl Reading<'_> {
    fn object(&mut self, object: Object) -> Result<(), StoreError> {
        let wrong = |what: &str| nonsense(&self.store.id, None, what);
        let raw = object.key.ok_or_else(|| wrong("an object without a name"))?;
        let key = match self.decoded(raw) {
            Ok(key) => key,
            Err(shown) => {
                self.page.skipped.push((shown, "the name is not UTF-8".to_owned()));
                return Ok(());
            }
        };
        if !key.starts_with(self.prefix) {
            return Err(wrong(&format!("it lists `{}`, which lies outside of the prefix", shortened(&key))));
        }
        if self.last.as_deref().or(self.after).is_some_and(|last| key.as_str() <= last) {
            return Err(wrong(&format!("it lists `{}` out of order or twice", shortened(&key))));
        }
        let size = object.size.and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| wrong(&format!("it gives no size for `{}`", shortened(&key))))?;
        self.last = Some(key.clone());
        let name = &key[self.store.prefix.len()..];
        match key_fault(name) {
            // The object that marks the store's own folder.
            Some(_) if name.is_empty() => {}
            Some(fault) => self.page.skipped.push((shortened(name), fault.to_owned())),
            None => self.page.objects.push(ObjectMeta {
                name: name.to_owned(),
                size,
                modified: object.last_modified.as_ref().and_then(instant),
                etag: object.e_tag.as_deref().map(bare_tag),
                storage_class: object.storage_class.map(|class| class.as_str().to_owned()),
            }),
        }
        Ok(())
    }

    /// The name as it is; the escaped text of one that is not UTF-8.
    fn decoded(&self, raw: String) -> Result<String, String> {
        if !self.coded || !raw.contains(['%', '+']) {
            return Ok(raw);
        }
        // Servers differ in how they write a space; a plus sign itself always comes as %2B.
        let spaced = if raw.contains('+') { Cow::Owned(raw.replace('+', "%20")) } else { Cow::Borrowed(raw.as_str()) };
        let bytes: Vec<u8> = percent_decode(spaced.as_bytes()).collect();
        String::from_utf8(bytes).map_err(|e| e.as_bytes().escape_ascii().to_string().chars().take(1024).collect())
    }
}

fn shortened(name: &str) -> String {
    escaped(&name.chars().take(200).collect::<String>()).into_owned()
}
