//! A proxy between an S3 client and its server that breaks what it is told to break.
#![allow(dead_code, reason = "each test binary uses its own part")]

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

type Body = UnsyncBoxBody<Bytes, io::Error>;

#[derive(Clone, Debug)]
pub enum Fault {
    /// Forwards untouched.
    Pass,
    /// Forwards without this header. Signatures cover headers: only unsigned requests survive it.
    Without(&'static str),
    /// Forwards, and puts the second text in the first one's place wherever the answer has it.
    Instead(&'static str, &'static str),
    /// Answers with an S3 error instead of the server.
    Error(u16, &'static str),
    /// Answers with this body and these headers instead of the server.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Ends the connection after so many bytes of the answer's body.
    CutAfter(usize),
    /// Lets the body through in pieces of so many bytes, with a pause before each.
    Trickle(usize, Duration),
    /// Lets so many bytes of the body through, then nothing more.
    StallAfter(usize),
    /// Takes the request and never answers.
    Hang,
    /// Ends the connection without an answer.
    Drop,
}

impl Fault {
    pub fn slow_down() -> Self {
        Self::Error(503, "SlowDown")
    }
    pub fn denied() -> Self {
        Self::Error(403, "AccessDenied")
    }
    pub fn expired() -> Self {
        Self::Error(400, "ExpiredToken")
    }
    pub fn skewed() -> Self {
        Self::Error(403, "RequestTimeTooSkewed")
    }
    pub fn archived() -> Self {
        Self::Error(403, "InvalidObjectState")
    }
}

struct Rule {
    method: &'static str,
    path: String,
    left: Option<u32>,
    fault: Fault,
}

#[derive(Default)]
struct Script {
    rules: Vec<Rule>,
    seen: Vec<String>,
}

pub struct Proxy {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    serving: Option<JoinHandle<()>>,
}

impl Proxy {
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let serving = tokio::spawn(serve(listener, upstream, Arc::clone(&script)));
        Self { address, script, serving: Some(serving) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` requests with this method (empty: any) and this text in path or query meet the
    /// fault. Rules are tried in the order of their making.
    pub fn next(&self, method: &'static str, path: &str, times: u32, fault: Fault) {
        self.rule(Rule { method, path: path.to_owned(), left: Some(times), fault });
    }

    /// Every request with this method and text meets the fault.
    pub fn always(&self, method: &'static str, path: &str, fault: Fault) {
        self.rule(Rule { method, path: path.to_owned(), left: None, fault });
    }

    fn rule(&self, rule: Rule) {
        self.script.lock().unwrap().rules.push(rule);
    }

    /// Forgets all rules and what was seen.
    pub fn reset(&self) {
        *self.script.lock().unwrap() = Script::default();
    }

    /// `METHOD path?query` of each request so far.
    pub fn seen(&self) -> Vec<String> {
        self.script.lock().unwrap().seen.clone()
    }

    /// From now on connections are refused.
    pub async fn down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, upstream: SocketAddr, script: Arc<Mutex<Script>>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let script = Arc::clone(&script);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, upstream, Arc::clone(&script)));
            // A broken connection is what this proxy is for.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    upstream: SocketAddr,
    script: Arc<Mutex<Script>>,
) -> Result<Response<Body>, io::Error> {
    let fault = script.lock().unwrap().meet(&request);
    let head = request.method() == "HEAD";
    match fault {
        Fault::Error(status, code) => Ok(error(status, code, head)),
        Fault::Answer(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(full(body)).unwrap())
        }
        Fault::Hang => std::future::pending().await,
        Fault::Drop => Err(io::Error::other("dropped by the script")),
        Fault::Pass => forward(request, upstream).await,
        Fault::Without(header) => {
            let mut request = request;
            request.headers_mut().remove(header);
            forward(request, upstream).await
        }
        Fault::Instead(from, to) => {
            let (mut head, body) = forward(request, upstream).await?.into_parts();
            let text = String::from_utf8(body.collect().await?.to_bytes().into()).map_err(io::Error::other)?;
            head.headers.remove("content-length");
            Ok(Response::from_parts(head, full(text.replace(from, to))))
        }
        Fault::CutAfter(bytes) => Ok(forward(request, upstream).await?.map(|body| cut(body, bytes, false))),
        Fault::StallAfter(bytes) => Ok(forward(request, upstream).await?.map(|body| cut(body, bytes, true))),
        Fault::Trickle(bytes, pause) => Ok(forward(request, upstream).await?.map(|body| trickle(body, bytes, pause))),
    }
}

impl Script {
    fn meet(&mut self, request: &Request<Incoming>) -> Fault {
        let place = request.uri().path_and_query().map_or("/", |place| place.as_str()).to_owned();
        let method = request.method().as_str();
        self.seen.push(format!("{method} {place}"));
        let fits = |rule: &&mut Rule| {
            rule.left != Some(0) && (rule.method.is_empty() || rule.method == method) && place.contains(&rule.path)
        };
        let Some(rule) = self.rules.iter_mut().find(fits) else { return Fault::Pass };
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        rule.fault.clone()
    }
}

async fn forward(request: Request<Incoming>, upstream: SocketAddr) -> Result<Response<Body>, io::Error> {
    let socket = TcpStream::connect(upstream).await?;
    let (mut client, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let response = client.send_request(request).await.map_err(io::Error::other)?;
    // The client must live until the body has been read.
    Ok(response.map(|body| {
        let frames = BodyStream::new(body).map(move |frame| {
            let _alive = &client;
            frame.map_err(io::Error::other)
        });
        StreamBody::new(frames).boxed_unsync()
    }))
}

fn error(status: u16, code: &str, head: bool) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>scripted {code}</Message></Error>"
    );
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .header("x-amz-request-id", "SCRIPTED0001");
    response.body(if head { Empty::new().map_err(|e| match e {}).boxed_unsync() } else { full(text) }).unwrap()
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|e| match e {}).boxed_unsync()
}

fn pieces(body: Body, size: usize) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + Unpin {
    BodyStream::new(body)
        .flat_map(move |frame| {
            let bytes = frame.map(|frame| frame.into_data().unwrap_or_default());
            let pieces: Vec<Result<Bytes, io::Error>> = match bytes {
                Ok(bytes) => (0..bytes.len())
                    .step_by(size.max(1))
                    .map(|at| Ok(bytes.slice(at..bytes.len().min(at + size))))
                    .collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(pieces)
        })
        .boxed()
}

/// The body up to `bytes`; then the connection breaks, or stands still.
fn cut(body: Body, bytes: usize, stall: bool) -> Body {
    let start = (pieces(body, 1024), bytes);
    let frames = stream::try_unfold(start, move |(mut pieces, left)| async move {
        if left == 0 {
            if stall {
                std::future::pending::<()>().await;
            }
            // What came before must be on its way; an error throws away what is not.
            tokio::time::sleep(Duration::from_millis(30)).await;
            return Err(io::Error::other("cut by the script"));
        }
        let Some(piece) = pieces.next().await else { return Ok(None) };
        let mut piece = piece?;
        piece.truncate(left);
        let left = left - piece.len();
        Ok(Some((Frame::data(piece), (pieces, left))))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn trickle(body: Body, bytes: usize, pause: Duration) -> Body {
    let frames = pieces(body, bytes).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        piece.map(Frame::data)
    });
    StreamBody::new(frames).boxed_unsync()
}
