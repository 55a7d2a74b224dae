//! The snapshot that a server gives to a replica, as a stream: it is taken for us, and no file on its host is read.

use super::wire::Session;
use crate::model::task::Failure;
use crate::tasks::input::Stop;
use crate::tasks::process::Feed;
use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// A server that takes a snapshot says so every second; one that sends it never rests for so long.
const SILENCE: Duration = Duration::from_mins(2);
const MARK_BYTES: usize = 40;
const CHUNK: usize = 64 << 10;

/// How the end is told.
enum End {
    After(u64),
    /// At these bytes, which no snapshot holds but by a chance of 1 in 2^320.
    Mark(Vec<u8>),
}

struct Transfer {
    session: Session,
    end: End,
    /// Received, and not passed on: the mark may lie across two readings.
    held: BytesMut,
    over: bool,
}

/// Asks for a snapshot and waits until it begins to come.
pub async fn snapshot(mut session: Session) -> Result<Feed, Stop> {
    // Servers before 7 know neither all of these nor mind: they answer with an error and go on.
    for words in [["REPLCONF", "capa", "eof"], ["REPLCONF", "rdb-only", "1"]] {
        if let Err(cancelled @ Stop::Cancelled(_)) = session.ask(&words).await {
            return Err(cancelled);
        }
    }
    let head = session.replicate(SILENCE).await?;
    let end = match head.strip_prefix("$EOF:") {
        Some(mark) if mark.len() == MARK_BYTES => Some(End::Mark(mark.as_bytes().to_vec())),
        Some(_) => None,
        None => head.strip_prefix('$').and_then(|length| length.parse().ok()).map(End::After),
    };
    let end =
        end.ok_or_else(|| Failure::new("the server's snapshot begins in a way that this program does not know"))?;
    let transfer = Transfer { session, end, held: BytesMut::new(), over: false };
    let step = |mut transfer: Transfer| async move { Ok(transfer.next().await?.map(|bytes| (bytes, transfer))) };
    Ok(futures::stream::try_unfold(transfer, step).boxed())
}

impl Transfer {
    /// Some more of the snapshot; `None` once all of it was there.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while !self.over {
            let mut chunk = vec![0; CHUNK];
            let most = match &self.end {
                End::After(0) => return Ok(None),
                End::After(left) => chunk.len().min(usize::try_from(*left).unwrap_or(CHUNK)),
                End::Mark(_) => chunk.len(),
            };
            let broken = |why: String| {
                Failure::new(format!("the snapshot broke off: {why}"))
                    .means("what came of it is no backup, and is removed")
                    .next("see that the server still runs and lets replicas take their time, then retry")
            };
            let reading = tokio::time::timeout(SILENCE, self.session.line().read(&mut chunk[..most])).await;
            let count = match reading {
                Err(_) => return Err(broken(format!("nothing came for {} s", SILENCE.as_secs()))),
                Ok(Err(error)) => return Err(broken(error.to_string())),
                Ok(Ok(0)) => return Err(broken("the server closed the line".to_owned())),
                Ok(Ok(count)) => count,
            };
            chunk.truncate(count);
            match &mut self.end {
                End::After(left) => {
                    *left -= count as u64;
                    return Ok(Some(chunk.into()));
                }
                End::Mark(mark) => {
                    self.held.extend_from_slice(&chunk);
                    let ready = match memchr::memmem::find(&self.held, mark) {
                        Some(at) => {
                            self.over = true;
                            at
                        }
                        None => self.held.len().saturating_sub(MARK_BYTES),
                    };
                    if ready > 0 {
                        return Ok(Some(self.held.copy_to_bytes(ready)));
                    }
                }
            }
        }
        Ok(None)
    }
}
