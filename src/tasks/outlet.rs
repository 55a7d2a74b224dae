//! A tar stream that is written here and unpacked on a host. It counts only when it was finished: a writer that broke
//! off breaks the stream, so that no unpacker takes half of it for all.

use crate::model::task::Failure;
use crate::tasks::process::Feed;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

const CHUNK: usize = 256 << 10;
/// What a writer says whose reader has gone: the reader knows why.
pub const CUT: &str = "nobody takes the stream any more";

pub struct Outlet {
    sender: Sender<Result<Bytes, Failure>>,
    held: BytesMut,
    whole: Arc<AtomicBool>,
}

/// A writer and what is read from it.
pub fn pipe() -> (Outlet, Feed) {
    let (sender, receiver) = channel(4);
    let whole = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&whole);
    let check = futures::stream::once(async move {
        if ended.load(Ordering::Acquire) {
            return Ok(Bytes::new());
        }
        Err(Failure::new("what was to be unpacked broke off before its end").means("what is there is not complete"))
    });
    (Outlet { sender, held: BytesMut::with_capacity(CHUNK), whole }, ReceiverStream::new(receiver).chain(check).boxed())
}

impl Outlet {
    /// Adds one file; for writers that are not on a thread of their own.
    pub async fn file(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Failure> {
        let broken = |error: io::Error| Failure::new(format!("`{name}` cannot be put into a stream: {error}"));
        let mut header = tar::Header::new_gnu();
        header.set_path(name).map_err(broken)?;
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        header.set_cksum();
        let rest = bytes.len().next_multiple_of(512) - bytes.len();
        self.send(Bytes::copy_from_slice(header.as_bytes())).await?;
        self.send(bytes.into()).await?;
        self.send(vec![0; rest].into()).await
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Failure> {
        self.sender.send(Ok(bytes)).await.map_err(|_| Failure::new(CUT))
    }

    /// Ends the archive of a writer that used [`Outlet::file`].
    pub async fn end(self) -> Result<(), Failure> {
        self.send(vec![0; 1024].into()).await?;
        self.whole.store(true, Ordering::Release);
        Ok(())
    }

    /// Says that all was written.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.whole.store(true, Ordering::Release);
        Ok(())
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = self.held.split().freeze();
        if chunk.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::Error::other(Failure::new(CUT)))
    }
}
