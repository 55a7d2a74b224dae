//! Unix sockets whatever the length of their path: the kernel takes about a hundred bytes, so a longer one
//! is reached through the folder's open descriptor.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};

/// Longest path that every platform takes as it is.
const SHORT: usize = 90;

/// Keeps the folder open while the short name is in use.
struct Short {
    _folder: Option<File>,
    path: PathBuf,
}

fn short(path: &Path) -> io::Result<Short> {
    if path.as_os_str().len() <= SHORT {
        return Ok(Short { _folder: None, path: path.to_owned() });
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other("the socket has no folder"));
    };
    let folder = File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok(Short { _folder: Some(folder), path })
}

/// Listens at `path`, taking the place of a socket that a dead runner left. Call it only under the lock.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(short(path)?.path)
}

pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    let short = short(path)?;
    UnixStream::connect(&short.path).await
}
