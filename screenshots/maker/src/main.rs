//! Makes the pictures in `screenshots/` from the real program: each scene runs the binary in a
//! pseudo-terminal, types its keys, waits for its words, and draws the cells as a PNG.
//!
//! ```text
//! cargo run --release -p relight-screenshots -- target/release/relight screenshots [SCENE…]
//! ```

mod cells;
#[allow(dead_code, clippy::unwrap_used, reason = "the tests use more of it, and stop where they cannot go on")]
#[path = "../../../tests/failover/client.rs"]
mod client;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../../tests/failover/home.rs"]
mod home;
mod lab;
#[allow(dead_code, clippy::unwrap_used, reason = "the tests use more of it, and stop where they cannot go on")]
#[path = "../../../tests/failover/pair.rs"]
mod pair;
#[allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]
#[path = "../../../tests/support/postgres.rs"]
mod postgres;
#[path = "../../../tests/support/pty.rs"]
mod pty;
mod runners;
mod scene;
mod stage;

use color_eyre::eyre::{Result, WrapErr, bail};
use std::path::PathBuf;

fn main() -> Result<()> {
    color_eyre::install()?;
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(binary), Some(folder)) = (args.next(), args.next()) else {
        bail!("usage: relight-screenshots BINARY FOLDER [SCENE…]");
    };
    let binary = binary.canonicalize().wrap_err_with(|| format!("finding {}", binary.display()))?;
    let wanted: Vec<String> = args.map(|name| name.to_string_lossy().into_owned()).collect();
    let file = folder.join("scenes.toml");
    let scenes = scene::load(&file).wrap_err_with(|| format!("reading {}", file.display()))?;
    let pen = cells::Pen::new()?;
    if let Some(name) = wanted.iter().find(|name| scenes.iter().all(|scene| scene.name != **name)) {
        let names: Vec<&str> = scenes.iter().map(|scene| scene.name.as_str()).collect();
        bail!("there is no scene `{name}`; the scenes are: {}", names.join(", "));
    }
    for scene in scenes.iter().filter(|scene| wanted.is_empty() || wanted.contains(&scene.name)) {
        let screens = stage::play(&binary, scene).wrap_err_with(|| format!("scene {}", scene.name))?;
        for (name, screen) in screens {
            let path = folder.join(format!("{name}.png"));
            std::fs::write(&path, pen.png(&screen)?).wrap_err_with(|| format!("writing {}", path.display()))?;
            println!("{}", path.display());
        }
    }
    Ok(())
}
