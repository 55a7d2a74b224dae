//! A sandbox that was kept, taken up again: its servers start anew, its stores and its state are as they were
//! left.

use super::build::{DemoError, Laid, cannot};
use super::cluster::Cluster;
use super::folder::{Folder, end_remains};
use super::programs;
use super::s3_server::{S3Keys, S3Server, S3ServerSettings};
use super::settings::{self, SECRET_FILE};
use crate::model::secret::Secret;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

/// Where the servers answered when the sandbox was last up.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    /// `http://127.0.0.1:<port>`
    endpoint: String,
    access_key_id: String,
    /// Of the database server, where the sandbox has one.
    database: Option<u16>,
}

/// Starts both servers, at their old ports if these are free, and corrects the configuration if not. Blocking
/// up to the object-store server.
pub(super) async fn take_up(folder: Folder) -> Result<(Laid, S3Server), DemoError> {
    let path = folder.path().join(settings::FILE);
    let text = fs::read_to_string(&path).map_err(cannot("read its configuration"))?;
    let places = places(&text).ok_or_else(|| strange(&path))?;
    let secret = fs::read_to_string(folder.path().join(SECRET_FILE)).map_err(cannot("read its keys"))?;

    let database = places.database;
    let laying = tokio::task::spawn_blocking(move || lay_out(folder, database));
    let laid = laying.await.map_err(|lost| DemoError::Configuration(lost.to_string()))?;
    let keys = S3Keys {
        access_key_id: places.access_key_id.clone(),
        secret_access_key: Secret::new(secret.trim_end().to_owned()),
    };
    let s3 = serve(&laid, port(&places.endpoint), keys).await.map_err(cannot("serve its bucket"))?;

    let mut now = text.replace(&places.endpoint, &s3.endpoint());
    if let (Some(old), Some(cluster)) = (places.database, &laid.cluster) {
        now = now.replace(&format!("\nport = {old}\n"), &format!("\nport = {}\n", cluster.port()));
    }
    if now != text {
        fs::write(&path, now).map_err(cannot("correct its configuration"))?;
    }
    Ok((laid, s3))
}

/// Ends what a killed demo may have left running, and starts the database server.
fn lay_out(folder: Folder, database: Option<u16>) -> Laid {
    end_remains(folder.path());
    let mut lacks = Vec::new();
    let mut cluster = None;
    if let Some(port) = database {
        let started = programs::postgresql()
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "its programs were not found"))
            .and_then(|bin| Cluster::restart(&bin, folder.path(), port));
        match started {
            Ok(running) => cluster = Some(running),
            Err(error) => lacks.push(format!("There is no live database: PostgreSQL did not start: {error}")),
        }
    }
    Laid { cluster, folder, lacks }
}

async fn serve(laid: &Laid, port: u16, keys: S3Keys) -> std::io::Result<S3Server> {
    let settings = |port| S3ServerSettings { root: laid.s3_root(), port, keys: Some(keys.clone()), sums: false };
    match S3Server::start(settings(port)).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => S3Server::start(settings(0)).await,
        started => started,
    }
}

/// 0, which takes any, where the endpoint names none.
fn port(endpoint: &str) -> u16 {
    endpoint.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0)
}

fn places(text: &str) -> Option<Places> {
    let file: toml::Table = text.parse().ok()?;
    let stores = file.get("stores")?.as_array()?;
    let bucket = stores.iter().find(|store| store.get("type").and_then(toml::Value::as_str) == Some("s3"))?;
    let text = |name: &str| bucket.get(name).and_then(toml::Value::as_str).map(str::to_owned);
    let server = file.get("servers").and_then(toml::Value::as_array).and_then(|servers| servers.first());
    let database = server.and_then(|server| server.get("port")?.as_integer()?.try_into().ok());
    Some(Places { endpoint: text("endpoint")?, access_key_id: text("access_key_id")?, database })
}

fn strange(path: &Path) -> DemoError {
    let text = format!("{} is not what a demo writes: name a new folder for the sandbox", path.display());
    DemoError::Configuration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_places_are_read_and_anything_else_is_not() {
        let text = "[[stores]]\ntype = 'local'\n[[stores]]\ntype = 's3'\nendpoint = 'http://127.0.0.1:5'\n\
                    access_key_id = 'k'\n[[servers]]\nport = 7\n";
        let places = places(text).unwrap();
        assert_eq!((places.endpoint.as_str(), places.access_key_id.as_str()), ("http://127.0.0.1:5", "k"));
        assert_eq!((places.database, port(&places.endpoint)), (Some(7), 5));
        assert_eq!(super::places("[[stores]]\ntype = 'local'\n"), None);
        assert_eq!(super::places("not a table"), None);
    }
}
