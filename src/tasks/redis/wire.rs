//! RESP, the protocol of Redis and Valkey: one command, one answer, all of it bounded.

use crate::model::estate::{AssetKind, Server, TlsMode};
use crate::model::id::ServerId;
use crate::model::task::{CancelReason, Failure};
use crate::model::text::escaped;
use crate::tasks::context::{Cancel, TaskContext};
use crate::tasks::input::Stop;
use crate::tasks::pg::connect::{self, address};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Longer answers are not those of the commands that are asked here.
const MOST_BYTES: u64 = 4 << 20;
const MOST_ITEMS: usize = 4096;
const LINE_BYTES: u64 = 64 << 10;

pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

/// Why there is no session.
pub(super) enum Shut {
    /// Nobody listens there; the machine itself said so.
    Refused,
    /// Nothing came back. It may be dead, paused, or only unreachable from here.
    Silent(String),
    /// Someone listens and lets nobody in.
    Closed(Failure),
    Cancelled(CancelReason),
}

impl From<Shut> for Stop {
    fn from(shut: Shut) -> Self {
        let failed = |what: String| {
            Stop::Failed(
                Failure::new(what).means("nothing was done").next("look at the server on its host, then retry"),
            )
        };
        match shut {
            Shut::Refused => failed("the server is down: nothing listens there".to_owned()),
            Shut::Silent(how) => failed(format!("the server gives no answer: {}", escaped(&how))),
            Shut::Closed(failure) => Stop::Failed(failure),
            Shut::Cancelled(reason) => Stop::Cancelled(reason),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Text(String),
    Number(i64),
    Nil,
    List(Vec<Reply>),
}

impl Reply {
    pub fn text(self) -> Option<String> {
        match self {
            Reply::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What came back in place of an answer.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{}", escaped(.0))]
    Said(String),
    #[error("{0}")]
    Line(#[from] io::Error),
    #[error("its answer is not one of Redis ({0})")]
    Strange(&'static str),
    #[error("no answer within {} s", ANSWER_LIMIT.as_secs())]
    Late,
}

pub(super) struct Session {
    line: BufReader<Box<dyn Line>>,
    cancel: Cancel,
    place: String,
}

/// The configured Redis server with this name.
pub(super) fn server<'a>(cx: &'a TaskContext, id: &ServerId) -> Result<&'a Server, Failure> {
    let server = connect::server(cx, id)?;
    if server.kind != AssetKind::Redis {
        return Err(Failure::new(format!("server `{id}` is of kind `{}`, not `redis`", server.kind))
            .means("nothing was done")
            .next("name a server of kind `redis`, and make a new plan"));
    }
    Ok(server)
}

impl Session {
    /// Opens a session and gives the password, if there is one. Nothing has happened on the server if this fails.
    pub async fn open(cx: &TaskContext, server: &Server) -> Result<Self, Shut> {
        let line = tokio::select! {
            opened = tokio::time::timeout(CONNECT_LIMIT, connected(server)) => match opened {
                Ok(Ok(line)) => line,
                Ok(Err(error)) if nobody_listens(&error) => return Err(Shut::Refused),
                Ok(Err(error)) => return Err(Shut::Silent(error.to_string())),
                Err(_) => return Err(Shut::Silent(format!("no connection within {} s", CONNECT_LIMIT.as_secs()))),
            },
            reason = cx.cancel.cancelled() => return Err(Shut::Cancelled(reason)),
        };
        let place = format!("Redis on {}", address(server));
        let mut session = Self { line: BufReader::new(line), cancel: cx.cancel.clone(), place };
        if let Some(from) = &server.password {
            let secret = cx.secrets.read(from).map_err(|why| {
                Shut::Closed(
                    Failure::new(format!("the password of server `{}` could not be read: {why}", server.id))
                        .means("nothing was done")
                        .next("check the password's source in the configuration"),
                )
            })?;
            // Servers before 6 know one user and take the password alone.
            let words = ["AUTH", &server.user, secret.expose()];
            let words = if server.user == "default" { vec![words[0], words[2]] } else { words.to_vec() };
            session.first(&words).await?;
        }
        session.first(&["PING"]).await?;
        Ok(session)
    }

    async fn first(&mut self, words: &[&str]) -> Result<(), Shut> {
        match self.exchange(words).await {
            Ok(Ok(_)) => Ok(()),
            // A server that loads its data says so to everyone and goes on loading.
            Ok(Err(Broken::Said(said))) if said.starts_with("LOADING") => Ok(()),
            Ok(Err(error @ Broken::Said(_))) => Err(Shut::Closed(
                Failure::new(format!("{} lets nobody in: {error}", self.place))
                    .means("the server answers, and refuses us; nothing was done")
                    .next("check `user` and `password` of this server, and that it may be reached from here"),
            )),
            Ok(Err(error)) => Err(Shut::Silent(error.to_string())),
            Err(reason) => Err(Shut::Cancelled(reason)),
        }
    }

    /// One command that has one answer. What the server refuses, and a line that breaks, is a failure.
    pub async fn ask(&mut self, words: &[&str]) -> Result<Reply, Stop> {
        match self.exchange(words).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                let command = words.first().copied().unwrap_or_default();
                Err(Failure::new(format!("{} to {command}: {error}", self.place)).into())
            }
            Err(reason) => Err(Stop::Cancelled(reason)),
        }
    }

    /// Asks to be sent a snapshot like a replica; the line with which it begins. Until then a server sends empty
    /// lines for as long as it takes it.
    pub async fn replicate(&mut self, silence: Duration) -> Result<String, Stop> {
        let refused = |why: String| -> Stop {
            Failure::new(format!("the server gives no snapshot: {why}"))
                .means("no backup was made")
                .next("see that this user may run SYNC, and what the server's log says, then retry")
                .into()
        };
        self.send(&["SYNC"]).await.map_err(|error| refused(error.to_string()))?;
        loop {
            let cancel = self.cancel.clone();
            let read = async {
                let mut bytes = Vec::new();
                (&mut self.line).take(LINE_BYTES).read_until(b'\n', &mut bytes).await.map(|_| bytes)
            };
            let bytes = tokio::select! {
                read = tokio::time::timeout(silence, read) => match read {
                    Ok(Ok(bytes)) => bytes,
                    Ok(Err(error)) => return Err(refused(error.to_string())),
                    Err(_) => return Err(refused(format!("nothing came for {} s", silence.as_secs()))),
                },
                reason = cancel.cancelled() => return Err(Stop::Cancelled(reason)),
            };
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            match text.strip_prefix('-') {
                _ if bytes.is_empty() => return Err(refused("it closed the line".to_owned())),
                Some(said) => return Err(refused(escaped(said).into_owned())),
                None if text.is_empty() => {}
                None => return Ok(text),
            }
        }
    }

    /// The line itself, for what is no answer.
    pub fn line(&mut self) -> &mut (impl AsyncRead + Unpin) {
        &mut self.line
    }

    async fn exchange(&mut self, words: &[&str]) -> Result<Result<Reply, Broken>, CancelReason> {
        let cancel = self.cancel.clone();
        let talk = async {
            self.send(words).await?;
            self.reply().await
        };
        tokio::select! {
            reply = tokio::time::timeout(ANSWER_LIMIT, talk) => Ok(reply.unwrap_or(Err(Broken::Late))),
            reason = cancel.cancelled() => Err(reason),
        }
    }

    async fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        self.line.write_all(&bytes).await?;
        self.line.flush().await
    }

    async fn reply(&mut self) -> Result<Reply, Broken> {
        let head = self.head().await?;
        match head.strip_prefix('*') {
            None => self.item(&head).await,
            Some(count) => {
                let count = count.parse::<usize>().ok().filter(|count| *count <= MOST_ITEMS);
                let mut items = Vec::new();
                for _ in 0..count.ok_or(Broken::Strange("a list without an end"))? {
                    let head = self.head().await?;
                    items.push(self.item(&head).await?);
                }
                Ok(Reply::List(items))
            }
        }
    }

    async fn item(&mut self, head: &str) -> Result<Reply, Broken> {
        let rest = head.get(1..).unwrap_or_default();
        match head.as_bytes().first() {
            Some(b'+') => Ok(Reply::Text(rest.to_owned())),
            Some(b'-') => Err(Broken::Said(rest.to_owned())),
            Some(b':') => rest.parse().map(Reply::Number).map_err(|_| Broken::Strange("no number")),
            Some(b'$') if rest == "-1" => Ok(Reply::Nil),
            Some(b'$') => {
                let length = rest.parse::<u64>().ok().filter(|length| *length <= MOST_BYTES);
                let mut bytes = vec![0; length.ok_or(Broken::Strange("a text without an end"))? as usize + 2];
                self.line.read_exact(&mut bytes).await?;
                bytes.truncate(bytes.len() - 2);
                Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            _ => Err(Broken::Strange("an unknown kind")),
        }
    }

    /// One line without its end.
    async fn head(&mut self) -> Result<String, Broken> {
        let mut bytes = Vec::new();
        (&mut self.line).take(LINE_BYTES).read_until(b'\n', &mut bytes).await?;
        if bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_suffix("\r\n").ok_or(Broken::Strange("a line without an end"))?;
        Ok(text.to_owned())
    }
}

fn nobody_listens(error: &io::Error) -> bool {
    // A Unix socket that was never made, or whose server is gone.
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

async fn connected(server: &Server) -> io::Result<Box<dyn Line>> {
    if server.host.starts_with('/') {
        return Ok(Box::new(UnixStream::connect(&server.host).await?));
    }
    let line = TcpStream::connect((server.host.as_str(), server.port)).await?;
    match server.tls {
        TlsMode::Off => Ok(Box::new(line)),
        TlsMode::Verify => {
            let name = rustls::pki_types::ServerName::try_from(server.host.clone()).map_err(io::Error::other)?;
            let connector = tokio_rustls::TlsConnector::from(tls()?);
            Ok(Box::new(connector.connect(name, line).await?))
        }
    }
}

fn tls() -> io::Result<std::sync::Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(io::Error::other("no trusted certificates were found on this machine"));
    }
    // Another part may have chosen the provider already; either is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(std::sync::Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
