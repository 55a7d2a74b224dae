//! The console's terminal hangs up, or the console is killed, in the middle of a restore: the process goes at
//! once, the run goes on, and whoever comes next finds it.

use crate::console::prove;
use crate::crashes::{Shut, gated, wait_in_restore};
use crate::keyboard::Console;
use crate::leaving::{attach_finishes, newest, side, waits_alone};
use crate::scene::{Place, Scene};
use std::time::Duration;

/// A console without a terminal must not linger, least of all on a processor.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A console whose run stands in the middle of pg_restore, and what holds it there.
async fn restoring() -> (Scene, Console, Shut) {
    let scene = gated(Place::Bucket, "custom").await;
    prove(&scene, "orders");
    let mut console = Console::open(&scene.config(), &scene.state(), "orders");
    console.restore(Place::Bucket.store());
    console.says_yes_at(3);
    console.comes_to(5);
    let shut = Shut::on(&scene.shop.cluster, &side(&scene));
    console.says_yes_at(5);
    wait_in_restore(&scene, &side(&scene));
    (scene, console, shut)
}

/// A new console lists the run and opens it at its question.
fn a_new_console_finds_it(scene: &Scene) {
    let mut console = Console::open(&scene.config(), &scene.state(), "orders");
    console.keys("5");
    console.sees("waiting for you");
    console.keys("<enter>");
    console.comes_to(7);
    console.quits();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_whose_terminal_hangs_up_goes_and_its_run_stays() {
    let (scene, mut console, shut) = restoring().await;
    let production = scene.production();
    console.0.close().unwrap();
    console.0.exit_code(AT_ONCE).unwrap();
    assert!(newest(&scene).runner.is_some(), "its runner lives on");
    drop(shut);
    waits_alone(&scene);
    a_new_console_finds_it(&scene);
    attach_finishes(&scene, &production);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_is_killed_leaves_its_run_to_the_next() {
    let (scene, mut console, shut) = restoring().await;
    let production = scene.production();
    crate::crashes::kill(console.0.pid().unwrap());
    console.0.exit_code(AT_ONCE).unwrap();
    assert!(newest(&scene).runner.is_some(), "its runner lives on");
    drop(shut);
    waits_alone(&scene);
    a_new_console_finds_it(&scene);
    attach_finishes(&scene, &production);
}
