//! Damaged, proven, restored, swapped: the way that everything else is a deviation from, as `relight run
//! --plain` with its answers on standard input.

use crate::line::{Line, STEPS};
use crate::scene::{Form, Place, Scene};
use relight::runner::runs;

async fn restore(place: Place, form: Form) {
    let scene = Scene::with(place, |shop| form.bytes(shop)).await;
    let damaged = scene.production();
    // Without a choice the newest proven backup is taken; so far none is proven.
    let arguments =
        ["run", "restore-postgres", "--set", "asset=orders", "--plain", "--arm", "the shop lost its orders"];
    let (refused, code) = Line::open(&scene, &arguments).finish();
    assert!(code == Some(2) && refused.contains("relight verify"), "{code:?} {refused}");
    let (proven, code) = Line::open(&scene, &["verify", "latest", "--asset", "orders"]).finish();
    assert_eq!(code, Some(0), "{proven}");

    let mut line = Line::open(&scene, &arguments);
    line.until("Start this plan?");
    assert!(line.text.contains(place.store()), "{}", line.text);
    line.say("yes");
    let asked = line.go_on_to(&format!("(step 8 of {STEPS})")).expect("the swap asks");
    assert!(asked.text.contains("target:") && asked.text.contains("cluster:"), "the target is shown: {}", asked.text);
    assert_eq!(scene.production(), damaged, "untouched until the swap");
    line.say(asked.phrase.as_deref().unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{form:?} from {place:?}: {text}");

    let run = runs::list(&scene.state()).unwrap().remove(0);
    let aside = run.state.unwrap().plan.names["aside"].as_str().unwrap().to_owned();
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content, "rows and checksums are back");
    assert_eq!((scene.shop.oid(&aside), scene.shop.cluster.content(&aside)), damaged, "the old one is kept");
    assert_eq!(scene.shop.databases(&scene.database), [aside], "no side database is left");
    relight::journal::verify(&run.folder.path).unwrap();
}

macro_rules! restores {
    ($($name:ident: $form:ident from $place:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            restore(Place::$place, Form::$form).await;
        })*
    };
}

restores! {
    plain_sql_from_a_folder: Plain from Folder,
    plain_sql_from_s3: Plain from Bucket,
    gzipped_sql_from_a_folder: PlainGz from Folder,
    gzipped_sql_from_s3: PlainGz from Bucket,
    a_custom_dump_from_a_folder: Custom from Folder,
    a_custom_dump_from_s3: Custom from Bucket,
    a_custom_dump_gzipped_again_from_a_folder: CustomGz from Folder,
    a_custom_dump_gzipped_again_from_s3: CustomGz from Bucket,
}
