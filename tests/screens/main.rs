//! Every screen and dialog at the sizes that matter, with symbols and the role of every cell; and what keys do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod dialogs;
mod estate;
mod flow;
mod harness;
mod runs;
mod sizes;
mod speed;

use harness::Console;
use std::sync::Arc;

const SIZES: [(u16, u16); 4] = [(40, 12), (80, 24), (120, 40), (200, 60)];

/// One snapshot for each size, after these keys.
fn snap(name: &str, keys: &str, view: &dyn Fn() -> relight::session::View) {
    for size in SIZES {
        let mut console = Console::open(view(), size);
        console.press(keys);
        insta::assert_snapshot!(format!("{name}@{}x{}", size.0, size.1), console.picture());
    }
}

fn with_run(run: relight::session::RunView) -> relight::session::View {
    let mut view = estate::view();
    view.armed.clone_from(&run.state.armed);
    view.open_run = Some(Arc::new(run));
    view
}

/// A run that another machine holds: the list with it, and the run as its mirror tells.
fn away(unreadable: bool) -> (relight::session::View, relight::session::RunView) {
    let mut view = estate::view();
    let mut rows = estate::runs();
    rows[0] = estate::away(unreadable);
    view.runs = Arc::new(rows);
    let mut run = runs::asking("phrase");
    run.link = relight::session::Link::Elsewhere(None);
    run.state.operator = view.runs[0].operator.clone();
    (view, run)
}

#[test]
fn overview() {
    snap("overview", "", &estate::view);
    snap("overview-findings", "tab down down", &estate::view);
}

#[test]
fn overview_from_disk_while_scanning() {
    snap("overview-from-disk", "", &|| {
        let mut view = estate::view();
        view.catalog_from_disk = true;
        view.scanning = vec![("local".into(), 912), ("s3-primary".into(), 11_488)];
        view
    });
}

#[test]
fn catalog() {
    snap("catalog", "2", &estate::view);
    snap("catalog-filtered", "2 / 'orders space '!inc", &estate::view);
    snap("catalog-grouped", "2 o s s", &estate::view);
}

#[test]
fn detail() {
    snap("detail", "b", &estate::view);
    snap("detail-hostile", "2 / 'incomplete enter enter", &estate::view);
}

#[test]
fn timeline() {
    snap("timeline", "3", &estate::view);
}

#[test]
fn runbooks_and_walk_through() {
    snap("runbooks", "4", &estate::view);
    snap("form", "4 enter down", &estate::view);
    snap("form-choices", "4 enter down enter down down", &estate::view);
}

#[test]
fn runs() {
    snap("runs", "5", &estate::view);
    snap("runs-away", "5", &|| away(false).0);
    snap("runs-away-lost", "5 t", &|| away(true).0);
    snap("run-away", "5", &|| {
        let (mut view, run) = away(false);
        view.open_run = Some(Arc::new(run));
        view
    });
    snap("run-watched", "5", &|| with_run(runs::watched(false)));
    snap("run-offered", "5", &|| with_run(runs::watched(true)));
    snap("run-fenced-off", "5", &|| with_run(runs::fenced_off()));
    snap("run-running", "5", &|| with_run(runs::running()));
    snap("run-drill", "5", &|| with_run(runs::drilling()));
    snap("run-owes", "5", &|| with_run(runs::owing()));
    for kind in ["key", "phrase", "failed", "unknown", "drift", "attest", "arm", "approval", "proof"] {
        snap(&format!("run-asks-{kind}"), "5", &|| with_run(runs::asking(kind)));
    }
}

#[test]
fn lists() {
    snap("tasks", "6", &estate::view);
    snap("stores", "7", &estate::view);
    snap("stores-lost", "7 down down", &estate::view);
    snap("journal", "8 up", &|| with_run(runs::running()));
    snap("journal-empty", "8", &estate::view);
    snap("notices", "9", &estate::view);
    snap("checklists", "0", &estate::view);
    snap("checklists-weekly", "0 right down down down", &estate::view);
}

#[test]
fn help_and_palette() {
    snap("help", "?", &estate::view);
    snap("palette", ":", &estate::view);
    snap("palette-filtered", "2 : 'restore", &estate::view);
}
