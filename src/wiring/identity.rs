//! As whom the stores are read, as far as the configuration tells.

use crate::model::estate::{Estate, S3Credentials, StoreConfig, StorePlace};

/// All identities towards the estate's stores, each once: `profile platform-ro, root on local folders`.
pub fn identity(estate: &Estate, user: &str) -> String {
    let mut known: Vec<String> = Vec::new();
    for store in &estate.stores {
        let who = signs_in(store, user);
        if !known.contains(&who) {
            known.push(who);
        }
    }
    known.join(", ")
}

/// As whom one store is read.
pub fn signs_in(store: &StoreConfig, user: &str) -> String {
    match &store.place {
        StorePlace::Local { .. } => format!("{user} on local folders"),
        StorePlace::S3(place) => match &place.credentials {
            S3Credentials::Anonymous => "anonymous".to_owned(),
            S3Credentials::Profile { name } => format!("profile {name}"),
            S3Credentials::Static { access_key_id, .. } => format!("key {access_key_id}"),
            S3Credentials::Default => match std::env::var("AWS_PROFILE") {
                Ok(profile) if !profile.is_empty() => format!("AWS environment, profile {profile}"),
                _ => "AWS environment".to_owned(),
            },
        },
    }
}
