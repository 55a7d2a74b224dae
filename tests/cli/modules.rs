//! The table of modules, and the page that is made from it.

use crate::program::Sandbox;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_reference_says_what_the_table_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/runbooks/MODULES.md");
    let printed = Sandbox::new().relight(&["modules", "--markdown"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    if std::env::var_os("RELIGHT_WRITE_DOCS").is_some() {
        std::fs::write(&file, &printed).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == printed, "run `cargo run -- modules --markdown > config/runbooks/MODULES.md`");
}

#[test]
fn every_module_is_listed_once_and_says_how_it_is_taken_back() {
    let listed = Sandbox::new().relight(&["modules", "--json"]).output().unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let rows = listed["modules"].as_array().unwrap();
    let names: BTreeSet<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let table: BTreeSet<&str> = relight::tasks::table::all().specs().map(|spec| spec.name).collect();
    assert_eq!((names, rows.len()), (table.clone(), table.len()));
    for row in rows {
        assert!(!row["undo"].as_str().unwrap().is_empty(), "{row:#}");
        assert!(row["summary"].as_str().unwrap().len() > 10 && !row["drills"].as_str().unwrap().is_empty(), "{row:#}");
    }
}
