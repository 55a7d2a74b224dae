//! The example estates, each built as a system of its own with real services, then observed, backed up,
//! damaged and restored through the real binary and the configuration that stands in `config/estates`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod agents;
mod agents_runs;
mod crud_app;
mod crud_backups;
mod crud_hazards;
mod crud_observed;
mod crud_restores;
mod crud_tables;
mod deploy;
mod deploy_models;
mod deploy_runs;
mod home;
mod ops;
mod ops_runs;
mod physical;
mod platform;
mod platform_runs;

#[path = "../support/disks.rs"]
mod disks;
#[path = "../support/docker.rs"]
mod docker;
#[path = "../e2e/line.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod line;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/s3.rs"]
mod s3;
#[path = "../support/workers.rs"]
mod workers;

use home::RELIGHT;

/// PostgreSQL's programs refuse to work as root, and the estates' files are written for an operator who is.
#[test]
fn no_estate_runs_the_programs_of_postgresql_as_root() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/estates");
    for estate in std::fs::read_dir(folder).unwrap().flatten() {
        let Ok(text) = std::fs::read_to_string(estate.path().join("relight.toml")) else { continue };
        let file: toml::Table = text.parse().unwrap();
        let tables = |key: &str| file.get(key).and_then(|value| value.as_array()).cloned().unwrap_or_default();
        for server in tables("servers").iter().filter(|server| server.get("kind").is_none()) {
            let Some(home) = server.get("home").and_then(|home| home.get("host")) else { continue };
            let hosts = tables("hosts");
            let host = hosts.iter().find(|host| host.get("id") == Some(home)).unwrap();
            assert!(host.get("run_as").is_some(), "{}: {host}", estate.path().display());
        }
    }
}
