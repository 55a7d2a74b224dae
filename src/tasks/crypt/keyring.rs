//! The key of one backup, by the source that it belongs to.

use super::command;
use super::opening::Opening;
use crate::catalog::Pattern;
use crate::model::content::Wrapping;
use crate::model::id::{AssetId, StoreId};
use crate::model::key::Key;
use crate::model::secret::SecretSource;
use crate::proof::Unseal;
use crate::tasks::context::{Cancel, TaskContext};
use crate::tasks::source::Source;
use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::Arc;

/// At most one key; its secrets are read when something is opened.
#[derive(Clone, Debug)]
pub struct Keyring {
    key: Option<Key>,
    secrets: Arc<dyn SecretSource>,
    cancel: Cancel,
}

impl Keyring {
    pub fn with(cx: &TaskContext, key: Option<Key>) -> Self {
        Self { key, secrets: Arc::clone(&cx.secrets), cancel: cx.cancel.clone() }
    }

    /// The key that the asset's source names for an object.
    pub fn of(cx: &TaskContext, asset: &AssetId, store: &StoreId, path: &str) -> Self {
        let sources = cx.estate.asset(asset).map(|asset| asset.sources.as_slice()).unwrap_or_default();
        let fits = |pattern: &str| Pattern::parse(pattern).is_ok_and(|p| p.matches(path).is_some());
        let named = sources.iter().find(|s| s.store == *store && s.key.is_some() && fits(&s.pattern));
        Self::with(cx, named.and_then(|source| source.key.clone()))
    }

    pub fn of_source(cx: &TaskContext, source: &Source) -> Self {
        Self::of(cx, &source.asset, &source.store, &source.path)
    }

    /// Why something encrypted like this stays closed; `None` where there is a key to try.
    pub fn refusal(&self, seal: Wrapping) -> Option<String> {
        match &self.key {
            None => Some(format!("it is encrypted ({seal}), and the configuration names no key for it")),
            Some(key) if key.seal() != seal => Some(format!("it is encrypted ({seal}), and {key} is of another kind")),
            Some(key) if !key.opens() => {
                Some(format!("it is encrypted ({seal}), and {key} has no secret half in the configuration"))
            }
            Some(_) => None,
        }
    }
}

impl Unseal for Keyring {
    fn opens(&self, seal: Wrapping) -> bool {
        self.refusal(seal).is_none()
    }

    fn open<'a>(&self, seal: Wrapping, reader: Box<dyn BufRead + 'a>) -> io::Result<Box<dyn Read + 'a>> {
        let closed = |why: String| io::Error::new(ErrorKind::Unsupported, why);
        let Some(key) = self.key.as_ref().filter(|_| self.opens(seal)) else {
            return Err(closed(self.refusal(seal).unwrap_or_default()));
        };
        let ready = command::decrypting(key, &*self.secrets).map_err(closed)?;
        Ok(Box::new(Opening::start(reader, ready, key, self.cancel.clone())?))
    }
}
