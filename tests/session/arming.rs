use super::estate::{World, until};
use chrono::Duration;
use relight::session::Request;

fn arm(reason: &str) -> Request {
    Request::Arm {
        reason: reason.to_owned(),
        incident: Some("INC-7".to_owned()),
        span: std::time::Duration::from_mins(10),
    }
}

#[tokio::test]
async fn armed_needs_a_reason_outlives_the_console_and_runs_out() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let session = world.start();
    session.handle.requests.send(arm(" ")).await.unwrap();
    let view = until(&session.handle, "a refusal", |v| !v.notices.is_empty()).await;
    assert_eq!(view.armed, None);
    session.handle.requests.send(arm("orders lost")).await.unwrap();
    until(&session.handle, "armed", |v| v.armed.is_some()).await;
    session.handle.requests.send(Request::Quit).await.unwrap();
    session.done.await.unwrap();

    let again = world.start();
    let view = until(&again.handle, "still armed", |v| v.armed.is_some()).await;
    assert_eq!(view.armed.as_ref().unwrap().incident.as_deref(), Some("INC-7"));
    world.clock.forward(Duration::minutes(11));
    let view = until(&again.handle, "read-only", |v| v.armed.is_none()).await;
    assert!(view.notices.iter().any(|n| n.what.contains("run out")));
    assert!(!state.path().join("armed.json").exists());
}

#[tokio::test]
async fn disarming_is_at_once() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let session = world.start();
    session.handle.requests.send(arm("look")).await.unwrap();
    until(&session.handle, "armed", |v| v.armed.is_some()).await;
    session.handle.requests.send(Request::Disarm).await.unwrap();
    until(&session.handle, "read-only", |v| v.armed.is_none()).await;
    assert!(!state.path().join("armed.json").exists());
}
