//! From the async stream of a store to a blocking reader: a bounded channel, nothing on disk.

use super::fault::Fault;
use crate::stores::ByteStream;
use bytes::Bytes;
use futures::StreamExt;
use std::future::Future;
use std::io::{self, Read};
use tokio::sync::mpsc;

enum Piece {
    Bytes(Bytes),
    /// The store said that this is all. Without it the reader must not believe in an end.
    End,
    Stop(Fault),
}

/// Pieces in flight; stores send at most a few hundred kilobytes at once.
const IN_FLIGHT: usize = 8;

/// The async end: give it to whoever reads the store.
#[derive(Debug)]
pub struct Feeder(mpsc::Sender<Piece>);

/// The blocking end: an [`io::Read`] for a thread that may block.
#[derive(Debug)]
pub struct Inlet {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Piece::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Piece::End => f.write_str("end"),
            Piece::Stop(fault) => write!(f, "stop: {fault}"),
        }
    }
}

pub fn pipe() -> (Feeder, Inlet) {
    let (sender, pieces) = mpsc::channel(IN_FLIGHT);
    (Feeder(sender), Inlet { pieces, current: Bytes::new(), ended: false })
}

impl Feeder {
    /// Passes on the whole stream. Ends early when the reader has gone (it saw enough) or when `stop`
    /// is ready (the reader then fails with [`Fault::Cancelled`]).
    pub async fn feed(self, mut stream: ByteStream, stop: impl Future) {
        tokio::pin!(stop);
        loop {
            let piece = tokio::select! {
                biased;
                _ = &mut stop => Piece::Stop(Fault::Cancelled),
                () = self.0.closed() => return,
                next = stream.next() => match next {
                    Some(Ok(bytes)) => Piece::Bytes(bytes),
                    Some(Err(error)) => Piece::Stop(Fault::Lost(Box::new(error))),
                    None => Piece::End,
                },
            };
            let last = !matches!(piece, Piece::Bytes(_));
            let sent = tokio::select! {
                biased;
                sent = self.0.send(piece) => sent.is_ok(),
                // The reader is busy and the channel full: it sees the cancellation by its watch.
                _ = &mut stop, if !last => false,
            };
            if last || !sent {
                return;
            }
        }
    }
}

impl Read for Inlet {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                Some(Piece::Stop(fault)) => return Err(fault.into_io()),
                None => return Err(Fault::Orphaned.into_io()),
            }
        }
        let n = out.len().min(self.current.len());
        out[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}
