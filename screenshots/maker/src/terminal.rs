//! The real binary in a pseudo-terminal.

use crate::scene::{Act, Scene};
use color_eyre::eyre::{Result, bail, eyre};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A scene that shows nothing new for so long has gone wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// The screen is taken once nothing was drawn for this long.
const QUIET: Duration = Duration::from_millis(400);

/// Plays the scene; returns each picture's name and screen.
pub fn play(binary: &Path, scene: &Scene) -> Result<Vec<(String, vt100::Screen)>> {
    let size = PtySize { rows: scene.rows.get(), cols: scene.columns.get(), pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).map_err(|error| eyre!("{error:#}"))?;
    let mut command = CommandBuilder::new(binary);
    command.args(&scene.args);
    command.env("TERM", "xterm-256color");
    command.env("COLORTERM", "truecolor");
    for (name, value) in &scene.env {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).map_err(|error| eyre!("{error:#}"))?;
    drop(pair.slave);
    let mut writer = pair.master.take_writer().map_err(|error| eyre!("{error:#}"))?;
    let output = read_all(pair.master.try_clone_reader().map_err(|error| eyre!("{error:#}"))?);
    let mut parser = vt100::Parser::new(scene.rows, scene.columns, 0);
    let mut shots = Vec::new();
    let played = scene.act.iter().try_for_each(|act| -> Result<()> {
        match act {
            Act::Wait(text) => wait_for(&mut parser, &output, text),
            Act::Type(text) => {
                settle(&mut parser, &output);
                Ok(writer.write_all(&keys(text)?)?)
            }
            Act::Shot(name) => {
                settle(&mut parser, &output);
                shots.push((name.clone(), parser.screen().clone()));
                Ok(())
            }
        }
    });
    child.kill().ok();
    child.wait().ok();
    played.map(|()| shots)
}

fn read_all(mut reader: Box<dyn Read + Send>) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(n) = reader.read(&mut buffer) {
            if n == 0 || send.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    receive
}

fn wait_for(parser: &mut vt100::Parser, output: &Receiver<Vec<u8>>, text: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !parser.screen().contents().contains(text) {
        match output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => parser.process(&bytes),
            Err(_) => bail!("`{text}` did not appear; the screen shows:\n{}", parser.screen().contents()),
        }
    }
    Ok(())
}

fn settle(parser: &mut vt100::Parser, output: &Receiver<Vec<u8>>) {
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        match output.recv_timeout(QUIET) {
            Ok(bytes) => parser.process(&bytes),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
}

fn keys(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        bytes.extend_from_slice(&rest.as_bytes()[..start]);
        let end = rest[start..].find('>').ok_or_else(|| eyre!("`{text}`: a key name is not closed"))? + start;
        match &rest[start + 1..end] {
            "enter" => bytes.push(b'\r'),
            "esc" => bytes.push(0x1b),
            "tab" => bytes.push(b'\t'),
            "up" => bytes.extend_from_slice(b"\x1b[A"),
            "down" => bytes.extend_from_slice(b"\x1b[B"),
            "right" => bytes.extend_from_slice(b"\x1b[C"),
            "left" => bytes.extend_from_slice(b"\x1b[D"),
            key => match key.strip_prefix("c-").map(str::as_bytes) {
                Some([letter]) => bytes.push(letter & 0x1f),
                _ => bail!("`<{key}>` is not a key"),
            },
        }
        rest = &rest[end + 1..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}
