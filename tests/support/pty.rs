//! The real binary in a real pseudo-terminal: type keys, wait for words, look at the screen.
//!
//! Used by the terminal tests and by the screenshot maker.
#![allow(dead_code, reason = "each user takes its own part")]

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The screen is at rest once nothing was drawn for this long.
const QUIET: Duration = Duration::from_millis(300);

pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    /// Reads the other end, and holds it open, until it is told to leave.
    reader: Option<JoinHandle<()>>,
    leave: Arc<AtomicBool>,
    parser: vt100::Parser,
    /// Everything that was written, for looking at escape sequences and counting bytes.
    pub raw: Vec<u8>,
}

impl Terminal {
    /// Starts `binary` with a clean terminal environment and `env` on top.
    pub fn start(
        binary: &Path,
        args: &[impl AsRef<OsStr>],
        env: &BTreeMap<String, String>,
        (columns, rows): (u16, u16),
    ) -> Result<Self, String> {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).map_err(|error| format!("{error:#}"))?;
        let mut command = CommandBuilder::new(binary);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env_remove("NO_COLOR");
        command.env_remove("TMUX");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).map_err(|error| format!("{error:#}"))?;
        drop(pair.slave);
        let writer = pair.master.take_writer().map_err(|error| format!("{error:#}"))?;
        let leave = Arc::new(AtomicBool::new(false));
        let reader = pair.master.try_clone_reader().map_err(|error| format!("{error:#}"))?;
        let (reader, output) = read_all(reader, Arc::clone(&leave));
        let cells = |n: u16| NonZero::new(n).ok_or_else(|| "a terminal needs at least one cell".to_owned());
        let parser = vt100::Parser::new(cells(rows)?, cells(columns)?, 0);
        let (master, writer, reader) = (Some(pair.master), Some(writer), Some(reader));
        Ok(Self { master, writer, child, output, reader, leave, parser, raw: Vec::new() })
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.process_id()
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    fn take(&mut self, patience: Duration) -> Result<(), RecvTimeoutError> {
        let bytes = self.output.recv_timeout(patience)?;
        self.parser.process(&bytes);
        self.raw.extend_from_slice(&bytes);
        Ok(())
    }

    /// Waits until the screen fulfils `wanted`; the error shows the last screen.
    pub fn wait(&mut self, what: &str, patience: Duration, wanted: impl Fn(&str) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        while !wanted(&self.text()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Err(end) = self.take(left) {
                let end = if end == RecvTimeoutError::Timeout { "in time" } else { "before the program ended" };
                return Err(format!("{what}: did not appear {end}; the screen shows:\n{}", self.text()));
            }
        }
        Ok(())
    }

    /// Waits until the screen shows `text`.
    pub fn wait_for(&mut self, text: &str, patience: Duration) -> Result<(), String> {
        self.wait(&format!("`{text}`"), patience, |screen| screen.contains(text))
    }

    /// Reads until nothing more is drawn.
    pub fn settle(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline && self.take(QUIET).is_ok() {}
    }

    /// Bytes that the program writes within `span` when nobody touches anything.
    pub fn idle_bytes(&mut self, span: Duration) -> usize {
        let before = self.raw.len();
        let deadline = Instant::now() + span;
        while self.take(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        self.raw.len() - before
    }

    /// Types text; `<enter>`, `<esc>`, `<tab>`, `<up>`, `<down>`, `<left>`, `<right>`, `<bs>`, `<c-x>` are
    /// keys, `<lt>` is a less-than sign.
    pub fn type_keys(&mut self, text: &str) -> Result<(), String> {
        let bytes = keys(text)?;
        let writer = self.writer.as_mut().ok_or("the terminal is closed")?;
        writer.write_all(&bytes).and_then(|()| writer.flush()).map_err(|error| error.to_string())
    }

    pub fn resize(&mut self, columns: u16, rows: u16) -> Result<(), String> {
        let master = self.master.as_ref().ok_or("the terminal is closed")?;
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        master.resize(size).map_err(|error| format!("{error:#}"))?;
        if let (Some(rows), Some(columns)) = (NonZero::new(rows), NonZero::new(columns)) {
            self.parser = vt100::Parser::new(rows, columns, 0);
        }
        Ok(())
    }

    /// The settings of the terminal as `stty -a` tells them.
    pub fn settings(&self) -> Result<String, String> {
        self.stty(&["-a"])
    }

    fn stty(&self, arguments: &[&str]) -> Result<String, String> {
        let device = self.master.as_ref().and_then(|master| master.tty_name()).ok_or("the terminal is closed")?;
        let done = Command::new("stty").arg("-F").arg(device).args(arguments).output().map_err(|e| e.to_string())?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// Hangs up, as a dying SSH session does: the last descriptor of the other end closes.
    pub fn close(&mut self) -> Result<(), String> {
        // The writer says goodbye with the terminal's end-of-file key; a dying session types nothing.
        self.stty(&["eof", "undef"])?;
        let device = self.master.as_ref().and_then(|master| master.tty_name()).ok_or("the terminal is closed")?;
        self.leave.store(true, Ordering::SeqCst);
        // The reader sleeps in its read: one byte of output wakes it.
        let mut near = std::fs::OpenOptions::new().write(true).open(device).map_err(|error| error.to_string())?;
        near.write_all(b" ").map_err(|error| error.to_string())?;
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_| "the reader broke down".to_owned())?;
        }
        self.writer = None;
        self.master = None;
        Ok(())
    }

    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Waits for the program's end; its exit code.
    pub fn exit_code(&mut self, patience: Duration) -> Result<u32, String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                while self.take(QUIET).is_ok() {}
                return Ok(status.exit_code());
            }
            if Instant::now() >= deadline {
                return Err(format!("the program did not end; the screen shows:\n{}", self.text()));
            }
            if self.take(Duration::from_millis(50)) == Err(RecvTimeoutError::Disconnected) {
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_all(mut reader: Box<dyn Read + Send>, leave: Arc<AtomicBool>) -> (JoinHandle<()>, Receiver<Vec<u8>>) {
    let (send, receive) = channel();
    let reading = std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(n) = reader.read(&mut buffer) {
            if n == 0 || leave.load(Ordering::SeqCst) || send.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    (reading, receive)
}

fn keys(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        bytes.extend_from_slice(&rest.as_bytes()[..start]);
        let end = rest[start..].find('>').ok_or_else(|| format!("`{text}`: a key name is not closed"))? + start;
        match &rest[start + 1..end] {
            "enter" => bytes.push(b'\r'),
            "esc" => bytes.push(0x1b),
            "tab" => bytes.push(b'\t'),
            "bs" => bytes.push(0x7f),
            "lt" => bytes.push(b'<'),
            "up" => bytes.extend_from_slice(b"\x1b[A"),
            "down" => bytes.extend_from_slice(b"\x1b[B"),
            "right" => bytes.extend_from_slice(b"\x1b[C"),
            "left" => bytes.extend_from_slice(b"\x1b[D"),
            key => match key.strip_prefix("c-").map(str::as_bytes) {
                Some([letter]) => bytes.push(letter & 0x1f),
                _ => return Err(format!("`<{key}>` is not a key")),
            },
        }
        rest = &rest[end + 1..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}
