//! What a scene needs besides the program: real servers in a folder of their own, gone with the scene.

use crate::client::{Writer, fall_behind_and_die};
use crate::pair::Pair;
use crate::scene::Lab;
use color_eyre::eyre::{Result, WrapErr};
use std::path::PathBuf;

pub struct Built {
    pair: Pair,
    _writer: Writer,
}

impl Built {
    pub fn build(lab: Lab) -> Result<Self> {
        let Lab::LostPrimary = lab;
        let pair = Pair::start();
        let file = pair.home.config();
        let text = std::fs::read_to_string(&file).wrap_err("reading the lab's configuration")?;
        let named = text.replace("name = \"pair\"", "name = \"shop\"\nenvironment = \"production\"");
        std::fs::write(&file, named).wrap_err("naming the lab's estate")?;
        let writer = Writer::start(pair.ports);
        fall_behind_and_die(&pair, &writer);
        Ok(Self { pair, _writer: writer })
    }

    pub fn folder(&self) -> PathBuf {
        self.pair.path("")
    }
}
