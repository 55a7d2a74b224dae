//! What cannot be reached is refused while the plan is made, with the nearest that can be; nothing was stopped.

use crate::RELIGHT;
use crate::lab::{Lab, written};
use std::process::Command;

fn refused(lab: &Lab, asset: &str, target: &str) -> String {
    let output = Command::new(RELIGHT)
        .arg("--config")
        .arg(lab.home.config())
        .arg("--state")
        .arg(lab.home.state())
        .args(["plan", "recover-postgres", "--set", &format!("asset={asset}"), "--set", &format!("target={target}")])
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success(), "{text}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn utc(micros: i64) -> String {
    chrono::DateTime::from_timestamp_micros(micros).unwrap().format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_refused_with_the_nearest_that_can_be() {
    let lab = Lab::build().await;
    let before = lab.sql("app", "SELECT pg_postmaster_start_time()");
    let at = lab.commits[lab.base_at + 2];

    let text = refused(&lab, "plain", "2026-11-21 14:30:00");
    assert!(text.contains("time zone") && text.contains("2026-11-21 14:30:00+01:00"), "{text}");

    let text = refused(&lab, "plain", &written(lab.commits[0] - 1_000_000));
    assert!(text.contains("cannot be reached") && text.contains("where the next base backup had ended"), "{text}");

    let end = *lab.commits.last().unwrap();
    let text = refused(&lab, "plain", &written(end + 3_600_000_000));
    assert!(text.contains("cannot be reached") && text.contains(&utc(end)), "{text}");

    let in_hole = lab.commits[lab.hole_at + 2];
    let text = refused(&lab, "holed", &written(in_hole));
    assert!(text.contains(&utc(lab.commits[lab.hole_at - 1])), "the last commit before the hole is named: {text}");
    assert!(text.contains(&lab.hole), "and the segment that is missing: {text}");

    // A byte of a segment on the way: the checksum of its record tells.
    let segment = lab.path("plain/wal").join(&lab.hole);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[2000] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let text = refused(&lab, "plain", "xid:999999");
    assert!(text.contains(&lab.hole) && text.contains("damaged"), "{text}");

    // Another cluster's archive.
    let data = lab.path("live/global/pg_control");
    let mut control = std::fs::read(&data).unwrap();
    control[0] ^= 1;
    let kept = std::fs::read(&data).unwrap();
    std::fs::write(&data, &control).unwrap();
    let text = refused(&lab, "packed", &written(at));
    std::fs::write(&data, &kept).unwrap();
    assert!(text.contains("and the archived log is of cluster"), "{text}");

    assert_eq!(lab.sql("app", "SELECT pg_postmaster_start_time()"), before, "nothing was stopped");
    assert_eq!(lab.beside(), [""; 0]);
}
