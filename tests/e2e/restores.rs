//! Damaged, restored, swapped: the way that everything else is a deviation from.

use crate::scene::{Form, Place, Scene};
use relight::runbook::state::RunStatus;
use serde_json::json;

async fn restore(place: Place, form: Form) {
    let scene = Scene::with(place, |shop| form.bytes(shop)).await;
    let (damaged_oid, damaged) = scene.production();
    let plan = scene.plan(json!({})).await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    let mut run = scene.begin(&plan).await;

    let asked = run.go_on(crate::operator::at("swap")).await.expect("the swap asks");
    assert_eq!(scene.production(), (damaged_oid.clone(), damaged.clone()), "untouched until the swap");
    assert!(asked.target.is_some(), "the target is shown beside the question");

    assert_eq!(run.finish().await, RunStatus::Completed, "{form:?} from {place:?}");
    let aside = plan.names["aside"].as_str().unwrap();
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content, "rows and checksums are back");
    assert_eq!((scene.shop.oid(aside), scene.shop.cluster.content(aside)), (damaged_oid, damaged));
    assert_eq!(scene.shop.databases(&scene.database), [aside], "no side database is left");
    let verified = relight::journal::verify(&run.folder.path);
    assert!(verified.is_ok(), "{verified:?}");
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
