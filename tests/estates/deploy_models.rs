//! The registry of models: backed up, held to its manifest, and restored.

use crate::deploy::Deploy;
use crate::disks::{Ballast, Small};
use crate::home::{stamp, tree, walk};
use crate::proxy::Fault;
use chrono::Duration;
use serde_json::Value;

/// Changes the manifest of the newest run.
fn forge(lab: &Deploy, change: impl FnOnce(&mut Value)) {
    let file = lab.model_file(&format!("manifests/manifest_{}.json", lab.models_stamp()));
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(file, manifest.to_string()).unwrap();
}

/// What a plan to restore the newest run is refused with.
fn refused(lab: &Deploy) -> String {
    let id = format!("backup=models-full-{}Z", lab.models_stamp().replace('_', "T"));
    let done = lab.relight(&["plan", "restore-models", "--set", "asset=models", "--set", &id]);
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(!done.status.success(), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_models_are_backed_up_proven_lost_and_restored() {
    let lab = Deploy::build().await;
    let live = lab.path("data/models");
    std::fs::write(live.join("fraud/model.json"), "{\"id\": \"fraud\", \"trained\": \"just now\"}\n").unwrap();
    let text = lab.completed(&["backup-models", "--set", "asset=models"]);
    assert!(text.contains("3 models"), "{text}");
    assert_eq!(lab.catalogued(), lab.listed());
    let (catalog, _) = lab.json(&["catalog"]);
    let of_models = catalog["backups"].as_array().unwrap().iter().filter(|backup| backup["asset"] == "models");
    let newest = of_models.max_by_key(|backup| backup["taken_at"].as_str().unwrap().to_owned()).unwrap();
    assert_eq!((&newest["proof"]["level"], &newest["copies"][0]["objects"]), (&"L4".into(), &6.into()), "{newest:#}");
    let good = tree(&live);
    std::fs::remove_dir_all(live.join("model-1")).unwrap();
    std::fs::write(live.join("model-10/weights/0.bin"), "overwritten").unwrap();
    lab.completed(&["restore-models", "--set", "asset=models"]);
    assert_eq!(tree(&live), good);
    let (catalog, _) = lab.json(&["catalog"]);
    let proven = |backup: &Value| backup["asset"] == "models" && backup["proof"]["level"] == "L5";
    assert!(catalog["backups"].as_array().unwrap().iter().any(proven), "that it was restored is known: {catalog:#}");
    lab.completed(&["restore-models", "--set", "asset=models", "--mode", "drill"]);
    assert_eq!((tree(&live), lab.path("drills/models").exists()), (good, false));
}

/// The bucket goes away while the registry is unpacked, and then the runner; the live one is as it was until the swap.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_models_whose_bucket_and_runner_go_away_are_restored_all_the_same() {
    let lab = Deploy::build().await;
    let live = lab.path("data/models");
    let good = tree(&live);
    std::fs::remove_dir_all(live.join("model-1")).unwrap();
    let damaged = tree(&live);
    let mut line = lab.open(&["restore-models", "--set", "asset=models", "--set", "backup=latest"]);
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to("(step 3 of 8)").unwrap_or_else(|| panic!("{}", line.text));
    lab.proxy.always("GET", "weights", Fault::Drop);
    line.say("yes");
    let asked = line.asked().unwrap_or_else(|| panic!("{}", line.text));
    assert!(asked.text.contains("model-bucket") && asked.text.contains("tried 4 times"), "{}", line.text);
    assert_eq!(tree(&live), damaged);
    lab.proxy.reset();
    lab.proxy.always("GET", "weights", Fault::StallAfter(10));
    line.say(if asked.answers.contains("retry") { "retry" } else { "look" });
    let asked = line.asked().unwrap_or_else(|| panic!("{}", line.text));
    assert!(asked.answers.contains("yes"), "it asks before it begins anew: {}", line.text);
    line.say("yes");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !lab.proxy.seen().iter().any(|request| request.starts_with("GET") && request.contains("weights")) {
        assert!(std::time::Instant::now() < deadline, "{}", line.text);
        std::thread::yield_now();
    }
    crate::runners::end_all(&lab.state());
    drop(line);
    assert_eq!(tree(&live), damaged);
    lab.proxy.reset();
    let (text, _) = lab.resume().finish();
    assert!(text.contains(": COMPLETED"), "{text}");
    assert_eq!(tree(&live), good);
}

/// The disk fills while the registry is unpacked: the live one is as it was, and once there is room all is restored.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_models_whose_disk_fills_are_restored_once_there_is_room() {
    let lab = Deploy::build().await;
    let (data, live) = (lab.path("data"), lab.path("data/models"));
    let good = tree(&live);
    let _disk = Small::at(&data, "1m");
    for (file, bytes) in good.iter().filter(|(file, _)| !file.starts_with("model-1")) {
        std::fs::create_dir_all(live.join(file).parent().unwrap()).unwrap();
        std::fs::write(live.join(file), bytes).unwrap();
    }
    let damaged = tree(&live);
    assert_ne!(damaged, good);
    let mut line = lab.open(&["restore-models", "--set", "asset=models", "--set", "backup=latest"]);
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to("(step 3 of 8)").unwrap_or_else(|| panic!("{}", line.text));
    let ballast = Ballast::on(&data, 40_000);
    line.say("yes");
    let asked = line.asked().unwrap_or_else(|| panic!("{}", line.text));
    assert!(line.text.contains("kB were free there when it began"), "{}", line.text);
    assert!(asked.text.contains("the content is larger than"), "{}", line.text);
    drop(ballast);
    assert_eq!(tree(&live), damaged);
    line.say("retry");
    let (text, _) = line.finish();
    assert!(text.contains(": COMPLETED"), "{text}");
    assert_eq!(tree(&live), good);
}

/// Naive: the tool that restores counts nothing, and prints success with 0 models.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_models_that_do_not_count_up_to_their_manifest_are_not_restored() {
    let lab = Deploy::build().await;
    let run = lab.model_file(&format!("models/{}", lab.models_stamp()));
    let live = tree(&lab.path("data/models"));
    let lost = run.join("model-1/weights/0.bin");
    let bytes = std::fs::read(&lost).unwrap();
    std::fs::remove_file(&lost).unwrap();
    let text = refused(&lab);
    assert!(text.contains("lists 6 files") && text.contains("the backup has 5"), "{text}");
    std::fs::write(&lost, &bytes).unwrap();
    std::fs::write(run.join("model-1/stray.bin"), "x").unwrap();
    assert!(refused(&lab).contains("the backup has 7"));
    std::fs::remove_file(run.join("model-1/stray.bin")).unwrap();
    forge(&lab, |manifest| manifest["models"] = serde_json::json!([]));
    assert!(refused(&lab).contains("it lists no file at all"));
    std::fs::remove_file(lab.model_file(&format!("manifests/manifest_{}.json", lab.models_stamp()))).unwrap();
    assert!(refused(&lab).contains("has no manifest"));
    std::fs::remove_dir_all(&run).unwrap();
    assert!(refused(&lab).contains("no backup is called"), "the prefix of a run that is gone holds nothing");
    assert_eq!(tree(&lab.path("data/models")), live);
}

/// Naive: a model that fails while it is hashed is left out of the manifest, and the run still succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_a_model_that_the_manifest_leaves_out_fails_the_proof() {
    let lab = Deploy::build().await;
    lab.prove("models");
    forge(&lab, |manifest| {
        let models = manifest["models"].as_array_mut().unwrap();
        models.retain(|model| model["model_id"] != "model-1");
    });
    let (text, code) = lab.verify("models");
    assert!(code == Some(2) && text.contains("model-1/model.json is not listed"), "{text}");
    // One whose name begins alike is not taken for it.
    assert!(!text.contains("model-10/model.json"), "{text}");
    let (health, _) = lab.json(&["health"]);
    assert!(health.to_string().contains("files are there that it does not list"), "{health:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_a_model_that_cannot_be_read_fails_the_backup_and_nothing_is_listed() {
    let lab = Deploy::build().await;
    let before = lab.listed();
    let live = lab.path("data/models");
    std::os::unix::fs::symlink("/nowhere/weights.bin", live.join("fraud/weights/1.bin")).unwrap();
    let mut line = lab.open(&["backup-models", "--set", "asset=models"]);
    line.until("Start this plan?");
    line.say("yes");
    line.asked().expect("whether to begin");
    line.say("yes");
    let asked = line.asked().expect("the failed step asks");
    assert!(asked.text.contains("no regular file"), "{}", line.text);
    drop(line);
    assert_eq!((lab.listed(), lab.catalogued()), (before.clone(), before));
}

/// Naive: a model is looked for by the beginning of its name.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_one_model_comes_back_without_those_whose_names_begin_alike() {
    let lab = Deploy::build().await;
    let text = std::fs::read_to_string(lab.config()).unwrap();
    let (all, one) = ("models/{time:%Y%m%d_%H%M%S}/", "models/{time:%Y%m%d_%H%M%S}/model-1/");
    assert!(text.contains(all) && text.contains("/data/models\""), "{text}");
    let text = text.replace(all, one).replace("/data/models\"", "/data/models/model-1\"");
    std::fs::write(lab.config(), text).unwrap();
    lab.prove("models");
    let live = lab.path("data/models");
    let (good, other) = (tree(&live.join("model-1")), tree(&live.join("model-10")));
    std::fs::write(live.join("model-1/model.json"), "lost").unwrap();
    lab.completed(&["restore-models", "--set", "asset=models"]);
    assert_eq!((tree(&live.join("model-1")), tree(&live.join("model-10"))), (good, other));
}

/// A manifest belongs to its run: it goes with it, after everything that it lists, and that of another stays.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_a_run_of_models_that_retention_lets_go_takes_its_manifest_along() {
    let lab = Deploy::build().await;
    let text = std::fs::read_to_string(lab.config()).unwrap();
    let (before, kept) = text.split_once("id = \"models\"").unwrap();
    let kept = kept.replacen("retention = { daily = 30, weekly = 12, monthly = 12 }", "retention = { daily = 1 }", 1);
    std::fs::write(lab.config(), format!("{before}id = \"models\"{kept}")).unwrap();
    lab.prove("models");
    let here = |of: &str| lab.model_file(&format!("models/{of}")).exists();
    let manifest = |of: &str| lab.model_file(&format!("manifests/manifest_{of}.json")).exists();
    let (old, new) = (stamp(lab.nights[0] + Duration::seconds(73)), lab.models_stamp());
    assert!(here(&old) && manifest(&old));
    lab.completed(&["expire-backups", "--set", "asset=models", "--set", "store=model-bucket"]);
    assert!(!manifest(&old) && walk(&lab.model_file("models")).len() == 6);
    assert!(here(&new) && manifest(&new));
    let (text, code) = lab.verify("models");
    assert_eq!(code, Some(0), "{text}");
}

/// Naive: one stamp is asked of all components, while each job stamps a second of its own.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_each_component_is_chosen_by_its_own_stamp_and_the_skew_is_told() {
    let lab = Deploy::build().await;
    // After the dump and the archive of the last night, and before the models of it.
    let asked = (lab.nights[1] + Duration::seconds(40)).to_rfc3339();
    let (point, _) = lab.json(&["point", &asked]);
    let component = |asset: &str| {
        let components = point["components"].as_array().unwrap();
        components.iter().find(|component| component["asset"] == asset).unwrap().clone()
    };
    assert_eq!(component("database")["seconds_before"], 39, "{point:#}");
    assert_eq!(component("configuration")["seconds_before"], 2, "{point:#}");
    assert_eq!(component("models")["seconds_before"], 86_400 - 33, "{point:#}");
    assert_eq!(point["skew_seconds"], 86_400 - 33 - 2, "{point:#}");
    assert!(component("cache")["backup"].is_null(), "{point:#}");
    let backup = format!("backup={asked}");
    let (plan, _) = lab.json(&["plan", "restore-models", "--set", "asset=models", "--set", &backup]);
    let night = stamp(lab.nights[0] + Duration::seconds(73));
    assert!(plan.to_string().contains(&format!("models/{night}/")), "{plan:#}");
    assert!(plan.to_string().contains("before the asked instant"), "{plan:#}");
    let early = format!("backup={}", (lab.nights[0] - Duration::days(1)).to_rfc3339());
    let refused = lab.relight(&["plan", "restore-models", "--set", "asset=models", "--set", &early]);
    let text = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
    assert!(!refused.status.success() && text.contains("no restorable backup that was taken by"), "{text}");
}
