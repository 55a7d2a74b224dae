//! The console itself, in a terminal of its own: a whole restore with key presses, read from the screen.

use crate::home::Home;
use crate::keyboard::Console;
use crate::line::Line;
use crate::scene::{Form, Place, Scene};

/// A proven backup is what the form offers by itself.
pub fn prove(home: &Home, asset: &str) {
    let (proven, code) = Line::open(home, &["verify", "latest", "--asset", asset]).finish();
    assert_eq!(code, Some(0), "{proven}");
}

/// The content is back under the live name, the damaged database stands beside it, and nothing else does.
fn restored(scene: &Scene, damaged: &(String, String)) {
    let aside = scene.name("aside");
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content, "rows and checksums are back");
    assert_eq!(&(scene.shop.oid(&aside), scene.shop.cluster.content(&aside)), damaged, "the old one is kept");
    assert_eq!(scene.shop.databases(&scene.database), [aside], "no side database is left");
    relight::journal::verify(&scene.newest_run().folder.path).unwrap();
}

/// A damaged database and its backup in one form at one place, restored from the overview on with keys alone.
pub async fn restore_with_keys(place: Place, form: Form) {
    let scene = Scene::with(place, |shop| form.bytes(shop)).await;
    let damaged = scene.production();
    prove(&scene, "orders");
    let mut console = Console::open(&scene.config(), &scene.state(), "orders");
    console.restore(place.store());
    for step in [3, 5, 7] {
        console.says_yes_at(step);
    }
    console.comes_to(8);
    assert_eq!(scene.production(), damaged, "untouched until the swap");
    console.swaps(8, "orders");
    restored(&scene, &damaged);
    console.quits();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_restore_from_s3_with_key_presses() {
    restore_with_keys(Place::Bucket, Form::CustomGz).await;
}
