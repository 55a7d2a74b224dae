//! Sessions on a server: named, bounded, and honest about a line that broke in the middle.

use crate::model::estate::{Console, Server, TlsMode};
use crate::model::id::ServerId;
use crate::model::secret::SecretRef;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An open session; closing it ends its driver.
#[derive(Debug)]
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
    cx_cancel: crate::tasks::Cancel,
    tls: TlsMode,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The configured server with this name.
pub fn server<'a>(cx: &'a TaskContext, id: &ServerId) -> Result<&'a Server, Failure> {
    cx.estate.server(id).ok_or_else(|| {
        Failure::new(format!("server `{id}` is not configured"))
            .means("nothing was done")
            .next("add it under `[servers]`, or make a new plan")
    })
}

/// `127.0.0.1:5432`, for messages.
pub fn address(server: &Server) -> String {
    format!("{}:{}", escaped(&server.host), server.port)
}

impl Session {
    /// Opens a session on one database. Nothing has happened on the server if this fails.
    pub async fn open(cx: &TaskContext, server: &Server, database: &str) -> Result<Self, Stop> {
        let place = format!("database `{}` on {}", escaped(database), address(server));
        let mut config = tokio_postgres::Config::new();
        config.host(&server.host).port(server.port).user(&server.user).dbname(database);
        let of_whom = format!("server `{}`", server.id);
        let session = Self::connect(cx, config, (server.password.as_ref(), &of_whom), server.tls, &place).await?;
        session
            .client
            .batch_execute("SET lock_timeout = '30s'; SET statement_timeout = 0; SET search_path = pg_catalog; SET client_min_messages = warning; SET standard_conforming_strings = on")
            .await
            .map_err(|error| sql_failure(&format!("preparing a session on {place}"), &error))?;
        Ok(session)
    }

    /// A session on PgBouncer's console, which speaks the protocol and none of the SQL.
    pub async fn console(cx: &TaskContext, console: &Console) -> Result<Self, Stop> {
        let place = format!("PgBouncer's console at {}:{}", escaped(&console.host), console.port);
        let mut config = tokio_postgres::Config::new();
        config.host(&console.host).port(console.port).user(&console.user).dbname("pgbouncer");
        Self::connect(cx, config, (console.password.as_ref(), &place), console.tls, &place).await
    }

    async fn connect(
        cx: &TaskContext,
        mut config: tokio_postgres::Config,
        (password, of_whom): (Option<&SecretRef>, &str),
        tls: TlsMode,
        place: &str,
    ) -> Result<Self, Stop> {
        config.application_name(cx.owner.label()).connect_timeout(CONNECT_TIMEOUT);
        if let Some(from) = password {
            let secret = cx.secrets.read(from).map_err(|why| {
                Failure::new(format!("the password of {of_whom} could not be read: {why}"))
                    .means("nothing was done")
                    .next("check the password's source in the configuration")
            })?;
            config.password(secret.expose());
        }
        let opening = open_client(&config, tls);
        let (client, driver) = tokio::select! {
            opened = tokio::time::timeout(CONNECT_TIMEOUT * 2, opening) => match opened {
                Ok(Ok(opened)) => opened,
                Ok(Err(error)) => return Err(refused(place, &error).into()),
                Err(_) => return Err(Failure::new(format!("{place} did not answer within 20s"))
                    .means("nothing was done").next("check that the server runs and can be reached, then try again").into()),
            },
            reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
        };
        Ok(Self { client, driver, cx_cancel: cx.cancel.clone(), tls })
    }

    /// Rows of a reading statement. A broken line is a failure: a read has no effect to be unsure of.
    pub async fn rows(&self, doing: &str, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Stop> {
        self.bounded(self.client.query(sql, params)).await?.map_err(|error| sql_failure(doing, &error).into())
    }

    /// Exactly one row.
    pub async fn row(&self, doing: &str, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Stop> {
        self.bounded(self.client.query_one(sql, params)).await?.map_err(|error| sql_failure(doing, &error).into())
    }

    /// At most one row.
    pub async fn maybe(&self, doing: &str, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, Stop> {
        self.bounded(self.client.query_opt(sql, params)).await?.map_err(|error| sql_failure(doing, &error).into())
    }

    /// A statement that changes something. When the line breaks, its effect is unknown. It is not
    /// interrupted by a cancellation: half a change is worse than a late stop.
    pub async fn change(&self, doing: &str, sql: &str) -> Result<(), Stop> {
        self.client.batch_execute(sql).await.map_err(|error| {
            if error.as_db_error().is_some() && !error.is_closed() {
                return Stop::Failed(sql_failure(doing, &error));
            }
            Stop::Unknown(
                sql_failure(doing, &error)
                    .means("the line to the server broke; it may have done this or not")
                    .next("look again: the program reads the server's state before it goes on"),
            )
        })
    }

    /// The bare client, for copy streams.
    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn bounded<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            done = work => Ok(done),
            reason = self.cx_cancel.cancelled() => {
                self.interrupt().await;
                Err(Stop::Cancelled(reason))
            }
        }
    }

    /// Asks the server to stop the running statement; best effort, the session is dropped anyway.
    async fn interrupt(&self) {
        let token = self.client.cancel_token();
        let sent = async {
            match self.tls {
                TlsMode::Off => token.cancel_query(NoTls).await.is_ok(),
                TlsMode::Verify => match tls() {
                    Ok(tls) => token.cancel_query(tls).await.is_ok(),
                    Err(_) => false,
                },
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(3), sent).await;
    }
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error("{}", chain(.0))]
    Postgres(tokio_postgres::Error),
    #[error("no trusted certificates were found on this machine: {0}")]
    Certificates(String),
}

async fn open_client(
    config: &tokio_postgres::Config,
    tls_mode: TlsMode,
) -> Result<(Client, JoinHandle<()>), OpenError> {
    match tls_mode {
        TlsMode::Off => {
            let mut config = config.clone();
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            let (client, line) = config.connect(NoTls).await.map_err(OpenError::Postgres)?;
            Ok((client, tokio::spawn(async move { drop(line.await) })))
        }
        TlsMode::Verify => {
            let mut config = config.clone();
            config.ssl_mode(tokio_postgres::config::SslMode::Require);
            let (client, line) = config.connect(tls()?).await.map_err(OpenError::Postgres)?;
            Ok((client, tokio::spawn(async move { drop(line.await) })))
        }
    }
}

fn tls() -> Result<tokio_postgres_rustls::MakeRustlsConnect, OpenError> {
    // Another part may have chosen the provider already; either is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio_postgres_rustls::MakeRustlsConnect::with_native_certs().map(|(tls, _)| tls).map_err(|errors| {
        OpenError::Certificates(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })
}

fn refused(place: &str, error: &OpenError) -> Failure {
    let code = match error {
        OpenError::Postgres(error) => error.code().map(|code| code.code().to_owned()),
        OpenError::Certificates(_) => None,
    };
    let failure = Failure::new(format!("{place} cannot be opened: {error}"));
    match code.as_deref() {
        Some("28P01" | "28000") => failure
            .means("the server does not accept this user or password")
            .next("check `user` and the password's source of this server"),
        Some("3D000") => failure.means("the database is not there").next("check its name; it may have been renamed"),
        Some("53300") => failure
            .means("the server has no free connection")
            .next("free some connections or raise max_connections, then try again"),
        Some("57P03") => failure.means("the server is starting or shutting down").next("wait and try again"),
        _ => failure
            .means("the server's state is not known from here")
            .next("check that it runs, that the address is right and that its access rules admit this user"),
    }
}

/// A server's answer as a failure: message, detail and hint, all escaped.
pub fn sql_failure(doing: &str, error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else {
        return Failure::new(format!("{doing} failed: {}", chain(error)));
    };
    let mut failure = Failure::new(format!("{doing} failed: {} ({})", escaped(db.message()), db.code().code()));
    if let Some(detail) = db.detail() {
        failure = failure.evidence(escaped(detail).into_owned());
    }
    if let Some(hint) = db.hint() {
        failure = failure.evidence(escaped(hint).into_owned());
    }
    failure
}

fn chain(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return escaped(db.message()).into_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    escaped(&text).into_owned()
}
