//! Scenes as data: how to start, what to type, what to wait for, when to take the picture.

use color_eyre::eyre::Result;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Scenes {
    scene: Vec<Scene>,
}

#[derive(Deserialize)]
pub struct Scene {
    pub name: String,
    pub columns: u16,
    pub rows: u16,
    /// It is played once more on each of these sizes (columns, rows); their pictures are named after them.
    #[serde(default)]
    pub also: Vec<(u16, u16)>,
    /// `{lab}` stands for the folder of the lab.
    pub args: Vec<String>,
    /// What must be there before the program starts.
    pub lab: Option<Lab>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    pub act: Vec<Act>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lab {
    /// Two PostgreSQL servers; the primary was killed with writes that its standby never received.
    LostPrimary,
}

/// One thing at a time: each table has exactly one key.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Wait until the screen shows this text.
    Wait(String),
    /// Type text, and wherever `{phrase}` stands what a dialog wants typed; `<enter>`, `<esc>`, `<tab>`, `<up>`, `<down>`, `<left>`, `<right>`, `<c-x>` are keys.
    Type(String),
    /// Press a key until the screen shows a text: the way through a list that grows.
    Seek { key: String, until: String },
    /// Take the picture, under this name.
    Shot(String),
}

pub fn load(path: &Path) -> Result<Vec<Scene>> {
    let scenes: Scenes = toml::from_str(&std::fs::read_to_string(path)?)?;
    Ok(scenes.scene)
}
