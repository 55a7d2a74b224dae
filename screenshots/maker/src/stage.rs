//! Plays a scene in a pseudo-terminal.

use crate::lab::Built;
use crate::pty::Terminal;
use crate::scene::{Act, Scene};
use color_eyre::eyre::{Result, eyre};
use std::path::Path;
use std::time::Duration;

/// A scene that does not show what it waits for has gone wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each picture's name and screen.
pub fn play(binary: &Path, scene: &Scene) -> Result<Vec<(String, vt100::Screen)>> {
    let said = |error: String| eyre!(error);
    let lab = scene.lab.map(Built::build).transpose()?;
    let folder = lab.as_ref().map(|lab| lab.folder().display().to_string()).unwrap_or_default();
    let args: Vec<String> = scene.args.iter().map(|word| word.replace("{lab}", &folder)).collect();
    let mut terminal = Terminal::start(binary, &args, &scene.env, (scene.columns, scene.rows)).map_err(said)?;
    let mut shots = Vec::new();
    for act in &scene.act {
        match act {
            Act::Wait(text) => terminal.wait_for(text, PATIENCE).map_err(said)?,
            Act::Type(text) => {
                terminal.settle();
                let phrase = phrase(&terminal.text()).unwrap_or_default();
                terminal.type_keys(&text.replace("{phrase}", &phrase)).map_err(said)?;
            }
            Act::Shot(name) => {
                terminal.settle();
                shots.push((name.clone(), terminal.screen().clone()));
            }
        }
    }
    Ok(shots)
}

/// What the dialog on the screen wants typed.
fn phrase(screen: &str) -> Option<String> {
    let line = screen.lines().find_map(|line| line.split_once(" type  "))?.1;
    Some(line.split("  ").next()?.trim_end_matches(['│', ' ']).to_owned())
}
