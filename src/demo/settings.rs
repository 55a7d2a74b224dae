//! The sandbox's configuration file.

use super::assets;
use super::cluster::{Cluster, PASSWORD_FILE, USER};
use super::ground::Ground;
use std::path::Path;

pub const FILE: &str = "relight.toml";
pub const BUCKET: &str = "harbour-backups";
pub const SECRET_FILE: &str = "s3-secret";

/// Where the object-store server answers, and as whom.
#[derive(Clone, Debug)]
pub struct S3Access {
    pub endpoint: String,
    pub access_key_id: String,
}

/// The whole file. Paths in it are relative to its folder.
pub fn file(ground: &Ground, s3: &S3Access, cluster: Option<&Cluster>) -> String {
    let mut text = format!(
        r#"# The sandbox of `relight demo`: everything that it names lies in this folder or on loopback.

[estate]
name = "harbour"
environment = "demo"
time_zone = "UTC"

[[stores]]
id = "local"
type = "local"
path = "stores/local"
site = "harbour"

[[stores]]
id = "s3"
type = "s3"
bucket = "{BUCKET}"
endpoint = "{}"
region = "us-east-1"
force_path_style = true
access_key_id = "{}"
secret_access_key = {{ file = "{SECRET_FILE}" }}
site = "us-east-1"
"#,
        s3.endpoint, s3.access_key_id
    );
    if let Some(cluster) = cluster {
        text.push_str(&server(cluster.port(), cluster.bin()));
    }
    for asset in assets::ALL {
        text.push_str(&(asset.table)(ground));
    }
    text
}

fn server(port: u16, bin: &Path) -> String {
    let bin = toml::Value::String(bin.to_string_lossy().into_owned());
    format!(
        r#"
[[servers]]
id = "orders-server"
kind = "postgresql"
host = "127.0.0.1"
port = {port}
user = "{USER}"
password = {{ file = "{PASSWORD_FILE}" }}
bin_dir = {bin}
"#
    )
}
