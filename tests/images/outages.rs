//! Store, disk and engine go away in the middle of a restore of images: nothing live is touched, and it goes on.

use crate::disks::Ballast;
use crate::lab::{API, Lab, RESTORE, WEB};
use crate::line::Line;
use crate::proxy::Fault;

/// The loading failed, in these words, and nothing live has moved.
fn failed(line: &mut Line, lab: &Lab, live: &str, words: &str) {
    let before = line.text.len();
    let asked = line.asked().expect("the loading did not fail");
    let said = &line.text[before..];
    assert!(asked.answers.contains("retry") && said.contains(words), "{words}: {said}");
    assert_eq!((lab.docker.id(API).as_str(), lab.docker.id(WEB).as_str()), (live, ""), "{said}");
}

/// Begins the loading anew, which asks once more.
fn again(line: &mut Line) {
    line.say("retry");
    let asked = line.asked().expect("the loading does not ask");
    assert!(asked.text.contains("Load it"), "{}", line.text);
    line.say("yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn store_disk_and_engine_go_away_one_after_the_other() {
    let mut lab = Lab::on_a_small_disk("96m");
    let good = lab.ids();
    let (_s3, proxy) = lab.shelve_in_bucket().await;
    lab.docker.image(API, "bad");
    lab.docker.must(&["image", "rm", WEB]);
    let live = lab.docker.id(API);
    let mut line = lab.open(&RESTORE);
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to("Load it").expect("the loading asks");

    proxy.next("GET", "images_", 1, Fault::CutAfter(100_000));
    proxy.always("GET", "images_", Fault::Drop);
    line.say("yes");
    failed(&mut line, &lab, &live, "store `disk`");
    proxy.reset();

    let ballast = Ballast::on(&lab.docker.data(), 1 << 20);
    again(&mut line);
    failed(&mut line, &lab, &live, "free, and loading may take");
    drop(ballast);

    lab.hold("load");
    again(&mut line);
    lab.reached("load");
    let ballast = Ballast::on(&lab.docker.data(), 64 << 10);
    lab.let_go("load");
    failed(&mut line, &lab, &live, "no space left on device");
    drop(ballast);

    lab.hold("load");
    again(&mut line);
    lab.reached("load");
    lab.docker.kill();
    lab.let_go("load");
    let asked = line.asked().expect("the loading did not fail");
    assert!(line.text.contains("Cannot connect to the Docker daemon"), "{}", line.text);
    lab.docker.start_again();
    assert!(asked.answers.contains("retry"), "{}", line.text);
    again(&mut line);
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    assert_eq!((lab.ids(), lab.docker.content(WEB, "/more")), (good, b"web one".to_vec()));
    assert!(!lab.docker.names().iter().any(|name| name.contains(":restore-")), "{:?}", lab.docker.names());
}
