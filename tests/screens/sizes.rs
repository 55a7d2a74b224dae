//! No size breaks a screen, and the band is on every one that has room.

use super::harness::{Console, options};
use super::{estate, runs, with_run};
use proptest::prelude::*;
use relight::session::View;

const PLACES: [&str; 26] = [
    "",
    "tab",
    "2",
    "2 / 'x",
    "2 o",
    "b",
    "3",
    "4",
    "4 enter",
    "4 enter down enter",
    "5",
    "6",
    "7",
    "8",
    "9",
    "0",
    "0 right n",
    "?",
    ":",
    "A",
    "q",
    "5 a",
    "5 X",
    "5 tab",
    "5 tab tab",
    "5 n",
];

fn views(kind: usize) -> View {
    match kind {
        0 => estate::view(),
        1 => with_run(runs::running()),
        2 => with_run(runs::asking("phrase")),
        3 => with_run(runs::asking("drift")),
        4 => with_run(runs::asking("failed")),
        _ => {
            let mut view = estate::view();
            view.catalog = std::sync::Arc::default();
            view.health = std::sync::Arc::new(relight::health::HealthReport { assets: Vec::new(), ..estate::health() });
            view.runs = std::sync::Arc::default();
            view.tasks = std::sync::Arc::default();
            view.runbooks = std::sync::Arc::default();
            view.notices.clear();
            view
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_screen_at_every_size(
        width in 1u16..=200, height in 1u16..=60, place in 0usize..PLACES.len(), kind in 0usize..6,
        later in (1u16..=200, 1u16..=60), ascii: bool,
    ) {
        let mut chosen = options();
        chosen.ascii = ascii;
        let mut console = Console::with(views(kind), (200, 60), &chosen);
        console.press(PLACES[place]);
        console.size = (width, height);
        let text = console.text();
        prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n'));
        if ascii {
            let stray: String = text.chars().filter(|c| !c.is_ascii()).collect();
            prop_assert!(stray.is_empty(), "{stray}");
        }
        if width >= 40 && height >= 12 {
            let band = text.lines().next().unwrap_or_default();
            let armed = band.contains("READ-ONLY") || band.contains("ARMED");
            prop_assert!(band.contains("PRODUCTION") && armed, "{band}");
        }
        console.size = later;
        console.press("down page-down up");
    }
}

#[test]
fn tiny_screens_still_tell_the_most_important_and_quit() {
    let mut console = Console::open(estate::view(), (30, 3));
    let text = console.text();
    assert!(text.contains("READ-ONLY") && text.contains("PRODUCTION"), "{text}");
    console.press("q");
    assert_eq!(console.app.take_orders().len(), 1);
}
