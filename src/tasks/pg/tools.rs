//! PostgreSQL's own programs: where they are, how old they are, and how they reach the server.

use super::names::conninfo;
use crate::model::estate::{Server, TlsMode};
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::process::{self, Output, Program};
use std::path::{Path, PathBuf};

/// A version as programs and dump headers give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl Version {
    /// The first `number.number` (or bare number) of a text: `pg_dump (PostgreSQL) 15.8 (Debian …)`.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || c == '(' || c == ')').find_map(|word| {
            let mut parts =
                word.split('.').map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>());
            let major: u32 = parts.next()?.parse().ok().filter(|major| (7..1000).contains(major))?;
            let minor = parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
            Some(Self { major, minor })
        })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Where `name` lies: the configured folder, or the newest installed version, or `PATH`.
pub fn find(server: &Server, name: &str) -> Result<PathBuf, Failure> {
    process::find_program(name, server.bin_dir.as_deref(), &installed()).ok_or_else(|| {
        Failure::new(format!("`{name}` was not found"))
            .means("the restore needs PostgreSQL's client programs on this machine")
            .next("install the PostgreSQL client package, or set `bin_dir` for this server in the configuration")
    })
}

/// Folders of versioned installations, newest first.
fn installed() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (root, prefix) in [("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/opt/homebrew/opt", "postgresql@")] {
        let Ok(entries) = std::fs::read_dir(root) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(version) = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<f32>().ok()) else {
                continue;
            };
            found.push((version, entry.path().join("bin")));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, path)| path).collect()
}

/// What the program says of its own version.
pub async fn version(cx: &TaskContext, path: &Path) -> Result<Version, Stop> {
    let mut said = Vec::new();
    let mut take = |chunk: &[u8]| {
        said.extend_from_slice(&chunk[..chunk.len().min(4096usize.saturating_sub(said.len()))]);
        Ok(())
    };
    process::run(Program::new(path).arg("--version"), None, Output::Chunks(&mut take), cx).await?.success()?;
    Version::find(&String::from_utf8_lossy(&said))
        .ok_or_else(|| Failure::new(format!("`{}` does not tell its version", path.display())).into())
}

/// A client program that will work on one database; no password in its arguments.
pub fn client(cx: &TaskContext, server: &Server, path: PathBuf, database: &str) -> Result<Program, Failure> {
    let mut program = Program::new(path).args(["--no-password", "--dbname"]).arg(conninfo(database)).envs([
        ("PGHOST", server.host.clone()),
        ("PGPORT", server.port.to_string()),
        ("PGUSER", server.user.clone()),
        ("PGAPPNAME", cx.owner.label()),
        ("PGCONNECT_TIMEOUT", "15".to_owned()),
        // No such file can be: an empty one is warned of.
        ("PGPASSFILE", "/dev/null/none".to_owned()),
        ("PGOPTIONS", "-c lock_timeout=30s -c statement_timeout=0 -c idle_in_transaction_session_timeout=0".to_owned()),
    ]);
    program = match server.tls {
        TlsMode::Off => program.envs([("PGSSLMODE", "disable")]),
        TlsMode::Verify => {
            program.envs([("PGSSLMODE", "verify-full".to_owned()), ("PGSSLROOTCERT", root_certificates()?)])
        }
    };
    if let Some(from) = &server.password {
        let secret = cx.secrets.read(from).map_err(|why| {
            Failure::new(format!("the password of server `{}` could not be read: {why}", server.id))
                .means("nothing was done")
                .next("check the password's source in the configuration")
        })?;
        program = program.envs([("PGPASSWORD", secret.expose())]);
    }
    Ok(program)
}

fn root_certificates() -> Result<String, Failure> {
    if let Some(set) = ["PGSSLROOTCERT", "SSL_CERT_FILE"].iter().find_map(|name| std::env::var(name).ok()) {
        return Ok(set);
    }
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::new("no file with trusted certificates was found")
                .means("PostgreSQL's programs could not check the server's certificate")
                .next("set SSL_CERT_FILE to a bundle of trusted certificates")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(
            Version::find("pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)"),
            Some(Version { major: 15, minor: 8 })
        );
        assert_eq!(Version::find("17devel"), Some(Version { major: 17, minor: 0 }));
        assert_eq!(Version::find("no number"), None);
    }
}
