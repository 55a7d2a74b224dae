//! A backup's stored bytes as its plain content: compressions unwrapped and encryptions opened while they stream.

use super::context::TaskContext;
use super::crypt::keyring::Keyring;
use super::process::Feed;
use super::source::{Source, store_failure};
use crate::catalog::decompress;
use crate::model::content::Wrapping;
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::proof::Unseal;
use crate::proof::layers::Limits;
use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::io::{StreamReader, SyncIoBridge};

const CHUNK: usize = 256 * 1024;

/// What has been read of the stored bytes so far.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    bytes: Arc<AtomicU64>,
    sha256: Arc<Mutex<Sha256>>,
}

impl Meter {
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// SHA-256 of the stored bytes read so far, hexadecimal.
    pub fn sha256(&self) -> String {
        let digest = self.sha256.lock().unwrap_or_else(PoisonError::into_inner).clone();
        hex::encode(digest.finalize())
    }

    fn add(&self, chunk: &[u8]) {
        self.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        self.sha256.lock().unwrap_or_else(PoisonError::into_inner).update(chunk);
    }
}

/// Opens a source under its pin and unwraps it. An end before the recorded size is an error.
pub async fn open(cx: &TaskContext, source: &Source) -> Result<(Feed, Meter), Failure> {
    let meter = Meter::default();
    let raw = checked(cx, source, meter.clone()).await?;
    let mut feed = raw;
    let most = Limits::default().allows(source.size_bytes);
    for wrapping in &source.content.wrapped {
        feed = unwrap(feed, *wrapping, most, Keyring::of_source(cx, source));
    }
    Ok((feed, meter))
}

/// The stored bytes, measured, hashed and checked for their full length.
async fn checked(cx: &TaskContext, source: &Source, meter: Meter) -> Result<Feed, Failure> {
    let stored = source.open(cx).await?;
    let (expected, path) = (source.size_bytes, source.path.clone());
    let end = meter.clone();
    let body = stored.map(move |chunk| match chunk {
        Ok(bytes) => {
            meter.add(&bytes);
            Ok(bytes)
        }
        Err(error) => Err(store_failure(&error)),
    });
    let check = futures::stream::once(async move {
        if end.bytes() == expected {
            return Ok(Bytes::new());
        }
        Err(Failure::new(format!(
            "object `{}` gave {} where {} were expected",
            crate::model::text::escaped(&path),
            ByteCount(end.bytes()),
            ByteCount(expected)
        ))
        .means("the copy is not the one that the plan saw, or it was cut off on the way")
        .next("scan again, and choose another copy or an older backup"))
    });
    Ok(body.chain(check).boxed())
}

/// The stream with one wrapping taken off, decoded on a thread of its own; it fails after `most` decoded bytes.
fn unwrap(inner: Feed, wrapping: Wrapping, most: u64, keys: Keyring) -> Feed {
    let reader = blocking_reader(inner);
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let reader = Box::new(reader);
        let decoder =
            if wrapping.is_seal() { keys.open(wrapping, reader) } else { decompress::decoder(wrapping, reader) };
        let result = decoder.and_then(|mut decoder| pump(&mut *decoder, most, &sender));
        if let Err(error) = result {
            let _ = sender.blocking_send(Err(broken(error, wrapping)));
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver).boxed()
}

/// A stream as a blocking reader, for decoders that run on their own thread.
pub fn blocking_reader(inner: Feed) -> io::BufReader<SyncIoBridge<impl tokio::io::AsyncRead + Unpin>> {
    let stream = inner.map(|chunk| chunk.map_err(io::Error::other));
    io::BufReader::with_capacity(CHUNK, SyncIoBridge::new(StreamReader::new(stream)))
}

/// The failure that travelled inside an I/O error, or the error as one.
pub fn carried(error: io::Error) -> Result<Failure, io::Error> {
    error.downcast::<Failure>()
}

fn pump(
    decoder: &mut dyn Read,
    most: u64,
    sender: &tokio::sync::mpsc::Sender<Result<Bytes, Failure>>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut left = most;
    loop {
        let count = decoder.read(&mut buffer)?;
        left = left.checked_sub(count as u64).ok_or_else(|| io::Error::other(bomb(most)))?;
        // Nobody reads any more: the child stopped or the task was cancelled.
        if count == 0 || sender.blocking_send(Ok(Bytes::copy_from_slice(&buffer[..count]))).is_err() {
            return Ok(());
        }
    }
}

fn bomb(most: u64) -> Failure {
    Failure::new(format!("it gives more than {} for its size", ByteCount(most)))
        .means("it looks like a decompression bomb; it was not read further")
        .next("choose another backup, or decompress this one by hand where there is room")
}

fn broken(error: io::Error, wrapping: Wrapping) -> Failure {
    match carried(error) {
        Ok(failure) => failure,
        Err(error) if wrapping.is_seal() && error.kind() == io::ErrorKind::Unsupported => {
            Failure::new(format!("the {wrapping} data stays closed: {error}"))
                .means("the backup was not touched, and nothing speaks against it")
                .next("set right the `key` of the asset's source, or choose another backup")
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::Unsupported) => {
            Failure::new(format!("the {wrapping} data cannot be unwrapped by this program: {error}"))
                .means("the backup was not touched")
                .next("decompress the backup by hand into another store, or choose another backup")
        }
        Err(error) => Failure::new(format!("the {wrapping} data is damaged or ends early: {error}"))
            .means("this copy of the backup cannot be restored")
            .next("choose another copy or an older backup, and mark this one as bad"),
    }
}
