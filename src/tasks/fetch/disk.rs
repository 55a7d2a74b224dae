//! A new file written past the page cache: a backup of hundreds of gigabytes would push out of memory what the databases
//! of this machine live on, and writing it there first costs time that nobody gets back.

use crate::stores::{Aligned, DISK_BLOCK};
use bytes::Bytes;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Bytes of one write.
const AT_ONCE: usize = 4 << 20;

/// Copied bytes.
struct Block {
    memory: Aligned,
    filled: usize,
}

impl Block {
    fn new() -> Self {
        Self { memory: Aligned::new(AT_ONCE), filled: 0 }
    }

    /// Takes as much as there is room for; what is left.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (now, rest) = bytes.split_at(bytes.len().min(AT_ONCE - self.filled));
        let end = self.filled + now.len();
        self.memory.bytes_mut()[self.filled..end].copy_from_slice(now);
        self.filled = end;
        rest
    }

    /// Writes it at the file's place, and is empty then.
    fn put_down(&mut self, file: &File) -> io::Result<()> {
        let filled = std::mem::take(&mut self.filled);
        write_all(file, &mut [IoSlice::new(&self.memory.bytes()[..filled])])
    }
}

/// Pieces that lie in memory as a disk wants them, and are written from there.
#[derive(Default)]
struct Given {
    pieces: Vec<Bytes>,
    bytes: usize,
}

impl Given {
    fn fits(piece: &Bytes) -> bool {
        piece.as_ptr().addr().is_multiple_of(DISK_BLOCK) && piece.len().is_multiple_of(DISK_BLOCK)
    }

    fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push(piece);
    }

    fn put_down(&self, file: &File) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = self.pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        write_all(file, &mut slices)
    }
}

fn write_all(mut file: &File, mut rest: &mut [IoSlice<'_>]) -> io::Result<()> {
    // Leaves out what is empty.
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Some file systems take the wish and refuse the write; and one that was cut short may end anywhere.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) && is_direct(file) => {
                set_direct(file, false)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What is to be written next.
enum Load {
    Copied(Block),
    Given(Given),
}

/// Writes at the file's place, which is at a multiple of [`DISK_BLOCK`]; one load is gathered while another is on its way.
pub struct Direct<'scope, 'f> {
    file: &'f File,
    given: Given,
    block: Block,
    loads: SyncSender<Load>,
    empty: Receiver<Block>,
    writing: ScopedJoinHandle<'scope, io::Result<()>>,
}

impl<'scope, 'f: 'scope> Direct<'scope, 'f> {
    /// Where the file system knows no direct writes, those are of the common kind.
    pub fn new<'env>(scope: &'scope Scope<'scope, 'env>, file: &'f File) -> Self {
        let _ = set_direct(file, true);
        let (loads, to_write) = sync_channel::<Load>(1);
        let (written, empty) = sync_channel(2);
        let _ = written.send(Block::new());
        let writing = scope.spawn(move || {
            for load in to_write {
                match load {
                    Load::Given(given) => given.put_down(file)?,
                    Load::Copied(mut block) => {
                        block.put_down(file)?;
                        // Nobody waits for it after the last.
                        let _ = written.send(block);
                    }
                }
            }
            Ok(())
        });
        Self { file, given: Given::default(), block: Block::new(), loads, empty, writing }
    }

    /// `false`: writing has failed, and [`Self::finish`] says why.
    pub fn write(&mut self, piece: Bytes) -> bool {
        // Behind copied bytes that end anywhere all else is copied, too, up to the next full block.
        if self.block.filled == 0 && Given::fits(&piece) {
            self.given.push(piece);
            return self.given.bytes < AT_ONCE || self.send_given();
        }
        if !self.send_given() {
            return false;
        }
        let mut rest = &*piece;
        while !rest.is_empty() {
            rest = self.block.take(rest);
            if self.block.filled == AT_ONCE {
                let Ok(empty) = self.empty.recv() else { return false };
                if self.loads.send(Load::Copied(std::mem::replace(&mut self.block, empty))).is_err() {
                    return false;
                }
            }
        }
        true
    }

    fn send_given(&mut self) -> bool {
        self.given.pieces.is_empty() || self.loads.send(Load::Given(std::mem::take(&mut self.given))).is_ok()
    }

    /// Writes what is left. It may end anywhere, which direct writes may not.
    pub fn finish(mut self) -> io::Result<()> {
        // Where it is not taken any more, the writer says why.
        self.send_given();
        drop(self.loads);
        self.writing.join().unwrap_or_else(|_| Err(io::Error::other("the writer broke")))?;
        set_direct(self.file, false)?;
        self.block.put_down(self.file)
    }
}

fn is_direct(file: &File) -> bool {
    fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
}

fn set_direct(file: &File, on: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, on);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom};

    struct Whole(Aligned);

    impl AsRef<[u8]> for Whole {
        fn as_ref(&self) -> &[u8] {
            self.0.bytes()
        }
    }

    fn write(file: &File, pieces: impl Iterator<Item = Bytes>) -> io::Result<()> {
        std::thread::scope(|scope| {
            let mut direct = Direct::new(scope, file);
            for piece in pieces {
                if !direct.write(piece) {
                    break;
                }
            }
            direct.finish()
        })
    }

    #[test]
    fn a_disk_that_is_full_says_so() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let bytes = vec![1; 5 * AT_ONCE];
        let error = write(&full, bytes.chunks(AT_ONCE).map(Bytes::copy_from_slice)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn what_is_written_is_what_is_there_however_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..2 * AT_ONCE + 12_345).map(|n| (n / 7) as u8).collect();
        for (step, begin) in [(1_000_003, 0), (DISK_BLOCK, 0), (AT_ONCE * 2, 3 * DISK_BLOCK), (333_333, 3 * DISK_BLOCK)]
        {
            let path = folder.path().join(format!("{step}-{begin}"));
            std::fs::write(&path, &bytes[..begin]).unwrap();
            let mut file = File::options().write(true).open(&path).unwrap();
            file.seek(SeekFrom::Start(begin as u64)).unwrap();
            write(&file, bytes[begin..].chunks(step).map(Bytes::copy_from_slice)).unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{step} from {begin}");
        }
    }

    #[test]
    fn pieces_that_lie_right_are_written_where_they_lie_and_others_between_them() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..3 * AT_ONCE + 777).map(|n| (n / 5) as u8).collect();
        let mut room = Aligned::new(bytes.len());
        room.bytes_mut()[..bytes.len()].copy_from_slice(&bytes);
        let mut rest = Bytes::from_owner(Whole(room)).slice(..bytes.len());
        let mut pieces = Vec::new();
        for length in [DISK_BLOCK, 5 * DISK_BLOCK, AT_ONCE, 100, 3 * DISK_BLOCK, AT_ONCE - 100, DISK_BLOCK]
            .into_iter()
            .chain([usize::MAX])
        {
            pieces.push(rest.split_to(length.min(rest.len())));
        }
        assert!(Given::fits(&pieces[0]) && Given::fits(&pieces[2]) && !Given::fits(&pieces[3]));
        let path = folder.path().join("file");
        write(&File::create(&path).unwrap(), pieces.into_iter()).unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }

    #[test]
    fn where_nothing_is_written_directly_it_is_written_all_the_same() {
        let path = std::path::Path::new("/dev/shm").join(format!("relight-direct-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        write(&file, [Bytes::from_static(&[7; 10_000])].into_iter()).unwrap();
        let there = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(there, [7; 10_000]);
    }
}
