//! The addresses of a service, knocked at from here and from other hosts. Silence is told as silence.

use crate::model::estate::Service;
use crate::model::id::HostId;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::Stop;
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(5);
const KNOCK: &str = r#"exec 3<>"/dev/tcp/$1/$2""#;

/// One address, seen from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    address: String,
    from: String,
    seen: Seen,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Open,
    Closed,
    /// With what was heard instead.
    Unknown(String),
}

impl Door {
    pub fn is_open(&self) -> bool {
        self.seen == Seen::Open
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, from, seen } = self;
        match seen {
            Seen::Open => write!(f, "{address} takes connections from {from}"),
            Seen::Closed => write!(f, "{address} refuses connections from {from}"),
            Seen::Unknown(why) => write!(f, "{address} from {from}: not known ({why})"),
        }
    }
}

/// Every address from every place.
pub async fn look(cx: &TaskContext, service: &Service) -> Result<Vec<Door>, Stop> {
    let mut doors = Vec::new();
    for address in &service.addresses {
        let door = |from: String, seen| Door { address: address.clone(), from, seen };
        doors.push(door("here".to_owned(), from_here(address).await));
        for host in &service.vantage {
            doors.push(door(format!("host {host}"), from_host(cx, host, address).await?));
        }
    }
    Ok(doors)
}

async fn from_here(address: &str) -> Seen {
    match tokio::time::timeout(LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Seen::Open,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Seen::Closed,
        Ok(Err(error)) => Seen::Unknown(error.to_string()),
        Err(_) => Seen::Unknown(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn from_host(cx: &TaskContext, id: &HostId, address: &str) -> Result<Seen, Stop> {
    let Some((host, port)) = address.rsplit_once(':') else { return Ok(Seen::Unknown("no port".to_owned())) };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let argv = ["env", "LC_ALL=C", "timeout", "-k", "1", "5", "bash", "-c", KNOCK, "knock", host, port];
    let found = match host::find(cx, id) {
        Ok(found) => found,
        Err(failure) => return Ok(Seen::Unknown(failure.what)),
    };
    Ok(match host::run(cx, found, Command::new(argv).within(LIMIT * 6).quiet()).await {
        Ok(said) if said.status == 0 => Seen::Open,
        Ok(said) if said.stderr.iter().any(|line| line.contains("Connection refused")) => Seen::Closed,
        Ok(said) => {
            let line = said.stderr.iter().find(|line| !line.trim().is_empty());
            Seen::Unknown(line.map_or_else(|| format!("status {}", said.status), |line| escaped(line).into_owned()))
        }
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => Seen::Unknown(failure.what),
        Err(cancelled) => return Err(cancelled),
    })
}
