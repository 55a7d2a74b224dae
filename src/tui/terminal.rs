//! The terminal taken over and given back: on drop, panic, early error and signal, and never twice.

use super::options::TuiError;
use super::reader::Device;
use crate::model::text::escaped;
use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{Command, execute};
use std::io::{self, IsTerminal, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;

/// Whether the terminal is in our hands right now.
static TAKEN: AtomicBool = AtomicBool::new(false);
static PANIC_HOOK: Once = Once::new();
/// The thread that draws: without it there is no console.
static DRAWS: Mutex<Option<ThreadId>> = Mutex::new(None);
/// What panics of other threads said while the console had the screen.
static LAST_WORDS: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Most of them that are kept.
const MOST_LAST_WORDS: usize = 8;

/// Longest text that is sent to the clipboard, in bytes: terminals drop longer sequences silently.
const CLIPBOARD_LIMIT: usize = 74_000;

/// What the loop needs of the machine around the screen.
pub trait Host {
    fn copy(&mut self, text: &str) -> io::Result<()>;
    fn capture_mouse(&mut self, on: bool) -> io::Result<()>;
    /// Gives the terminal back, stops the process, and takes the terminal again when it goes on.
    fn suspend(&mut self) -> io::Result<()>;
    /// Takes the terminal again after someone else stopped and continued the process.
    fn resume(&mut self) -> io::Result<()>;
    /// Whether the terminal has hung up.
    fn is_gone(&self) -> bool;
}

/// The terminal, written to without the standard library's buffer: what a vanished terminal did not take must
/// not stay behind and fail a later flush, and a panic inside that buffer's lock must not block giving back.
#[derive(Clone, Copy, Debug)]
pub struct Out;

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::write(rustix::stdio::stdout(), bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub struct TerminalGuard {
    mouse: bool,
    tmux: bool,
    device: Device,
}

impl TerminalGuard {
    pub fn enter(mouse: bool, tmux: bool) -> Result<Self, TuiError> {
        if !stdout().is_terminal() {
            return Err(TuiError::NoTerminal);
        }
        let device = Device::open().map_err(|_| TuiError::NoTerminal)?;
        PANIC_HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if is_someone_elses() {
                    keep(&info.to_string());
                } else {
                    give_back();
                    before(info);
                }
            }));
        });
        *DRAWS.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
        let guard = Self { mouse, tmux, device };
        guard.take().map_err(|source| TuiError::Terminal { what: "taken over", source })?;
        Ok(guard)
    }

    fn take(&self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        let taken = enable_raw_mode().and_then(|()| {
            execute!(Out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
            if self.mouse { execute!(Out, EnableMouseCapture) } else { Ok(()) }
        });
        if taken.is_err() {
            give_back();
        }
        taken
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        give_back();
        for words in LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // With standard error gone there is nobody to tell.
            let _ = writeln!(io::stderr(), "{words}");
        }
    }
}

/// A panic that leaves the console standing: its words must not go across the screen.
fn is_someone_elses() -> bool {
    let draws = *DRAWS.lock().unwrap_or_else(PoisonError::into_inner);
    TAKEN.load(Ordering::SeqCst) && draws.is_some_and(|thread| thread != std::thread::current().id())
}

fn keep(words: &str) {
    tracing::error!("{words}");
    let mut kept = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < MOST_LAST_WORDS {
        kept.push(words.lines().map(escaped).collect::<Vec<_>>().join("\n"));
    }
}

/// Restores the terminal if it is in our hands. Errors have nowhere to go: the terminal may be gone.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(Out, DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

impl Host for TerminalGuard {
    fn copy(&mut self, text: &str) -> io::Result<()> {
        if text.len() > CLIPBOARD_LIMIT {
            return Err(io::Error::other(format!(
                "{} bytes are more than terminals take ({CLIPBOARD_LIMIT})",
                text.len()
            )));
        }
        let mut sequence = String::new();
        CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence).map_err(io::Error::other)?;
        let mut out = Out;
        out.write_all(wrapped(&sequence, self.tmux).as_bytes())?;
        out.flush()
    }

    fn capture_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        if on { execute!(Out, EnableMouseCapture) } else { execute!(Out, DisableMouseCapture) }
    }

    fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // The whole foreground group, as the terminal driver does it: a parent such as `cargo run` stops too.
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        self.take()
    }

    fn resume(&mut self) -> io::Result<()> {
        self.take()
    }

    fn is_gone(&self) -> bool {
        self.device.is_gone()
    }
}

/// tmux passes a sequence on to its terminal only inside an envelope with escapes doubled.
fn wrapped(sequence: &str, tmux: bool) -> String {
    if tmux { format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b")) } else { sequence.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tmux_gets_an_envelope() {
        assert_eq!(wrapped("\x1b]52;c;eA==\x07", true), "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\");
        assert_eq!(wrapped("x", false), "x");
    }
}
