//! Snapshots that must not reach the live server: it goes on as it is, and nothing is left beside it.

use crate::cache::Cache;
use crate::operator::at;
use relight::runbook::Answer;

/// Refused at `step`, with `word` in the reason; the proof before it is skipped where the loading must say it.
async fn refused(damage: impl FnOnce(&mut Vec<u8>), step: &str, word: &str) {
    let cache = Cache::flushed(true).await;
    let mut bytes = std::fs::read(cache.snapshot()).unwrap();
    damage(&mut bytes);
    std::fs::write(cache.snapshot(), bytes).unwrap();
    let production = cache.production();
    let plan = cache.plan().await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    let mut run = cache.begin(&plan).await;
    let mut stopped = run.go_on(at("swap")).await.expect("the run ended");
    if step != "prove" && stopped.step.as_str() == "prove" {
        run.answer(Answer::Skip { reason: "the loading must see it, too".to_owned() }).await.unwrap();
        stopped = run.go_on(at("swap")).await.expect("the run ended");
    }
    let said = run.failures();
    assert!(stopped.step.as_str() == step && said.contains(word), "at {}: {said}", stopped.step);
    assert_eq!(cache.production(), production, "the live server goes on as it was");
    run.abort().await;
    assert_eq!(cache.beside(), [] as [std::path::PathBuf; 0], "{}", run.describe());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_cut() {
    Box::pin(refused(|bytes| bytes.truncate(bytes.len() / 2), "load", "damaged")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_with_a_wrong_sum() {
    Box::pin(refused(|bytes| *bytes.last_mut().unwrap() ^= 1, "prove", "checksum")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_a_newer_version() {
    let newer = |bytes: &mut Vec<u8>| {
        bytes[5..9].copy_from_slice(b"0099");
        // No sum: what is left to object is the server alone.
        let from = bytes.len() - 8;
        bytes[from..].fill(0);
    };
    Box::pin(refused(newer, "load", "RDB format version")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_would_fill_the_memory_of_the_live_server() {
    let huge = |bytes: &mut Vec<u8>| {
        let name = b"\xfa\x08used-mem";
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len();
        assert_eq!(bytes[at], 0xc2, "a number of 32 bits");
        bytes.splice(at..at + 5, *b"\x0f123456789012345");
        let from = bytes.len() - 8;
        bytes[from..].fill(0);
    };
    Box::pin(refused(huge, "load", "the memory of host")).await;
}
