use super::estate::{World, until};
use chrono::Duration;
use relight::catalog::ScanStatus;
use relight::health::Severity;
use relight::model::id::StoreId;
use relight::session::{Request, scan_once};
use relight::stores::StoreErrorKind;
use relight::stores::wrap::{Fault, Operation};

#[tokio::test]
async fn the_first_view_is_unknown_and_the_scan_makes_it_known() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let session = world.start();
    assert_eq!(session.handle.view.borrow().health.verdict, Severity::Unknown, "nothing seen is never healthy");
    let view = until(&session.handle, "a scan", |v| v.catalog.scanned_at.is_some() && v.scanning.is_empty()).await;
    assert_eq!(view.catalog.backups.len(), 3);
    assert_eq!(view.catalog.backups[0].copies.len(), 2);
    assert_eq!(view.health.verdict, Severity::Ok, "{:#?}", view.health);
    assert!(!view.catalog_from_disk);
    assert_eq!((view.tasks[0].state.as_str(), view.tasks[0].detail.as_str()), ("done", "3 backups in 2 stores"));

    session.handle.requests.send(Request::Quit).await.unwrap();
    session.done.await.unwrap();
}

#[tokio::test]
async fn the_last_catalog_is_shown_while_the_store_is_away_and_nothing_is_called_missing() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    scan_once(&world.parts, &|_, _| ()).await;

    let lost = Fault::Fail(StoreErrorKind::Unreachable);
    world.far.always(Operation::List, Some(lost));
    let session = world.start();
    let view = until(&session.handle, "the kept catalog", |v| v.catalog_from_disk).await;
    assert_eq!(view.catalog.backups.len(), 3);
    let view = until(&session.handle, "a lost store", |v| {
        v.catalog.stores.iter().any(|s| s.status == ScanStatus::Unreachable) && v.scanning.is_empty()
    })
    .await;
    assert_eq!(view.catalog.backups[0].copies.len(), 2, "what the lost store held stays on screen");
    assert_eq!(view.health.verdict, Severity::Unknown);
    assert_eq!(view.notices.len(), 1, "{:?}", view.notices);

    // The same loss is not told again; its end is seen.
    session.handle.requests.send(Request::Dismiss { notice: view.notices[0].id }).await.unwrap();
    let scans = view.tasks.len();
    session.handle.requests.send(Request::Rescan { store: Some(StoreId::new("far")) }).await.unwrap();
    let view = until(&session.handle, "another scan", |v| v.tasks.len() > scans && v.scanning.is_empty()).await;
    assert_eq!(view.notices, []);
    world.far.always(Operation::List, None);
    session.handle.requests.send(Request::Rescan { store: Some(StoreId::new("far")) }).await.unwrap();
    let view = until(&session.handle, "health", |v| v.health.verdict == Severity::Ok).await;
    assert!(view.catalog.stores.iter().all(|s| s.status == ScanStatus::Ok));
}

#[tokio::test]
async fn a_view_changes_only_when_something_to_see_has_changed() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let session = world.start();
    until(&session.handle, "a scan", |v| v.catalog.scanned_at.is_some() && v.scanning.is_empty()).await;
    let mut view = session.handle.view.clone();
    view.mark_unchanged();
    let still = tokio::time::timeout(std::time::Duration::from_millis(2500), view.changed()).await;
    assert!(still.is_err(), "a view was published though nothing happened");
}

#[tokio::test]
async fn scans_come_by_themselves_and_age_moves() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let session = world.start();
    until(&session.handle, "a scan", |v| v.catalog.scanned_at.is_some() && v.scanning.is_empty()).await;
    world.clock.forward(Duration::hours(80));
    let view = until(&session.handle, "judged again", |v| v.health.verdict == Severity::Critical).await;
    assert!(view.health.assets[0].findings.iter().any(|f| f.rule == "missed-run"));
    assert!(view.tasks.len() >= 2);
}

#[tokio::test]
async fn scanning_a_store_that_does_not_exist_is_told() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let session = world.start();
    session.handle.requests.send(Request::Rescan { store: Some(StoreId::new("moon")) }).await.unwrap();
    until(&session.handle, "a notice", |v| v.notices.iter().any(|n| n.what.contains("moon"))).await;
}
