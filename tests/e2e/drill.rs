//! Drills: the same runbooks on a scratch place. Production is not touched, whatever the configuration says, and
//! what a drill made is owed until it was seen gone.

use crate::crashes::{Shut, gated, kill, runner_gone, wait_in_restore};
use crate::home::Home;
use crate::line::Line;
use crate::operator::{Run, at};
use crate::postgres::Cluster;
use crate::scene::{Form, Place, Scene};
use crate::shop::Shop;
use crate::uploads::Uploads;
use relight::event::EventKind;
use relight::model::proof::Level;
use relight::proof::Ledger;
use relight::runbook::Mode;
use relight::runbook::state::RunStatus;
use relight::runner::runs;
use serde_json::{Value, json};
use std::sync::Arc;

/// A server that writes nothing by itself: any record in its log is someone's doing.
const STILL: [&str; 4] = ["wal_level=minimal", "max_wal_senders=0", "autovacuum=off", "checkpoint_timeout=1h"];

/// Everything of a cluster that a drill must leave as it is.
fn picture(scene: &Scene) -> (String, String, String) {
    let cluster = &scene.shop.cluster;
    let content = cluster.content(&scene.database);
    let catalog = "SELECT string_agg(oid || ' ' || datname || ' ' || coalesce(shobj_description(oid, 'pg_database'), ''), ',' ORDER BY oid) FROM pg_database";
    (cluster.sql("postgres", catalog), content, cluster.sql("postgres", "SELECT pg_current_wal_insert_lsn()"))
}

fn databases(cluster: &Cluster) -> String {
    cluster.sql("postgres", "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE NOT datistemplate")
}

fn document(home: &Home, arguments: &[&str]) -> Value {
    let mut line = vec!["--json"];
    line.extend(arguments);
    let (text, _) = Line::open(home, &line).finish();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_restores_elsewhere_and_leaves_nothing() {
    let scene = Scene::inside(Arc::new(Shop::open_with(&STILL)), Place::Bucket, |shop| Form::Custom.bytes(shop)).await;
    let scratch = Cluster::start();
    scene.drill_in("{ server = \"other\" }", "127.0.0.1", scratch.port);
    let (before, free) = (picture(&scene), databases(&scratch));

    let arguments = ["run", "restore-postgres", "--set", "asset=orders", "--set", "backup=latest", "--mode", "drill"];
    let mut line = Line::open(&scene, &[&arguments[..], &["--plain", "--arm", "the quarterly drill"]].concat());
    line.until("Start this plan?");
    assert!(line.text.contains("mode DRILL"), "{}", line.text);
    line.say("yes");
    let asked = line.go_on_to(&format!("swap {}_drill", scene.database)).expect("the swap is rehearsed");
    assert_eq!(databases(&scratch).split(' ').count(), free.split(' ').count() + 1, "the copy lies in scratch");
    line.say(asked.phrase.as_deref().unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");

    assert_eq!(picture(&scene), before, "databases, content and log position of production are as before");
    assert_eq!(databases(&scratch), free, "nothing is left in scratch");
    let entry = scene.newest_run();
    let state = entry.state.unwrap();
    let apart = |scope: &String| scope.ends_with(&format!("/{}_drill", scene.database));
    assert!(state.plan.lock_scope.iter().all(apart), "no recovery waits for a drill: {:?}", state.plan.lock_scope);
    assert!(state.debts.len() == 1 && !state.debts[0].is_due(), "{:?}", state.debts);
    let proofs = Ledger::in_state(&scene.state()).read().unwrap().records;
    assert!(proofs.iter().any(|proof| proof.level == Level::L5 && proof.sha256.is_some()), "{proofs:?}");
    relight::journal::verify(&entry.folder.path).unwrap();
    let report = Line::open(&scene, &["report", "latest"]).finish().0;
    let told = ["seen gone", "Measured recovery time", "RTO 1h 00m: met", "RPO 1h 00m: MISSED", "None written down"];
    assert!(told.iter().all(|words| report.contains(words)), "{report}");

    let add = ["lesson", "latest", "--owner", "ada", "--text", "the roles were missing first"];
    assert_eq!(Line::open(&scene, &add).finish().1, Some(0));
    let report = Line::open(&scene, &["report", "latest"]).finish().0;
    assert!(report.contains("the roles were missing first (owner ada") && report.contains("**open**"), "{report}");
    let run = document(&scene, &["report", "latest"]);
    let measured = &run["measured"];
    let phase = |id: &str| measured["phases"].as_array().unwrap().iter().find(|phase| phase["step"] == id).unwrap();
    assert!(phase("restore")["machine_seconds"].as_f64().unwrap() > 0.0, "{measured}");
    assert!(phase("swap")["people_seconds"].as_f64().unwrap() > 0.0, "{measured}");
    assert!(phase("clean-up-create-side")["clears"] == json!(true), "{measured}");
    assert!(measured["rto_met"] == json!(true) && measured["rpo_met"] == json!(false), "{measured}");
    assert!(run["lessons"][0]["owner"] == json!("ada") && run["debts"][0]["gone_at"].is_string(), "{run}");
    let again = Line::open(&scene, &[&["plan"], &arguments[1..]].concat()).finish().0;
    assert!(again.contains("TAKES") && again.contains("(p50)") && again.contains("of the RTO are left"), "{again}");
    let close = ["lesson", "latest", "--done", "1", "--text", "globals are restored first now"];
    assert_eq!(Line::open(&scene, &close).finish().1, Some(0));
    assert_ne!(Line::open(&scene, &close).finish().1, Some(0), "a lesson is learnt once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_whose_target_is_production_is_refused() {
    let scene = Scene::with(Place::Folder, |shop| Form::Custom.bytes(shop)).await;
    let (port, database) = (scene.shop.cluster.port, scene.database.clone());
    let refused = scene.plan_drill().await.unwrap_err().join("\n");
    assert!(refused.contains("no `drill` place"), "{refused}");
    // Another name for the same server, and the live database's name.
    scene.drill_in(&format!("{{ server = \"other\", database = \"{database}\" }}"), "localhost", port);
    let refused = scene.plan_drill().await.unwrap_err().join("\n");
    assert!(refused.contains("is there already"), "{refused}");
    // Production is lost: its name is free, and still its own.
    scene.shop.cluster.sql("postgres", &format!("ALTER DATABASE {database} RENAME TO {database}_lost"));
    let refused = scene.plan_drill().await.unwrap_err().join("\n");
    assert!(refused.contains("Step swap") && refused.contains("is production"), "{refused}");
    // What cannot be compared counts as production.
    let (spare, gone) = (Cluster::start(), Cluster::start().port);
    scene.reconfigure(|text| {
        let text = text.replace(
            &format!("host = \"localhost\"\nport = {port}"),
            &format!("host = \"localhost\"\nport = {}", spare.port),
        );
        text.replace(&format!("host = \"127.0.0.1\"\nport = {port}"), &format!("host = \"127.0.0.1\"\nport = {gone}"))
    });
    let refused = scene.plan_drill().await.unwrap_err().join("\n");
    assert!(refused.contains("cannot be told"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_is_looked_at_again_before_each_step() {
    let scene = Scene::with(Place::Folder, |shop| Form::Custom.bytes(shop)).await;
    let scratch = Cluster::start();
    let database = scene.database.clone();
    scene.drill_in(&format!("{{ server = \"other\", database = \"{database}\" }}"), "127.0.0.1", scratch.port);
    let plan = scene.plan_drill().await.expect("another cluster may have a database of that name");
    let mut run = scene.begin(&plan).await;
    run.go_on(at("swap")).await.expect("the swap asks");
    // While it waits, the runner dies, and the estate learns of an asset that lives there.
    kill(runs::read(&run.folder).runner.unwrap());
    run.gone().await;
    runner_gone(&run);
    let asset =
        format!("[[assets]]\nid = \"adopted\"\nkind = \"postgresql\"\nserver = \"other\"\ndatabase = \"{database}\"\n");
    scene.reconfigure(|text| format!("{text}\n{asset}"));
    scene.start(&run.folder).await;
    let mut run = Run::attach(&run.folder).await;
    let asked = run.go_on(|_| false).await.expect("it stops");
    assert!(asked.step.as_str() == "swap" && asked.title.contains("is production"), "{}", asked.title);
    assert_eq!(databases(&scratch).matches(&database).count(), 1, "only the copy beside it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_drill_made_is_owed_until_it_was_seen_gone() {
    let scene = gated(Place::Folder, "custom").await;
    scene.drill_in("{ database = \"rehearsal\" }", "127.0.0.1", 1);
    let before = scene.production();
    let plan = scene.plan_drill().await.unwrap();
    let side = plan.names["side"].as_str().unwrap().to_owned();
    let mut run = scene.begin(&plan).await;
    run.go_on(at("restore")).await.unwrap();
    let shut = Shut::on(&scene.shop.cluster, &side);
    run.answer(relight::runbook::Answer::Yes).await.unwrap();
    wait_in_restore(&scene, &side);
    kill(runs::read(&run.folder).runner.unwrap());
    run.gone().await;
    runner_gone(&run);
    let listed = Line::open(&scene, &["runs"]).finish().0;
    assert!(listed.contains("Not cleared") && listed.contains(&side), "{listed}");
    let (refused, code) = Line::open(&scene, &["clean", "latest"]).finish();
    assert!(code != Some(0) && refused.contains("is not over"), "{refused}");

    // Aborted without undo: the run is over, the debt is not.
    drop(shut);
    scene.start(&run.folder).await;
    let mut run = Run::attach(&run.folder).await;
    let abort = relight::runbook::Intent::Abort { reason: "enough".to_owned(), undo: false };
    run.intent(abort).await.unwrap();
    run.until("the end", |state| state.status.is_over()).await;
    let owed = document(&scene, &["runs"]);
    assert!(
        owed["runs"][0]["debts"][0]["gone_at"].is_null()
            && owed["runs"][0]["debts"][0]["title"] == json!(format!("database {side}")),
        "{owed}"
    );
    runner_gone(&run);
    let (text, code) = Line::open(&scene, &["clean", "latest"]).finish();
    assert!(code == Some(0) && text.contains("gone: database"), "{text}");
    let listed = Line::open(&scene, &["runs"]).finish().0;
    assert!(!listed.contains("Not cleared"), "{listed}");
    assert_eq!((scene.shop.oid(&side), scene.production()), (String::new(), before));
    relight::journal::verify(&run.folder.path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_of_a_folder_unpacks_into_scratch() {
    let uploads = Uploads::with(Place::Bucket).await;
    let live = Uploads::picture(&uploads.live());
    let place = uploads.path("scratch");
    std::fs::create_dir(&place).unwrap();
    let given = json!({ "asset": "uploads", "backup": "latest" });
    let drill_in = |path: &str| {
        let line = format!("rto = \"1h\"\ndrill = {{ path = \"{path}\" }}");
        uploads.reconfigure(|text| {
            let text = text.lines().filter(|line| !line.starts_with("drill =")).collect::<Vec<_>>().join("\n");
            text.replace("rto = \"1h\"", &line)
        });
    };
    let inside = uploads.live().join("drill");
    drill_in(inside.to_str().unwrap());
    let refused = uploads.plan_in(Mode::Drill, "restore-files", given.clone()).await.unwrap_err().join("\n");
    assert!(refused.contains("is production"), "{refused}");

    drill_in(place.join("uploads").to_str().unwrap());
    let plan = uploads.plan_in(Mode::Drill, "restore-files", given).await.unwrap();
    let mut run = uploads.begin(&plan).await;
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(Uploads::picture(&uploads.live()), live, "the live folder is as it was");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0, "nothing is left in scratch");
    assert!(run.events.iter().any(|event| matches!(event, EventKind::DebtSettled { .. })));
}
