//! What cannot be saved or restored is refused, and nothing live has moved.

use crate::lab::{API, Lab, RESTORE, WEB};
use std::path::Path;
use std::process::Command;

/// An archive unpacked, changed, and packed again.
fn changed(archive: &Path, change: impl FnOnce(&Path)) {
    let dir = tempfile::tempdir().unwrap();
    let tar = |how: &str, what: &[&str]| {
        let done = Command::new("tar").arg(how).arg(archive).arg("-C").arg(dir.path()).args(what).status().unwrap();
        assert!(done.success());
    };
    tar("-xzf", &[]);
    change(dir.path());
    tar("-czf", &["."]);
    // The sum that was written beside it would give it away before its content is looked at.
    std::fs::remove_file(format!("{}.sha256", archive.display())).unwrap();
}

fn layer(folder: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("layer.tar"));
    entries.into_iter().find(|path| path.is_file()).unwrap()
}

/// Naive: an archive that unpacks is a good backup.
#[test]
fn a_layer_that_is_not_what_its_image_names_fails_its_proof_and_is_not_restored() {
    let lab = Lab::new();
    let archive = lab.back_up();
    let live = lab.ids();
    changed(&archive, |folder| {
        let layer = layer(folder);
        let mut bytes = std::fs::read(&layer).unwrap();
        let at = bytes.windows(7).position(|window| window == b"api one" || window == b"web one").unwrap();
        bytes[at] = b'X';
        std::fs::write(layer, bytes).unwrap();
    });
    let verified = lab.relight(&["verify", "latest", "--asset", "images"]);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.code() == Some(2) && text.contains("does not have the content of sha256:"), "{text}");
    assert_eq!(lab.ids(), live);
    assert_eq!(lab.docker.names(), [API, WEB]);
}

#[test]
fn a_backup_without_one_of_the_images_is_not_loaded() {
    let lab = Lab::new();
    let archive = lab.back_up();
    let live = lab.ids();
    changed(&archive, |folder| {
        let list = folder.join("manifest.json");
        let text = std::fs::read_to_string(&list).unwrap().replace(WEB, "evil/web:\\u001b[2J");
        std::fs::write(list, text).unwrap();
    });
    let mut line = lab.open(&RESTORE);
    line.until("Start this plan?");
    line.say("yes");
    let failed = line.go_on_to("retry").expect("the loading fails");
    assert!(line.text.contains("the backup does not hold image shop/web:latest"), "{}", line.text);
    assert!(!line.text.contains('\u{1b}') && failed.answers.contains("retry"), "{}", line.text);
    line.say("abort-undo it is not whole");
    line.finish();
    assert_eq!((lab.ids(), lab.docker.names()), (live, vec![API.to_owned(), WEB.to_owned()]));
}

/// Naive: `docker save` of what is left, over the last good archive.
#[test]
fn no_backup_is_made_while_an_image_is_missing_or_the_engine_is_down() {
    let mut lab = Lab::new();
    lab.docker.must(&["image", "rm", WEB]);
    let mut line = lab.open(&["backup-images", "--set", "asset=images"]);
    line.until("Start this plan?");
    assert!(line.text.contains("shop/web:latest is not there"), "{}", line.text);
    line.say("yes");
    line.go_on_to("retry").expect("the saving fails");
    assert!(line.text.contains("has no image shop/web:latest"), "{}", line.text);
    line.say("abort it is not there");
    line.finish();
    assert_eq!(std::fs::read_dir(lab.path("store")).unwrap().count(), 0);
    let (doctor, _) = lab.json(&["doctor"]);
    assert!(doctor.to_string().contains("has no shop/web:latest"), "{doctor:#}");
    lab.docker.kill();
    let plan = lab.relight(&["plan", "backup-images", "--set", "asset=images"]);
    let text = String::from_utf8_lossy(&[plan.stdout, plan.stderr].concat()).into_owned();
    assert!(
        !plan.status.success() && text.contains("asking for an image on host `here` ended with status 1"),
        "{text}"
    );
    assert!(text.contains("See whether the engine runs"), "{text}");
}

/// Somebody deploys between the plan and the swap: their image is not replaced unseen.
#[test]
fn an_image_that_was_deployed_meanwhile_is_not_replaced() {
    let lab = Lab::new();
    lab.back_up();
    lab.docker.image(API, "bad");
    let mut line = lab.open(&RESTORE);
    line.until("Start this plan?");
    line.say("yes");
    let phrase = line.go_on_to("swap").and_then(|asked| asked.phrase).expect("the swap asks for its phrase");
    lab.docker.image(API, "deployed a minute ago");
    let deployed = lab.docker.id(API);
    line.say(&phrase);
    while let Some(asked) = line.asked() {
        assert!(asked.answers.contains("abort-undo"), "{}", line.text);
        line.say("abort-undo somebody deploys");
    }
    assert_eq!(lab.docker.id(API), deployed, "{}", line.text);
    assert!(!lab.docker.names().iter().any(|name| name.contains("restore-")), "{}", line.text);
}
