//! The agent platform observed, backed up, damaged and restored.

use crate::agents::{API, Agents, DATABASE, WEB};
use crate::home::{rules, stamp, tree, walk};
use crate::postgres::BIN;
use serde_json::Value;

#[test]
fn agents_catalog_window_and_health_agree_with_a_walk_over_the_files() {
    let lab = Agents::build();
    assert_eq!(lab.catalogued(), lab.listed());
    let (window, code) = lab.json(&["window", "database"]);
    assert_eq!((window["points"].as_array().unwrap().len(), code), (2, Some(0)), "{window}");
    let (window, _) = lab.json(&["window", "database-log"]);
    assert_eq!(window["spans"].as_array().unwrap().len(), 1, "{window}");
    let (health, code) = lab.json(&["health"]);
    assert_eq!(code, Some(2), "{health:#}");
    assert!(rules(&health, "environment").contains(&"plaintext-beside".to_owned()), "{health:#}");
    assert!(
        rules(&health, "database").contains(&"too-few-copies".to_owned()),
        "everything lies on one disk: {health:#}"
    );
    assert!(!rules(&health, "sessions").contains(&"no-backup".to_owned()), "{health:#}");
    for asset in ["database", "cache", "sessions", "source", "user-tables"] {
        lab.prove(asset);
    }
    let shown = lab.relight(&["show", "latest", "--asset", "database"]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("checksums.txt") && text.contains("backup_contents.txt"), "{text}");
}

#[test]
fn agents_database_redis_and_certificates_are_backed_up_and_proven() {
    let lab = Agents::build();
    lab.completed(&["backup-postgres", "--set", "asset=database"]);
    lab.completed(&["backup-redis", "--set", "asset=cache"]);
    lab.completed(&["backup-files-encrypted", "--set", "asset=certificates"]);
    assert_eq!(lab.catalogued(), lab.listed());
    let (catalog, _) = lab.json(&["catalog"]);
    for asset in ["database", "cache", "certificates"] {
        let of_asset = catalog["backups"].as_array().unwrap().iter().filter(|backup| backup["asset"] == asset);
        let newest = of_asset.max_by_key(|backup| backup["taken_at"].as_str().unwrap().to_owned()).unwrap();
        assert_eq!(newest["proof"]["level"], "L4", "{newest:#}");
    }
    let certificates = lab.path("etc/letsencrypt");
    let good = tree(&certificates);
    std::fs::remove_file(certificates.join("live/privkey.pem")).unwrap();
    lab.completed(&["restore-files", "--set", "asset=certificates"]);
    assert_eq!(tree(&certificates), good);
}

#[test]
fn agents_damaged_database_uploads_and_configuration_come_back() {
    let lab = Agents::build();
    let good = lab.content(DATABASE);
    lab.prove("database");
    lab.cluster.sql(DATABASE, "UPDATE agents SET belief = '{}' WHERE id % 3 = 0; DELETE FROM user_settings");
    lab.completed(&["restore-postgres", "--set", "asset=database"]);
    assert_eq!(lab.content(DATABASE), good);
    for (asset, folder) in [("uploads", "opt/uploads"), ("nginx", "etc/nginx")] {
        let live = lab.path(folder);
        let good = tree(&live);
        for file in walk(&live) {
            std::fs::write(file, "encrypted by someone else").unwrap();
        }
        // The scripts' copies have no manifest: that is said, and stays in the record.
        let mut line = lab.open(&["restore-files", "--set", &format!("asset={asset}"), "--set", "backup=latest"]);
        line.until("Start this plan?");
        line.say("yes");
        let asked = line.asked().expect("the proof asks");
        assert!(asked.text.contains("is proven only to L1"), "{}", line.text);
        line.say("skip the copy has no manifest; its files are compared before the swap");
        let (text, code) = line.finish();
        assert!(code == Some(1) && text.contains("the copy has no manifest"), "{text}");
        assert_eq!(tree(&live), good, "{asset}");
    }
}

/// What the scripts only copy is packed, proven to its contents, damaged in the live system, and comes back whole.
#[test]
fn agents_folders_that_were_packed_come_back_byte_by_byte() {
    let lab = Agents::build();
    let folders = [
        ("uploads", "opt/uploads"),
        ("nginx", "etc/nginx"),
        ("prometheus", "etc/prometheus"),
        ("grafana", "etc/grafana"),
        ("source", "opt/mirror"),
    ];
    for (asset, folder) in folders {
        let (live, asset) = (lab.path(folder), format!("asset={asset}"));
        lab.completed(&["backup-files", "--set", &asset]);
        let good = tree(&live);
        for file in walk(&live) {
            std::fs::write(file, "encrypted by someone else").unwrap();
        }
        lab.completed(&["restore-files", "--set", &asset, "--set", "backup=latest"]);
        assert_eq!(tree(&live), good, "{asset}");
    }
    let (catalog, _) = lab.json(&["catalog"]);
    for (asset, _) in folders {
        let of_asset = catalog["backups"].as_array().unwrap().iter().filter(|backup| backup["asset"] == asset);
        let newest = of_asset.max_by_key(|backup| backup["taken_at"].as_str().unwrap().to_owned()).unwrap();
        // L4 by the backup itself; that it was restored is more.
        assert_eq!(newest["proof"]["level"], "L5", "{newest:#}");
    }
    assert_eq!(lab.catalogued(), lab.listed());
}

/// Both images, out of the archives that the script saved and out of those that were made by hand.
///
/// Naive: `docker load` over the live names, and nothing is left of what ran until then.
#[test]
fn agents_images_that_were_pruned_or_replaced_come_back_layer_by_layer() {
    let lab = Agents::with_images();
    let docker = lab.docker.as_ref().unwrap();
    assert_eq!(lab.catalogued(), lab.listed());
    for (asset, image) in [("image-api", API), ("image-web", WEB)] {
        let (good, asset) = (docker.id(image), format!("asset={asset}"));
        docker.image(image, "built from a bad commit");
        lab.completed(&["restore-images", "--set", &asset, "--set", "backup=latest"]);
        assert_eq!(docker.id(image), good, "the script's own archive");
        lab.completed(&["backup-images", "--set", &asset]);
        docker.must(&["image", "rm", "--force", image]);
        lab.completed(&["restore-images", "--set", &asset, "--set", "backup=latest"]);
        assert_eq!(docker.id(image), good, "the archive made by hand");
    }
    assert_eq!(
        (docker.content(API, "/content"), docker.content(WEB, "/more")),
        (b"agents".to_vec(), b"pages".to_vec())
    );
    assert_eq!(lab.catalogued(), lab.listed());
}

/// Naive: the command that downloads a snapshot, run as if it loaded one. It overwrites the backup with the live,
/// perhaps empty, state.
#[test]
fn agents_sessions_come_back_and_their_backup_is_never_written_to() {
    let lab = Agents::build();
    let backup = lab.path(&format!("backup/user-data/{}/sessions.rdb", stamp(lab.nights[1])));
    let before = std::fs::read(&backup).unwrap();
    lab.cli(&["FLUSHALL"]);
    lab.prove("sessions");
    lab.completed(&["restore-redis", "--set", "asset=sessions"]);
    assert_eq!(std::fs::read(&backup).unwrap(), before);
    assert_eq!((lab.cli(&["DBSIZE"]), lab.cli(&["GET", "session:77"])), ("300".to_owned(), "user 77".to_owned()));
}

/// Naive: the database is dropped, and then the dump turns out to be cut off.
#[test]
fn agents_a_damaged_dump_is_refused_while_the_live_database_stands_untouched() {
    let lab = Agents::build();
    let last = stamp(lab.nights[1]);
    let dump = lab.path(&format!("backup/postgres/{last}/{DATABASE}_{last}.dump"));
    let bytes = std::fs::read(&dump).unwrap();
    std::fs::write(&dump, &bytes[..bytes.len() / 2]).unwrap();
    let live = lab.content(DATABASE);
    let oid = |lab: &Agents| {
        lab.cluster.sql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{DATABASE}'"))
    };
    let before = oid(&lab);
    let verified = lab.relight(&["verify", "latest", "--asset", "database"]);
    assert_eq!(verified.status.code(), Some(2), "{}", String::from_utf8_lossy(&verified.stdout));
    let (plan, code) = lab.json(&["plan", "restore-postgres", "--set", "asset=database", "--set", "backup=latest"]);
    let night = stamp(lab.nights[0]);
    assert!(code == Some(0) && plan.to_string().contains(&format!("{DATABASE}_{night}.dump")), "{plan:#}");
    assert_eq!((lab.content(DATABASE), oid(&lab)), (live, before));
}

/// Naive: an hourly job copies the labels of base backups and calls that an incremental.
#[test]
fn agents_labels_without_segments_make_no_recovery_window() {
    let lab = Agents::build();
    for file in walk(&lab.path("backup/postgres/wal")) {
        if file.extension().is_none_or(|ending| ending != "backup") {
            std::fs::remove_file(file).unwrap();
        }
    }
    assert!(!walk(&lab.path("backup/postgres/wal")).is_empty(), "its labels are there");
    let (window, _) = lab.json(&["window", "database-log"]);
    assert!(window["spans"].as_array().is_none_or(Vec::is_empty), "{window:#}");
}

/// The weekly base backup, made by hand: from its end on, any instant can be looked at beside the live cluster, and taken
/// in its place.
///
/// Naive: the server is stopped and its data folder emptied, and then the target turns out to lie outside of the log.
#[test]
fn agents_a_damaged_cluster_comes_back_to_an_instant_out_of_its_archive() {
    let lab = Agents::build();
    lab.completed(&["backup-postgres-base", "--set", "asset=database-log"]);
    assert_eq!(lab.catalogued(), lab.listed());
    lab.cluster.sql(DATABASE, "INSERT INTO agents (name, belief) SELECT 'late', '{}' FROM generate_series(1, 17)");
    let good = lab.content(DATABASE);
    let at = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'";
    let target = format!("target={}", lab.cluster.sql("postgres", at));
    lab.cluster.sql(DATABASE, "DELETE FROM agents WHERE name <> 'late'");
    lab.archived();
    let recover = ["recover-postgres", "--set", "asset=database-log", "--set"];
    let text = lab.completed(&[&recover[..], &[&target, "--mode", "drill"]].concat());
    // 4000 agents, 1500 profiles, 1500 settings, and those that came after the backup.
    assert!(text.contains("rows: 7017"), "{text}");
    assert_eq!(lab.cluster.sql(DATABASE, "SELECT count(*) FROM agents"), "17", "the live one was not touched");
    let (catalog, _) = lab.json(&["catalog"]);
    let proven = |backup: &Value| backup["asset"] == "database-log" && backup["proof"]["level"] == "L5";
    assert!(catalog["backups"].as_array().unwrap().iter().any(proven), "that it was recovered is known: {catalog:#}");

    let outside = lab.relight(&[&["plan"], &recover[..], &["target=2020-01-01 00:00:00+00:00"]].concat());
    let text = String::from_utf8_lossy(&[outside.stdout, outside.stderr].concat()).into_owned();
    assert!(!outside.status.success() && text.contains("cannot be reached"), "{text}");
    assert_eq!(lab.cluster.sql(DATABASE, "SELECT count(*) FROM agents"), "17", "nothing was stopped for it");

    // A host may have one of the programs in its path and others not.
    let (programs, config) = (lab.path("programs"), std::fs::read_to_string(lab.config()).unwrap());
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(format!("{BIN}/postgres"), programs.join("postgres")).unwrap();
    let there = format!("\n  bin_dir = \"{BIN}\"");
    assert!(config.contains(&there));
    let here = format!("\n  bin_dir = \"{}\"", programs.display());
    std::fs::write(lab.config(), config.replace(&there, &here)).unwrap();
    let lacking = lab.relight(&[&["plan"], &recover[..], &[&target]].concat());
    let text = String::from_utf8_lossy(&[lacking.stdout, lacking.stderr].concat()).into_owned();
    assert!(!lacking.status.success() && text.contains("`pg_ctl` was not found"), "{text}");
    std::fs::write(lab.config(), config).unwrap();

    lab.completed(&[&recover[..], &[&target]].concat());
    assert_eq!(lab.content(DATABASE), good);
}
