//! Ciphertext in, plaintext out, by a program between two pipes, without a thread: whoever reads also feeds.

use super::command::Ready;
use crate::model::content::Wrapping;
use crate::model::key::Key;
use crate::model::text::escaped;
use crate::proof::Fault;
use crate::tasks::context::Cancel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

/// How long it waits before it looks whether its task was cancelled.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// More of what a program says is dropped.
const MOST_SAID: usize = 16 << 10;

/// A reader of the plaintext. Its end is only told after the program has vouched for all of it.
pub struct Opening<'a> {
    sealed: Box<dyn BufRead + 'a>,
    child: Child,
    into: Option<ChildStdin>,
    out: ChildStdout,
    says: Option<ChildStderr>,
    said: Vec<u8>,
    /// The program stopped reading before the end.
    cut: bool,
    ended: bool,
    seal: Wrapping,
    key: String,
    cancel: Cancel,
    /// What the program needs until it ends; dropped after it.
    _ready: Ready,
}

impl<'a> Opening<'a> {
    pub fn start(sealed: Box<dyn BufRead + 'a>, ready: Ready, key: &Key, cancel: Cancel) -> io::Result<Self> {
        let missing = |what: &str| io::Error::new(ErrorKind::Unsupported, format!("the program has no {what}"));
        let mut command = Command::new(&ready.path);
        command
            .args(&ready.args)
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command
            .spawn()
            .map_err(|error| io::Error::new(ErrorKind::Unsupported, format!("its program did not start: {error}")))?;
        let (into, out, says) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let opening = Self {
            sealed,
            child,
            into,
            out: out.ok_or_else(|| missing("output"))?,
            says,
            said: Vec::new(),
            cut: false,
            ended: false,
            seal: key.seal(),
            key: key.to_string(),
            cancel,
            _ready: ready,
        };
        if let Some(into) = &opening.into {
            fcntl_setfl(into, fcntl_getfl(into)? | OFlags::NONBLOCK)?;
        }
        if let Some(says) = &opening.says {
            fcntl_setfl(says, fcntl_getfl(says)? | OFlags::NONBLOCK)?;
        }
        Ok(opening)
    }

    /// One wait for whichever pipe is ready, and one piece of work with it.
    fn turn(&mut self, out: &mut [u8]) -> io::Result<Option<usize>> {
        let (readable, told, writable) = self.wait()?;
        if told {
            self.listen();
        }
        if readable {
            return match self.out.read(out) {
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
                read => read.map(Some),
            };
        }
        if writable {
            self.feed()?;
        }
        Ok(None)
    }

    fn wait(&self) -> io::Result<(bool, bool, bool)> {
        let mut ends = vec![PollFd::from_borrowed_fd(self.out.as_fd(), PollFlags::IN)];
        ends.extend(self.says.iter().map(|says| PollFd::from_borrowed_fd(says.as_fd(), PollFlags::IN)));
        ends.extend(self.into.iter().map(|into| PollFd::from_borrowed_fd(into.as_fd(), PollFlags::OUT)));
        match poll(&mut ends, Some(&LOOK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = ends.iter().map(|end| !end.revents().is_empty());
        let mut next = |there: bool| there && ready.next() == Some(true);
        Ok((next(true), next(self.says.is_some()), next(self.into.is_some())))
    }

    /// What the program says, up to where it has nothing more to say now.
    fn listen(&mut self) {
        let mut piece = [0; 4096];
        while let Some(says) = &mut self.says {
            match says.read(&mut piece) {
                Ok(0) => self.says = None,
                Ok(n) => {
                    let room = MOST_SAID.saturating_sub(self.said.len());
                    self.said.extend_from_slice(&piece[..n.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.says = None,
            }
        }
    }

    fn feed(&mut self) -> io::Result<()> {
        let Some(into) = &mut self.into else { return Ok(()) };
        let piece = self.sealed.fill_buf()?;
        if piece.is_empty() {
            self.into = None;
            return Ok(());
        }
        match into.write(piece) {
            Ok(n) => self.sealed.consume(n),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.cut = true;
                self.into = None;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The program's own verdict about all that it gave.
    fn judge(&mut self) -> io::Result<()> {
        let unread = self.into.take().is_some() || self.cut;
        let status = self.child.wait()?;
        self.listen();
        let said = String::from_utf8_lossy(&self.said).into_owned();
        // gpg ends well over a message that stops before its sealed data.
        let vouched = self.seal != Wrapping::OpenPgp || said.contains("[GNUPG:] DECRYPTION_OKAY");
        if !status.success() || !vouched {
            return Err(verdict(self.seal, &self.key, &said));
        }
        if unread && !self.sealed.fill_buf()?.is_empty() {
            let what = format!("other bytes follow after the end of the {} data", self.seal);
            return Err(io::Error::new(ErrorKind::InvalidData, what));
        }
        Ok(())
    }
}

/// Another key, or other bytes than were written: the two must never be taken for each other.
fn verdict(seal: Wrapping, key: &str, said: &str) -> io::Error {
    let has = |word: &str| said.contains(word);
    let closed = |why: String| io::Error::new(ErrorKind::Unsupported, why);
    let bad = |why: &str| io::Error::new(ErrorKind::InvalidData, why.to_owned());
    if seal == Wrapping::Age {
        return if has("no identity matched") {
            closed(format!("{key} is none of those that it was encrypted for"))
        } else if has("reading \"") || has("malformed") && has("identit") {
            closed(format!("the identity of {key} cannot be read: {}", last(said, "age: error: ")))
        } else if has("authenticate payload") || has("EOF") || has("last chunk") {
            bad("it was cut off or changed after it was encrypted")
        } else {
            bad(&format!("it cannot be decrypted: {}", last(said, "age: error: ")))
        };
    }
    if has("BAD_PASSPHRASE") || has("Bad session key") || has("Bad passphrase") {
        closed(format!("the passphrase of {key} is not the one that it was encrypted with"))
    } else if has("NO_SECKEY") && !has("BEGIN_DECRYPTION\n[GNUPG:] DECRYPTION_INFO") {
        closed(format!("{key} is none of those that it was encrypted for ({})", recipients(said)))
    } else if has("not integrity protected") {
        closed("it has no integrity protection, so nobody can tell whether it was changed".to_owned())
    } else if has("BADMDC") || has("manipulated") || !has("DECRYPTION_OKAY") && has("NODATA") || said_little(said) {
        bad("it was cut off or changed after it was encrypted")
    } else {
        bad(&format!("it cannot be decrypted: {}", last(said, "gpg: ")))
    }
}

/// gpg met the end of the message before anything that it could complain about.
fn said_little(said: &str) -> bool {
    !said.contains("DECRYPTION_FAILED") && !said.contains("ERROR")
}

fn recipients(said: &str) -> String {
    let ids = said.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ENC_TO ")?.split(' ').next());
    let ids: Vec<String> = ids.take(4).map(|id| escaped(id).into_owned()).collect();
    if ids.is_empty() { "no recipient is named".to_owned() } else { format!("for {}", ids.join(", ")) }
}

fn last(said: &str, prefix: &str) -> String {
    let line = said.lines().rev().find_map(|line| line.strip_prefix(prefix)).unwrap_or("the program said nothing");
    escaped(line).into_owned()
}

impl Read for Opening<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended || out.is_empty() {
            return Ok(0);
        }
        loop {
            if self.cancel.reason().is_some() {
                return Err(Fault::Cancelled.into_io());
            }
            match self.turn(out)? {
                Some(0) => {
                    self.ended = true;
                    return self.judge().map(|()| 0);
                }
                Some(n) => return Ok(n),
                None => {}
            }
        }
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)
            && !matches!(self.child.try_wait(), Ok(Some(_)))
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
