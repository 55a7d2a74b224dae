//! The runbooks that come with the program, against the modules that it really has.

use crate::scene::{Form, Place, Scene, runbook};
use relight::runbook::plan::PlannedAction;
use relight::runner::{module_rows, planner};
use relight::tasks::table;
use serde_json::json;

#[test]
fn every_built_in_runbook_loads_against_the_real_modules() {
    let (runbooks, errors) = relight::runbook::load::all(&[], &module_rows(&table::all()));
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let ids: Vec<String> = runbooks.iter().map(|runbook| runbook.id.to_string()).collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/runbooks");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut there: Vec<String> = files.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
    there.sort();
    assert_eq!(ids, there, "every file of the folder comes along");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_whole_for_every_form_in_every_store() {
    for place in [Place::Folder, Place::Bucket] {
        for form in Form::ALL {
            let scene = Scene::with(place, |shop| form.bytes(shop)).await;
            let plan = scene.plan(json!({})).await.unwrap_or_else(|e| panic!("{form:?} {place:?}: {}", e.join("\n")));
            plan.verify_digest().unwrap();
            let source = &plan.resolved["source"];
            assert_eq!(source["store"], json!(place.store()), "{source}");
            assert!(source["pin"].is_object(), "the bytes are pinned: {source}");
            let side = plan.names["side"].as_str().unwrap();
            assert!(side.starts_with(&format!("{}_restore_", scene.database)));
            assert!(plan.touches.iter().any(|line| line.contains(side)), "{:?}", plan.touches);
            assert!(
                !plan.steps.iter().any(|step| match &step.action {
                    PlannedAction::Task(task) => json!(task.input).to_string().contains("{{"),
                    _ => false,
                }),
                "everything is resolved"
            );
            let swap = plan.steps.iter().find(|step| step.id.as_str() == "swap").unwrap();
            assert!(swap.identity.is_some() && swap.undo.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_made_says_every_reason() {
    let scene = Scene::with(Place::Folder, |shop| shop.plain.clone()).await;
    let ground = scene.ground().await;
    let runbook = runbook(&ground, "restore-postgres");
    let serde_json::Value::Object(given) = json!({ "asset": "nothing", "jobs": "many", "colour": "red" }) else {
        unreachable!()
    };
    let mode = relight::runbook::Mode::Real;
    let problems = planner::make_plan(&ground, &runbook, &given, mode, |_| {}).await.unwrap_err().join("\n");
    for wanted in ["colour", "`nothing`", "`many`"] {
        assert!(problems.contains(wanted), "{problems}");
    }
    let unproven = scene.plan(json!({ "backup": "latest-proven" })).await.unwrap_err().join("\n");
    assert!(unproven.contains("relight verify"), "{unproven}");
    let absent = scene.plan(json!({ "copy": "bucket" })).await.unwrap_err().join("\n");
    assert!(absent.contains("bucket"), "{absent}");
}
