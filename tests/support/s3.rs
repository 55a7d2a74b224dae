//! A real S3 server in this process, over a temporary folder that tests can change behind its back.
#![allow(dead_code, reason = "each test binary uses its own part")]

use relight::demo::s3_server::{S3Keys, S3Server, S3ServerSettings};
use relight::model::estate::{S3Credentials, S3Keeping, S3Place, StoreConfig, StorePlace};
use relight::model::secret::{Secret, SecretRef, SecretSource};
use std::path::PathBuf;
use tempfile::TempDir;

pub const BUCKET: &str = "backups";
pub const KEY: &str = "relight-test";
pub const SECRET: &str = "not-a-secret-at-all";

/// Gives the secret of the test server, whatever is asked for.
#[derive(Debug)]
pub struct TestSecrets;

impl SecretSource for TestSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Ok(Secret::new(SECRET.to_owned()))
    }
}

/// Gives a wrong secret.
#[derive(Debug)]
pub struct WrongSecrets;

impl SecretSource for WrongSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Ok(Secret::new("guessed".to_owned()))
    }
}

fn keys() -> S3Keys {
    S3Keys { access_key_id: KEY.to_owned(), secret_access_key: Secret::new(SECRET.to_owned()) }
}

pub struct S3Fixture {
    pub server: S3Server,
    folder: TempDir,
}

impl S3Fixture {
    /// A server with one empty bucket.
    pub async fn start() -> Self {
        Self::with(Some(keys()), false).await
    }

    /// The same, keeping checksums as S3 does of what came since the end of 2024.
    pub async fn with_sums() -> Self {
        Self::with(Some(keys()), true).await
    }

    /// The same, for requests that nobody signs.
    pub async fn open_to_all() -> Self {
        Self::with(None, false).await
    }

    async fn with(keys: Option<S3Keys>, sums: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let settings = S3ServerSettings { root: folder.path().to_owned(), port: 0, keys, sums };
        Self { server: S3Server::start(settings).await.unwrap(), folder }
    }

    /// The file behind a key.
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }

    /// Puts or replaces an object without asking the server.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        let file = self.file(key);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    pub fn config(&self, id: &str, prefix: &str) -> StoreConfig {
        config_at(&self.server.endpoint(), id, prefix)
    }
}

/// A store in the test bucket, with an endpoint of choice (a proxy before the server).
pub fn config_at(endpoint: &str, id: &str, prefix: &str) -> StoreConfig {
    StoreConfig {
        id: id.into(),
        place: StorePlace::S3(Box::new(S3Place {
            bucket: BUCKET.to_owned(),
            prefix: prefix.to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(endpoint.to_owned()),
            force_path_style: true,
            credentials: S3Credentials::Static {
                access_key_id: KEY.to_owned(),
                secret_access_key: SecretRef::Env("UNUSED".to_owned()),
                session_token: None,
            },
            keeping: S3Keeping::default(),
        })),
        site: "test".to_owned(),
        medium: "object".to_owned(),
        time_zone: chrono_tz::UTC,
    }
}

/// The same without signatures.
pub fn unsigned_at(endpoint: &str, id: &str, prefix: &str) -> StoreConfig {
    let mut config = config_at(endpoint, id, prefix);
    if let StorePlace::S3(place) = &mut config.place {
        place.credentials = S3Credentials::Anonymous;
    }
    config
}
