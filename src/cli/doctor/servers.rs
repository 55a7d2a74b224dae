//! Every database server, by its port.

use super::check::Check;
use crate::health::Severity;
use crate::model::estate::Server;
use crate::wiring::Setup;
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, UnixStream};

const PATIENCE: Duration = Duration::from_secs(10);

pub async fn all(setup: &Setup) -> Vec<Check> {
    futures::future::join_all(setup.estate.servers.iter().map(one)).await
}

async fn one(server: &Server) -> Check {
    let begun = Instant::now();
    let (place, tried) = if server.host.starts_with('/') {
        let socket = format!("{}/.s.PGSQL.{}", server.host, server.port);
        let tried = tokio::time::timeout(PATIENCE, UnixStream::connect(&socket)).await;
        (socket, tried.map(|tried| tried.map(drop)))
    } else {
        let place = format!("{}:{}", server.host, server.port);
        let tried = tokio::time::timeout(PATIENCE, TcpStream::connect(&place)).await;
        (place, tried.map(|tried| tried.map(drop)))
    };
    let name = server.id.as_str();
    let unseen = |why: String| {
        Check::new("server", name, Severity::Unknown, format!("{place}: {why}"))
            .next("check that it runs, its address and port, and the network between")
    };
    match tried {
        Ok(Ok(())) => Check::good("server", name, format!("{place} answers in {} ms", begun.elapsed().as_millis())),
        Ok(Err(error)) => unseen(error.to_string()),
        Err(_) => unseen(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}
