//! Plays a scene in a pseudo-terminal.

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
    let mut terminal = Terminal::start(binary, &scene.args, &scene.env, (scene.columns, scene.rows)).map_err(said)?;
    let mut shots = Vec::new();
    for act in &scene.act {
        match act {
            Act::Wait(text) => terminal.wait_for(text, PATIENCE).map_err(said)?,
            Act::Type(text) => {
                terminal.settle();
                terminal.type_keys(text).map_err(said)?;
            }
            Act::Shot(name) => {
                terminal.settle();
                shots.push((name.clone(), terminal.screen().clone()));
            }
        }
    }
    Ok(shots)
}
