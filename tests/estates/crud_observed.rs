//! What the console shows of the system against an own walk over its files.

use crate::crud_app::CrudApp;
use chrono::{DateTime, Utc};

#[tokio::test(flavor = "multi_thread")]
async fn catalog_window_and_health_agree_with_a_walk_over_the_files() {
    let lab = CrudApp::build().await;
    assert_eq!(lab.catalogued(), lab.listed());
    assert_eq!(lab.listed().len(), 12, "three nights, two assets, two stores");

    let (window, code) = lab.json(&["window", "database"]);
    let points: Vec<DateTime<Utc>> = serde_json::from_value(window["points"].clone()).unwrap();
    assert_eq!((points, code), (lab.nights.clone(), Some(0)), "{window}");

    let (health, code) = lab.json(&["health"]);
    assert_eq!(code, Some(1), "never proven: {health:#}");
    for asset in health["assets"].as_array().unwrap() {
        let rules: Vec<&str> =
            asset["findings"].as_array().unwrap().iter().map(|finding| finding["rule"].as_str().unwrap()).collect();
        assert!(rules.iter().all(|rule| *rule == "unproven"), "{asset:#}");
        assert_eq!(asset["copies"]["total"], 3, "live, host, bucket: {asset:#}");
        assert_eq!(asset["copies"]["off_site"], 1);
        assert_eq!(asset["rpo_seconds"], 86400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_without_any_backup_is_red_and_not_blank() {
    let lab = CrudApp::bare().await;
    let (health, code) = lab.json(&["health"]);
    assert_eq!(code, Some(2), "{health:#}");
    for asset in health["assets"].as_array().unwrap() {
        assert_eq!(asset["verdict"], "critical", "{asset:#}");
    }
}
