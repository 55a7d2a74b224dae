//! What goes is in the archive first.

use crate::lab::{ARGUMENTS, Lab, content, night, nights, source};

fn with_archive(path: &str) -> Lab {
    let store = format!(
        "type = \"local\"\npath = \"store\"\n\n[[stores]]\nid = \"vault\"\ntype = \"local\"\npath = \"{path}\""
    );
    let lab = Lab::with(&store, &source("settings_{time:%Y%m%d}.json.gz"));
    for day in 1..=6 {
        lab.put(&night(day), &content(day));
    }
    std::fs::create_dir(lab.home.path("vault")).unwrap();
    lab.prove(6, 0);
    lab
}

const TO_VAULT: [&str; 2] = ["--set", "archive_to=vault"];

#[test]
fn each_object_is_read_back_from_the_archive_before_it_goes() {
    let lab = with_archive("vault");
    // One was archived before, and of another something else lies there.
    std::fs::write(lab.home.path("vault").join(night(1)), content(1)).unwrap();
    std::fs::write(lab.home.path("vault").join(night(2)), b"something else").unwrap();
    let (mut line, asked) = lab.at_the_phrase(&TO_VAULT);
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    assert!(line.text.contains("archive `vault` has other bytes under `settings_20260902.json.gz`"), "{}", line.text);
    assert!(line.text.contains("removed before: `settings_20260901.json.gz`"), "{}", line.text);
    assert_eq!(lab.names(), nights(2..=6));
    std::fs::remove_file(lab.home.path("vault").join(night(2))).unwrap();
    line.say("retry");
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains("archived in vault"), "{text}");
    assert_eq!(lab.names(), nights(4..=6));
    for day in 1..=3 {
        assert_eq!(std::fs::read(lab.home.path("vault").join(night(day))).unwrap(), content(day));
    }
}

#[test]
fn the_store_under_another_name_is_no_archive() {
    let lab = with_archive("store");
    let (mut line, asked) = lab.at_the_phrase(&TO_VAULT);
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    assert!(line.text.contains("seem to be one and the same place"), "{}", line.text);
    line.say("abort it is the same");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!(lab.names(), nights(1..=6));
    let same =
        lab.home.relight(&[&["run"], &ARGUMENTS[..], &["--set", "archive_to=main", "--plain", "--arm", "x"]].concat());
    let text = String::from_utf8([same.stdout, same.stderr].concat()).unwrap();
    assert!(text.contains("cannot be the archive of its own backups"), "{text}");
}
