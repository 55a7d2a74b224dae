//! Every secret that the configuration refers to, read once and thrown away.

use super::check::Check;
use crate::health::Severity;
use crate::model::estate::{S3Credentials, StorePlace};
use crate::model::key::Key;
use crate::model::secret::SecretRef;
use crate::wiring::Setup;

#[expect(clippy::unused_async, reason = "joined with checks that wait")]
pub async fn all(setup: &Setup) -> Vec<Check> {
    let estate = &setup.estate;
    let mut wanted: Vec<(String, &SecretRef)> = Vec::new();
    for store in &estate.stores {
        if let StorePlace::S3(place) = &store.place
            && let S3Credentials::Static { secret_access_key, session_token, .. } = &place.credentials
        {
            wanted.push((format!("key of store {}", store.id), secret_access_key));
            wanted.extend(session_token.as_ref().map(|token| (format!("token of store {}", store.id), token)));
        }
    }
    for server in &estate.servers {
        wanted.extend(server.password.as_ref().map(|from| (format!("password of server {}", server.id), from)));
    }
    let mut keys: Vec<&Key> =
        estate.assets.iter().flat_map(|asset| asset.sources.iter().filter_map(|source| source.key.as_ref())).collect();
    keys.sort_by_key(|key| &key.id);
    keys.dedup();
    for key in keys {
        wanted.extend(key.secrets().into_iter().map(|(what, from)| (format!("{what} of key {}", key.id), from)));
    }
    let check = |(name, from): (String, &SecretRef)| match setup.secrets.read_whole(from) {
        Ok(_) => Check::good("secret", name, format!("readable from {}", origin(from))),
        Err(why) => {
            Check::new("secret", name, Severity::Critical, why).next("without it this store, server or backup is lost")
        }
    };
    wanted.into_iter().map(check).collect()
}

fn origin(from: &SecretRef) -> String {
    match from {
        SecretRef::Env(name) => format!("environment variable {name}"),
        SecretRef::File(path) => format!("file {}", path.display()),
        SecretRef::Command(argv) => format!("command {}", argv.first().map_or("", String::as_str)),
    }
}
