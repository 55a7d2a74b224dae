//! Images are saved, lost or replaced, and come back as they were; the ones of before are kept.

use crate::lab::{API, Lab, RESTORE, WEB};

#[test]
fn images_are_saved_as_one_archive_and_proven_layer_by_layer() {
    let lab = Lab::new();
    for ending in ["tar.gz", "tar", "tar.zst"] {
        lab.configure(ending);
        let file = lab.back_up();
        let proof = lab.proof();
        assert_eq!(proof["level"], "L4", "{proof:#}");
        let detail = proof["detail"].as_str().unwrap();
        assert!(detail.contains("images: 2, layers: 3") && detail.contains(API) && detail.contains(WEB), "{proof:#}");
        std::fs::remove_file(&file).unwrap();
    }
    assert_eq!(lab.docker.names(), [API, WEB], "the engine has what it had");
}

/// Naive: `docker load` into the live names, with nothing left of the images that it replaces.
#[test]
fn images_that_were_replaced_come_back_and_those_of_before_keep_a_dated_tag() {
    let lab = Lab::new();
    let good = lab.ids();
    lab.back_up();
    lab.docker.image(API, "encrypted by someone else");
    lab.docker.must(&["image", "rm", WEB]);
    let bad = lab.docker.id(API);
    let old = lab.docker.must(&["run", "--detach", "--network", "none", "--name", "api-1", API]);

    let mut line = lab.open(&RESTORE);
    line.until("Start this plan?");
    assert!(line.text.contains("shop/web:latest is not there") && line.text.contains("api-1"), "{}", line.text);
    line.say("yes");
    line.go_on_to("Were the containers").expect("the containers are asked for");
    assert_eq!(lab.ids(), good, "the names moved");
    line.say("yes");
    // It was not made anew, whatever was said.
    line.asked().expect("the look at the containers asks");
    assert!(line.text.contains("still run from the image of before: api-1"), "{}", line.text);
    lab.docker.must(&["rm", "--force", &old]);
    lab.docker.must(&["run", "--detach", "--network", "none", "--name", "api-1", API]);
    line.say("retry");
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    assert_eq!((lab.ids(), lab.docker.content(API, "/content")), (good, b"api one".to_vec()));
    assert_eq!(lab.docker.content(WEB, "/more"), b"web one");
    let dated: Vec<String> = lab.docker.names().into_iter().filter(|name| name.contains(":before-")).collect();
    assert_eq!(dated.len(), 1, "{dated:?}");
    assert_eq!(lab.docker.id(&dated[0]), bad);
    assert!(!lab.docker.names().iter().any(|name| name.contains(":restore-")), "its own tag is gone");
    assert_eq!(lab.proof()["level"], "L5");
}

#[test]
fn a_drill_of_images_moves_no_name_and_leaves_nothing() {
    let lab = Lab::new();
    lab.back_up();
    lab.docker.image(API, "newer");
    let before = (lab.docker.names(), lab.ids());
    let text = lab.completed(&[&RESTORE[..], &["--mode", "drill"]].concat());
    assert!(text.contains("every layer as in the backup"), "{text}");
    assert_eq!((lab.docker.names(), lab.ids()), before);
}

#[test]
fn a_swap_of_images_is_taken_back() {
    let lab = Lab::new();
    lab.back_up();
    lab.docker.image(API, "newer");
    lab.docker.must(&["image", "rm", WEB]);
    let before = lab.ids();
    let mut line = lab.open(&RESTORE);
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to("Were the containers").expect("the containers are asked for");
    assert_ne!(lab.ids(), before);
    line.say("abort-undo the wrong ones");
    let (text, code) = line.finish();
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(lab.ids(), before, "{text}");
    assert_eq!(lab.docker.names(), [API], "{text}");
}

/// The runner is killed while the engine loads, and while a name moves.
#[test]
fn a_restore_of_images_goes_on_after_its_runner_was_killed() {
    for order in ["load", "tag"] {
        let lab = Lab::new();
        let good = lab.ids();
        lab.back_up();
        lab.docker.image(API, "bad");
        lab.docker.must(&["image", "rm", WEB]);
        lab.hold(order);
        let mut line = lab.open(&RESTORE);
        line.until("Start this plan?");
        line.say("yes");
        if order == "tag" {
            let phrase = line.go_on_to("swap").and_then(|asked| asked.phrase).expect("the swap asks for its phrase");
            line.say(&phrase);
        } else {
            line.go_on_to("Load it").expect("the loading asks");
            line.say("yes");
        }
        lab.reached(order);
        crate::runners::end_all(&lab.state());
        drop(line);
        lab.let_go(order);
        let mut line = lab.resume();
        while let Some(asked) = line.asked() {
            let again = asked.answers.contains("retry").then_some("retry");
            let accept = asked.answers.contains("accept").then_some("accept the run moved it itself");
            line.say(asked.phrase.as_deref().or(again).or(accept).unwrap_or("yes"));
        }
        let (text, _) = line.finish();
        assert!(text.contains(": COMPLETED"), "{order}: {text}");
        assert_eq!(lab.ids(), good, "{order}: {text}");
    }
}
