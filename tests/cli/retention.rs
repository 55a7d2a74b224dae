//! `relight retention`: a dry run that says why, and never more than it knows.

use crate::program::{Sandbox, json, stdout};
use std::path::Path;

const CONFIG: &str = r#"
[estate]
name = "shop"

[[stores]]
id = "local"
type = "local"
path = "shelf"

[[assets]]
id = "settings"
kind = "config"

  [[assets.sources]]
  store = "local"
  match = "settings_{time:%Y%m%d}.json"
  kind = "full"
  retention = { daily = 2, monthly = 2 }
"#;

fn settings(sandbox: &Sandbox) -> [&'static str; 5] {
    sandbox.write("relight.toml", CONFIG);
    let days = ["20260110", "20260131", "20260227", "20260228", "20260301"];
    for day in days {
        sandbox.write(&format!("shelf/settings_{day}.json"), format!("{{ \"day\": \"{day}\" }}"));
    }
    days
}

fn shelf(sandbox: &Sandbox) -> usize {
    std::fs::read_dir(Path::new(sandbox.path()).join("shelf")).unwrap().count()
}

#[test]
fn what_may_go_is_told_with_its_reason_and_stays() {
    let sandbox = Sandbox::new();
    let days = settings(&sandbox);
    let text = stdout(&mut sandbox.relight(&["retention", "settings", "--all"]));
    assert!(text.contains("no backup of the asset is proven") && text.contains("would let go 0"), "{text}");
    sandbox.relight(&["verify", "settings-full-20260301", "--level", "L3"]).assert().code(0);
    let document = json(&sandbox.relight(&["retention", "--json"]).assert().code(1));
    let source = &document["sources"][0];
    assert_eq!(source["expire"], 3, "{document:#}");
    let kept: Vec<&str> = source["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["verdict"] == "keep")
        .map(|item| item["path"].as_str().unwrap())
        .collect();
    assert_eq!(kept, ["settings_20260301.json", "settings_20260228.json"]);
    assert_eq!(shelf(&sandbox), days.len(), "it is a dry run");
}

#[test]
fn an_asset_that_is_none_is_a_wrong_call() {
    let sandbox = Sandbox::new();
    settings(&sandbox);
    sandbox.relight(&["retention", "setings"]).assert().code(64);
}
