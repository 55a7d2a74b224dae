//! A new file written past the page cache: a backup of hundreds of gigabytes would push out of memory what the databases
//! of this machine live on, and writing it there first costs time that nobody gets back.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// What disks ask of memory, places and lengths that they are given directly; some ask less.
pub const BLOCK: usize = 4096;
/// Bytes of one write.
const AT_ONCE: usize = 4 << 20;

/// Memory that a disk can be given directly.
struct Block {
    memory: Vec<u8>,
    /// The first multiple of [`BLOCK`] in it.
    begin: usize,
    filled: usize,
}

impl Block {
    fn new() -> Self {
        let memory = vec![0; AT_ONCE + BLOCK];
        let begin = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
        Self { memory, begin, filled: 0 }
    }

    /// Takes as much as there is room for; what is left.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (now, rest) = bytes.split_at(bytes.len().min(AT_ONCE - self.filled));
        let at = self.begin + self.filled;
        self.memory[at..at + now.len()].copy_from_slice(now);
        self.filled += now.len();
        rest
    }

    /// Writes it at the file's place, and is empty then.
    fn put_down(&mut self, mut file: &File) -> io::Result<()> {
        let mut rest = &self.memory[self.begin..self.begin + std::mem::take(&mut self.filled)];
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => rest = &rest[n..],
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
}

/// Writes at the file's place, which is at a multiple of [`BLOCK`]; one block is filled while another is on its way.
pub struct Direct<'scope, 'f> {
    file: &'f File,
    block: Block,
    full: SyncSender<Block>,
    empty: Receiver<Block>,
    writing: ScopedJoinHandle<'scope, io::Result<()>>,
}

impl<'scope, 'f: 'scope> Direct<'scope, 'f> {
    /// Where the file system knows no direct writes, those are of the common kind.
    pub fn new<'env>(scope: &'scope Scope<'scope, 'env>, file: &'f File) -> Self {
        let _ = set_direct(file, true);
        let (full, to_write) = sync_channel::<Block>(1);
        let (written, empty) = sync_channel(2);
        let _ = written.send(Block::new());
        let writing = scope.spawn(move || {
            for mut block in to_write {
                block.put_down(file)?;
                // Nobody waits for it after the last.
                let _ = written.send(block);
            }
            Ok(())
        });
        Self { file, block: Block::new(), full, empty, writing }
    }

    /// `false`: writing has failed, and [`Self::finish`] says why.
    pub fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            bytes = self.block.take(bytes);
            if self.block.filled == AT_ONCE {
                let Ok(empty) = self.empty.recv() else { return false };
                if self.full.send(std::mem::replace(&mut self.block, empty)).is_err() {
                    return false;
                }
            }
        }
        true
    }

    /// Writes what is left. It may end anywhere, which direct writes may not.
    pub fn finish(mut self) -> io::Result<()> {
        drop(self.full);
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

    fn write<'b>(file: &File, pieces: impl Iterator<Item = &'b [u8]>) -> io::Result<()> {
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
        let error = write(&full, bytes.chunks(AT_ONCE)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn what_is_written_is_what_is_there_however_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..2 * AT_ONCE + 12_345).map(|n| (n / 7) as u8).collect();
        for (step, begin) in [(1_000_003, 0), (BLOCK, 0), (AT_ONCE * 2, 3 * BLOCK), (333_333, 3 * BLOCK)] {
            let path = folder.path().join(format!("{step}-{begin}"));
            std::fs::write(&path, &bytes[..begin]).unwrap();
            let mut file = File::options().write(true).open(&path).unwrap();
            file.seek(SeekFrom::Start(begin as u64)).unwrap();
            write(&file, bytes[begin..].chunks(step)).unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{step} from {begin}");
        }
    }

    #[test]
    fn where_nothing_is_written_directly_it_is_written_all_the_same() {
        let path = std::path::Path::new("/dev/shm").join(format!("relight-direct-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        write(&file, [&[7; 10_000][..]].into_iter()).unwrap();
        let there = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(there, [7; 10_000]);
    }
}
