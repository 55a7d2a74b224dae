//! The program on trees laid out exactly as the systems lay them out: one configuration per system.

mod compose;
mod hostile;
mod model_service;
mod moving_names;
mod nightly_scripts;
mod platform;

use super::program::Sandbox;
use serde_json::{Value, json};

const TS: &str = "20240115_020000";

/// A source: store, pattern, kind, and further keys.
type Source<'a> = (&'a str, &'a str, &'a str, &'a str);

fn local(id: &str) -> String {
    format!("[[stores]]\nid = \"{id}\"\ntype = \"local\"\npath = \"{id}\"\n\n")
}

fn asset(id: &str, kind: &str, sources: &[Source<'_>]) -> String {
    let mut text = format!("[[assets]]\nid = \"{id}\"\nkind = \"{kind}\"\nrpo = \"36500d\"\n\n");
    for (store, pattern, kind, more) in sources {
        text.push_str(&format!(
            "  [[assets.sources]]\n  store = \"{store}\"\n  match = \"{pattern}\"\n  kind = \"{kind}\"\n  {more}\n\n"
        ));
    }
    text
}

fn estate(parts: &[String]) -> String {
    format!("[estate]\nname = \"layout\"\nenvironment = \"test\"\n\n{}", parts.concat())
}

/// What the program prints, asked once each.
struct Asked {
    catalog: Value,
    health: Value,
}

impl Asked {
    fn of(sandbox: &Sandbox) -> Self {
        Self { catalog: document(sandbox, &["catalog", "--json"]), health: document(sandbox, &["health", "--json"]) }
    }

    fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> =
            self.catalog["backups"].as_array().unwrap().iter().map(|b| b["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    fn backup(&self, id: &str) -> &Value {
        let backups = self.catalog["backups"].as_array().unwrap();
        backups.iter().find(|b| b["id"] == id).unwrap_or_else(|| panic!("no {id} in {:?}", self.ids()))
    }

    /// `plain-sql+gzip`
    fn content(&self, id: &str) -> String {
        let content = &self.backup(id)["content"];
        let wrapped = content["wrapped"].as_array().unwrap().iter().rev().map(|w| w.as_str().unwrap());
        std::iter::once(content["form"].as_str().unwrap()).chain(wrapped).collect::<Vec<_>>().join("+")
    }

    /// The rules that found something about an asset.
    fn rules(&self, asset: &str) -> Vec<&str> {
        let assets = self.health["assets"].as_array().unwrap();
        let asset = assets.iter().find(|a| a["id"] == asset).unwrap();
        asset["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect()
    }

    fn nothing_is_left_over(&self) {
        assert_eq!(self.catalog["unrecognised"]["count"], 0, "{}", self.catalog["unrecognised"]);
    }
}

fn document(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.relight(arguments).env("RELIGHT_TEST_SECRET", crate::s3::SECRET).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A backup with its sidecars.
struct Shown(Value);

impl Shown {
    fn of(sandbox: &Sandbox, id: &str) -> Self {
        Self(document(sandbox, &["show", "--json", id]))
    }

    fn sidecar(&self, name: &str) -> &Value {
        let sidecars = self.0["sidecars"].as_array().unwrap();
        let names: Vec<&Value> = sidecars.iter().map(|s| &s["name"]).collect();
        sidecars.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
    }

    fn fact(&self, sidecar: &str, fact: &str) -> &str {
        let facts = self.sidecar(sidecar)["facts"].as_array().unwrap();
        let found = facts.iter().find(|pair| pair[0] == fact);
        found.unwrap_or_else(|| panic!("no {fact} in {facts:?}"))[1].as_str().unwrap()
    }

    fn agrees(&self, sidecar: &str) {
        assert_eq!(self.sidecar(sidecar)["disagreements"], json!([]), "{}", self.sidecar(sidecar));
    }

    fn disagreement(&self, sidecar: &str) -> String {
        self.sidecar(sidecar)["disagreements"].to_string()
    }
}
