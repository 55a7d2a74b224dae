//! Plays a scene in a pseudo-terminal.

use crate::lab::Built;
use crate::pty::Terminal;
use crate::scene::{Act, Scene};
use color_eyre::eyre::{Result, eyre};
use std::path::Path;
use std::time::Duration;

/// A scene that does not show what it waits for has gone wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// As often as a key is pressed on the way through a list.
const LONGEST_LIST: usize = 100;

/// Each picture's name and screen, in every size of the scene.
pub fn play(binary: &Path, scene: &Scene) -> Result<Vec<(String, vt100::Screen)>> {
    let mut shots = act(binary, scene, (scene.columns, scene.rows))?;
    for (columns, rows) in &scene.also {
        let named = |(name, screen)| (format!("{name}-{columns}x{rows}"), screen);
        shots.extend(act(binary, scene, (*columns, *rows))?.into_iter().map(named));
    }
    Ok(shots)
}

fn act(binary: &Path, scene: &Scene, size: (u16, u16)) -> Result<Vec<(String, vt100::Screen)>> {
    let said = |error: String| eyre!(error);
    let lab = scene.lab.map(Built::build).transpose()?;
    let folder = lab.as_ref().map(|lab| lab.folder().display().to_string()).unwrap_or_default();
    let args: Vec<String> = scene.args.iter().map(|word| word.replace("{lab}", &folder)).collect();
    let mut terminal = Terminal::start(binary, &args, &scene.env, size).map_err(said)?;
    let mut shots = Vec::new();
    for act in &scene.act {
        match act {
            Act::Wait(text) => terminal.wait_for(text, PATIENCE).map_err(said)?,
            Act::Type(text) => {
                terminal.settle();
                let phrase = phrase(&terminal.text()).unwrap_or_default();
                terminal.type_keys(&text.replace("{phrase}", &phrase)).map_err(said)?;
            }
            Act::Seek { key, until } => seek(&mut terminal, key, until).map_err(said)?,
            Act::Shot(name) => {
                terminal.settle();
                shots.push((name.clone(), terminal.screen().clone()));
            }
        }
    }
    Ok(shots)
}

fn seek(terminal: &mut Terminal, key: &str, until: &str) -> Result<(), String> {
    for _ in 0..LONGEST_LIST {
        if terminal.text().contains(until) {
            return Ok(());
        }
        terminal.type_keys(key)?;
        terminal.settle();
    }
    terminal.wait_for(until, PATIENCE)
}

/// What the dialog on the screen wants typed.
fn phrase(screen: &str) -> Option<String> {
    let inside = |line: &str| line.trim_matches(|c| c == '│' || c == ' ').to_owned();
    let mut lines = screen.lines().map(inside).skip_while(|line| !line.starts_with("type  "));
    let first = lines.next()?.strip_prefix("type  ")?.to_owned();
    // It goes on until the line that is still empty.
    Some(lines.take_while(|line| !line.is_empty()).fold(first, |phrase, line| format!("{phrase} {line}")))
}
