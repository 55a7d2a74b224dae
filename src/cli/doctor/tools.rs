//! PostgreSQL's client programs: where they are and how old.

use super::check::Check;
use crate::health::Severity;
use crate::model::estate::{AssetKind, Server};
use crate::tasks::pg::tools;
use crate::wiring::Setup;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const PROGRAMS: [&str; 3] = ["psql", "pg_restore", "pg_dump"];

const PATIENCE: Duration = Duration::from_secs(10);

pub async fn all(setup: &Setup) -> Vec<Check> {
    let estate = &setup.estate;
    let servers: Vec<&Server> = estate.servers.iter().filter(|server| server.kind == AssetKind::PostgreSql).collect();
    let databases = estate.assets.iter().any(|asset| asset.kind == AssetKind::PostgreSql);
    if servers.is_empty() && databases {
        let check = Check::new("tool", "psql", Severity::Warning, "no [[servers]] entry of kind `postgresql`");
        return vec![check.next("name the server of each database, so that it can be restored from here")];
    }
    let wanted = servers.into_iter().flat_map(|server| PROGRAMS.map(|program| (server, program)));
    futures::future::join_all(wanted.map(|(server, program)| one(server, program))).await
}

async fn one(server: &Server, program: &str) -> Check {
    let name = format!("{program} for {}", server.id);
    let path = match tools::find(server, program) {
        Ok(path) => path,
        Err(failure) => return Check::new("tool", name, Severity::Critical, failure.what).next(failure.next),
    };
    match version(&path).await {
        Ok(version) => Check::good("tool", name, format!("{version}, {}", path.display())),
        Err(why) => Check::new("tool", name, Severity::Critical, format!("{}: {why}", path.display()))
            .next("mend the installation, or set `bin_dir` for this server in the configuration"),
    }
}

async fn version(program: &Path) -> Result<tools::Version, String> {
    let mut command = tokio::process::Command::new(program);
    command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("did not tell its version within {} s", PATIENCE.as_secs())),
    };
    tools::Version::find(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| "does not tell its version".to_owned())
}
