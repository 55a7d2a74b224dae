//! From the async stream of a store to blocking readers: bounded channels, nothing on disk.

use super::fault::Fault;
use crate::stores::ByteStream;
use bytes::{Buf, Bytes};
use futures::StreamExt;
use std::future::Future;
use std::io::{self, BufRead, Read};
use tokio::sync::mpsc;

enum Piece {
    Bytes(Bytes),
    /// The store said that this is all. Without it the reader must not believe in an end.
    End,
    Stop(Fault),
}

/// Pieces in flight; stores send half a megabyte at once at most.
const IN_FLIGHT: usize = 8;

/// The async end: give it to whoever reads the store.
#[derive(Debug)]
pub struct Feeder(mpsc::Sender<Piece>);

/// The blocking end: an [`io::Read`] for a thread that may block.
#[derive(Debug)]
pub struct Inlet {
    pieces: mpsc::Receiver<Piece>,
    /// Taken out together: a thread that is woken for each piece sleeps more than it works.
    taken: std::vec::IntoIter<Piece>,
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
    (Feeder(sender), Inlet { pieces, taken: Vec::new().into_iter(), current: Bytes::new(), ended: false })
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

    /// Passes on one piece, from a thread that may block. `false`: nobody reads any more.
    pub fn pass(&self, bytes: Bytes) -> bool {
        self.0.blocking_send(Piece::Bytes(bytes)).is_ok()
    }

    /// That was all, or why no more comes; from a thread that may block.
    pub fn end(self, how: Result<(), Fault>) {
        let last = how.map_or_else(Piece::Stop, |()| Piece::End);
        // Whoever has gone needs no end.
        let _ = self.0.blocking_send(last);
    }
}

impl Inlet {
    /// What has come and was not read; `None` after the last.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, Fault> {
        self.fill()?;
        let piece = std::mem::take(&mut self.current);
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// Has something to read afterwards, if there is anything.
    fn fill(&mut self) -> Result<(), Fault> {
        while self.current.is_empty() && !self.ended {
            match self.taken.next().or_else(|| self.take()) {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                Some(Piece::Stop(fault)) => return Err(fault),
                None => return Err(Fault::Orphaned),
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Piece> {
        let mut taken = Vec::with_capacity(IN_FLIGHT);
        self.pieces.blocking_recv_many(&mut taken, IN_FLIGHT);
        self.taken = taken.into_iter();
        self.taken.next()
    }
}

impl Read for Inlet {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.fill().map_err(Fault::into_io)?;
        let n = out.len().min(self.current.len());
        out[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}

impl BufRead for Inlet {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill().map_err(Fault::into_io)?;
        Ok(&self.current)
    }

    fn consume(&mut self, n: usize) {
        self.current.advance(n.min(self.current.len()));
    }
}
