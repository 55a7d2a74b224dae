//! Keys: a thread of its own waits for the terminal and reads it. The loop does neither, so that no state of
//! the terminal can hold it up.

use super::run::Input;
use crossterm::event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, IsTerminal as _, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// Events that wait for the loop; what more is typed or pasted waits in the terminal.
const QUEUE: usize = 1024;
/// How long the event library looks for one more event. With no time left it does not look at all, not even at
/// the keys that it has read already: on a busy machine a short time is over before it has begun.
const LOOK: Duration = Duration::from_millis(50);
/// Looks in a row that must find nothing. Keys that one look left behind would wait for the next key press.
const LOOKS: usize = 2;

/// What says that a terminal has hung up, or that its descriptor is none.
const GONE: PollFlags = PollFlags::HUP.union(PollFlags::ERR).union(PollFlags::NVAL);

/// The device that keys come from: standard input if that is a terminal, otherwise the controlling one. The
/// event library chooses the same way.
#[derive(Debug)]
pub struct Device(Option<File>);

impl Device {
    pub fn open() -> io::Result<Self> {
        if io::stdin().is_terminal() { Ok(Self(None)) } else { File::open("/dev/tty").map(|tty| Self(Some(tty))) }
    }

    /// Whether it has hung up.
    pub fn is_gone(&self) -> bool {
        let mut watched = [PollFd::new(self, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut watched, Some(&at_once)).is_ok() && watched[0].revents().intersects(GONE)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().map_or(rustix::stdio::stdin(), AsFd::as_fd)
    }
}

/// The terminal's events, and [`Input::Gone`] as the last one. Dropping it ends the thread without waiting
/// for it: what is typed from then on is not for us.
#[derive(Debug)]
pub struct Keys {
    told: mpsc::Receiver<Input>,
    _leaving: PipeWriter,
}

impl Keys {
    pub fn listen() -> io::Result<Self> {
        let device = Device::open()?;
        let (left, leaving) = io::pipe()?;
        let (tell, told) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || read(&device, &left, &tell))?;
        Ok(Self { told, _leaving: leaving })
    }
}

impl futures::Stream for Keys {
    type Item = Input;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Input>> {
        self.told.poll_recv(cx)
    }
}

fn read(device: &Device, left: &PipeReader, tell: &mpsc::Sender<Input>) {
    while is_readable(device, left) {
        match hand_on(tell) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => break,
        }
    }
    // A loop that has ended needs no telling.
    let _ = tell.blocking_send(Input::Gone);
}

/// Waits until there is something to read; `false` if that will never be, or if nobody wants it any more.
fn is_readable(device: &Device, left: &PipeReader) -> bool {
    let mut watched = [PollFd::new(device, PollFlags::IN), PollFd::new(left, PollFlags::IN)];
    match poll(&mut watched, None) {
        Ok(_) => !watched[0].revents().intersects(GONE) && watched[1].revents().is_empty(),
        Err(rustix::io::Errno::INTR) => true,
        Err(_) => false,
    }
}

/// Hands on what is there; `false` once nobody listens. The terminal may hang up in the midst of it: the
/// event library then finds nothing, or an error, and the next wait sees it.
fn hand_on(tell: &mpsc::Sender<Input>) -> io::Result<bool> {
    let mut nothing = 0;
    while nothing < LOOKS {
        if !event::poll(LOOK)? {
            nothing += 1;
        } else if tell.blocking_send(Input::Event(event::read()?)).is_err() {
            return Ok(false);
        } else {
            nothing = 0;
        }
    }
    Ok(true)
}
