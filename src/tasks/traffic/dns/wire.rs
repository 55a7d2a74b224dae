//! One signed question to a name server and its signed answer, over TCP.

use crate::model::estate::{KeyAlgorithm, TrafficDns};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use base64::Engine as _;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(15);
/// Seconds by which both clocks may differ.
const FUDGE: u16 = 300;

/// A name in absolute form.
pub fn name(text: &str) -> Result<Name, Failure> {
    let mut name = Name::from_ascii(text).map_err(|error| {
        Failure::new(format!("`{}` is no DNS name: {error}", escaped(text))).means("nothing was done")
    })?;
    name.set_fqdn(true);
    Ok(name)
}

/// Signs with the configured key, read now.
pub fn signer(cx: &TaskContext, dns: &TrafficDns) -> Result<TSigner, Failure> {
    let unusable = |why: String| {
        Failure::new(format!("the key `{}` cannot be used: {why}", escaped(&dns.key)))
            .means("nothing was sent to the name server")
            .next("check `secret`, `key` and `algorithm` of [servers.traffic]; the secret is base64")
    };
    let secret = cx.secrets.read(&dns.secret).map_err(unusable)?;
    let engine = base64::engine::general_purpose::STANDARD;
    let bytes = engine.decode(secret.expose().trim()).map_err(|_| unusable("its secret is not base64".to_owned()))?;
    let algorithm = match dns.algorithm {
        KeyAlgorithm::HmacSha256 => TsigAlgorithm::HmacSha256,
        KeyAlgorithm::HmacSha384 => TsigAlgorithm::HmacSha384,
        KeyAlgorithm::HmacSha512 => TsigAlgorithm::HmacSha512,
    };
    TSigner::new(bytes, algorithm, name(&dns.key)?, FUDGE).map_err(|error| unusable(error.to_string()))
}

/// Sends a message and returns the answer, whose signature holds. `Failed` where nothing was sent or the server
/// said no, `Unknown` where the message went out and no answer that can be trusted came back.
pub async fn ask(cx: &TaskContext, dns: &TrafficDns, mut message: Message) -> Result<Message, Stop> {
    let signer = signer(cx, dns)?;
    let at = u64::try_from(cx.clock.now().timestamp()).unwrap_or_default();
    let broken = |error: hickory_proto::ProtoError| Failure::new(format!("the DNS message could not be made: {error}"));
    let mut verifier = message
        .finalize(&signer, at)
        .map_err(broken)?
        .ok_or_else(|| Failure::new("the DNS message could not be signed").means("nothing was sent"))?;
    let bytes = message.to_vec().map_err(broken)?;
    let place = format!("name server {}:{}", escaped(&dns.server), dns.port);
    let connecting = tokio::time::timeout(CONNECT, TcpStream::connect((dns.server.as_str(), dns.port)));
    let unreached = |why: String| {
        Failure::new(format!("{place} cannot be reached: {why}"))
            .means("nothing was sent to it")
            .next("check `server` and `port` of [servers.traffic], and the network")
    };
    let stream = tokio::select! {
        connected = connecting => match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreached(error.to_string()).into()),
            Err(_) => return Err(unreached(format!("no connection within {} s", CONNECT.as_secs())).into()),
        },
        reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
    };
    // From here on it may have arrived: neither a cancellation nor a broken line says that it did not.
    let silent = |why: String| {
        Stop::Unknown(
            Failure::new(format!("{place} gave no answer that can be trusted: {why}"))
                .means("it may have done what it was asked")
                .next("look again at what it says"),
        )
    };
    let answer = tokio::time::timeout(ANSWER, exchange(stream, &bytes)).await;
    let answer = answer
        .map_err(|_| silent(format!("nothing within {} s", ANSWER.as_secs())))?
        .map_err(|error| silent(error.to_string()))?;
    match verifier.verify(&answer) {
        Ok(verified) => {
            let verified = verified.into_message();
            if verified.metadata.id == message.metadata.id {
                Ok(verified)
            } else {
                Err(silent("it answers another question".to_owned()))
            }
        }
        // A server that does not accept the signature cannot sign its no.
        Err(error) => match Message::from_vec(&answer).map(|said| said.metadata.response_code) {
            Ok(code) if code != ResponseCode::NoError => Err(refused(&place, dns, code).into()),
            _ => Err(silent(error.to_string())),
        },
    }
}

async fn exchange(mut stream: TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(bytes.len()).map_err(std::io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The server's no, with what usually stands behind it.
pub fn refused(place: &str, dns: &TrafficDns, code: ResponseCode) -> Failure {
    let failure = Failure::new(format!("{place} refuses: {code}"));
    match code {
        ResponseCode::NotAuth => failure
            .means(format!("it does not accept the key `{}`, or is not the primary of zone {}", escaped(&dns.key), escaped(&dns.zone)))
            .next("check key, secret and algorithm, both clocks, and that this server is the zone's primary"),
        ResponseCode::Refused => failure
            .means(format!("the key `{}` may not do this in zone {}", escaped(&dns.key), escaped(&dns.zone)))
            .next("check the zone's update-policy or allow-update"),
        ResponseCode::NXRRSet => failure
            .means("the record no longer says what it said a moment ago: someone else changes it; nothing was changed here")
            .next("find out who, then try again"),
        ResponseCode::NotZone => failure
            .means(format!("{} is not in zone {}", escaped(&dns.name), escaped(&dns.zone)))
            .next("mend `zone` and `name` of [servers.traffic]"),
        _ => failure.means("nothing was changed").next("look at the name server's log"),
    }
}
