//! Holds the order of the layers: who may import whom, who may draw, spawn work or speak to AWS, and how
//! large a file may grow.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the innermost outwards: a layer may import those before it.
const LAYERS: [&str; 15] = [
    "model",
    "located",
    "kept",
    "event",
    "stores",
    "catalog",
    "proof",
    "health",
    "retention",
    "checklist",
    "runbook",
    "journal",
    "tasks",
    "runner",
    "session",
];

/// What stands beside the layers, and what of each other it may import; the layers are open to all of it.
const EDGES: [(&str, &[&str]); 9] = [
    // The settings of the console are checked against its themes, actions and keys.
    ("config", &["tui"]),
    ("wiring", &["config"]),
    ("report", &["config", "wiring"]),
    ("demo", &["config", "wiring", "report"]),
    ("tui", &[]),
    ("cli", &["config", "wiring", "report", "demo", "tui"]),
    ("main", &["cli"]),
    ("lib", &[]),
    ("bin", &["config", "wiring", "report", "demo", "tui", "cli"]),
];

/// Words that belong to some folders only.
const RESERVED: [(&str, &[&str]); 9] = [
    ("ratatui", &["tui", "bin"]),
    ("crossterm", &["tui", "bin"]),
    ("tui_textarea", &["tui"]),
    ("aws_sdk_s3", &["stores/s3"]),
    ("open_to_prune", &["stores", "tasks/backup/expire.rs"]),
    ("aws_config", &["stores/s3"]),
    ("aws_smithy_", &["stores/s3"]),
    // Reading ahead of one's reader needs tasks of its own; they end with the stream.
    ("tokio::spawn", &["stores/wrap/ahead.rs", "tasks", "runner", "session", "demo"]),
    ("spawn_blocking", &["stores/local", "tasks", "runner", "session", "demo"]),
];

const MOST_LINES: usize = 500;

struct Source {
    /// Below `src`.
    path: PathBuf,
    /// Without comments, strings and test modules.
    code: String,
    lines: usize,
}

impl Source {
    fn layer(&self) -> String {
        let first = self.path.iter().next().unwrap().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    }

    /// How many `super::` lead from this file's module to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.iter().count();
        let name = self.path.file_name().unwrap();
        if name == "mod.rs" { parts - 1 } else { parts }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let lines = text.lines().count();
                found.push(Source { path: path.strip_prefix(&root).unwrap().to_owned(), code: code_of(&text), lines });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// `text` without what the compiler ignores, without strings, and without the test modules, which stand at
/// the end of their files and may see everything.
fn code_of(text: &str) -> String {
    let test_module = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let mut code = String::new();
    let mut rest = &text[..test_module];
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if c == '"' {
            string(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            rest[2..].find('\'').map_or(1, |end| end + 3)
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = &rest[skipped..];
    }
    code
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(2 + hashes + body.find(&end).map_or(body.len(), |at| at + end.len()))
}

/// First names after every `crate::` in `code`, also those in braces, and after as many `super::` as lead
/// to the crate's root.
fn imports(source: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let climb = "super::".repeat(source.depth());
    for root in ["crate::", climb.as_str()] {
        for (at, _) in source.code.match_indices(root) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            names.extend(first_names(&source.code[at + root.len()..]));
        }
    }
    names.remove("super");
    names
}

fn first_names(text: &str) -> Vec<String> {
    let name = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = text.strip_prefix('{') else { return vec![name(text)] };
    let mut names = Vec::new();
    let (mut depth, mut item) = (1, String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            names.push(name(item.trim()));
            item.clear();
        } else {
            item.push(c);
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn allowed(layer: &str, imported: &str) -> bool {
    if layer == imported {
        return true;
    }
    let rank = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    match (rank(layer), rank(imported)) {
        (Some(own), Some(other)) => other < own,
        (Some(_), None) => false,
        (None, Some(_)) => true,
        (None, None) => EDGES.iter().find(|(name, _)| *name == layer).is_some_and(|(_, may)| may.contains(&imported)),
    }
}

#[test]
fn every_import_goes_inwards() {
    let known: BTreeSet<&str> = LAYERS.iter().chain(EDGES.iter().map(|(name, _)| name)).copied().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let layer = source.layer();
        assert!(known.contains(layer.as_str()), "`{layer}` has no place in the order of the layers");
        for imported in imports(&source) {
            // Items at the crate's root other than modules (macros) carry no layer.
            if known.contains(imported.as_str()) && !allowed(&layer, &imported) {
                wrong.push(format!("{}: {layer} must not import {imported}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn terminal_cloud_and_spawning_stay_in_their_folders() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, folders) in RESERVED {
            let at_home = folders.iter().any(|folder| source.path.starts_with(folder));
            if !at_home && source.code.contains(word) {
                wrong.push(format!("{}: `{word}` belongs to {}", source.path.display(), folders.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_small_and_are_named_for_what_they_hold() {
    let mut wrong = Vec::new();
    for source in sources() {
        let name = source.path.file_stem().unwrap().to_str().unwrap();
        let folder = source.path.parent().and_then(Path::file_name).and_then(|n| n.to_str()).unwrap_or_default();
        for vague in ["utils", "util", "helpers", "helper", "common", "manager", "misc"] {
            if name == vague || folder == vague {
                wrong.push(format!("{}: `{vague}` says nothing", source.path.display()));
            }
        }
        if source.lines > MOST_LINES {
            wrong.push(format!("{}: {} lines, more than {MOST_LINES}", source.path.display(), source.lines));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_what_the_compiler_sees() {
    let source = |path: &str, text: &str| Source { path: path.into(), code: code_of(text), lines: 0 };
    let text = "// use crate::tui::A;\nuse crate::{model::{id, size}, stores};\nlet s = \"crate::cli\"; let c = '\"';\n\
                super::super::health::assess(); r#\"crate::demo\"#; crate::event::Event; mycrate::runner::x;\n\
                #[cfg(test)]\nmod tests { use crate::session::View; }";
    let found = imports(&source("catalog/scan.rs", text));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["event", "health", "model", "stores"]);
    assert!(
        allowed("cli", "tui") && !allowed("tui", "cli") && !allowed("stores", "catalog") && allowed("tui", "session")
    );
}
