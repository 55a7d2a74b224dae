//! Retry, limit and deadline around a store with scripted faults. Time is simulated.

use crate::{drained, listed};
use futures::StreamExt;
use relight::stores::memory::MemoryStore;
use relight::stores::wrap::{Ahead, Deadline, Fault, Faulty, Limit, Operation, Retry, RetryPolicy};
use relight::stores::{Store, StoreErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const POLICY: RetryPolicy = RetryPolicy {
    attempts: 4,
    pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(5),
    budget: Duration::from_secs(30),
};

fn faulty(bytes: &[u8]) -> Faulty<MemoryStore> {
    let memory = MemoryStore::new("memory");
    memory.put("dump", bytes.to_vec());
    Faulty::new(memory)
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_again_and_counted() {
    let store = faulty(b"x");
    store.next(Operation::Head, [Some(Fault::Fail(StoreErrorKind::Throttled)), None]);
    store.next(Operation::ReadRange, vec![Some(Fault::Fail(StoreErrorKind::Unreachable)); 9]);
    let store = Retry::new(store, POLICY);
    assert_eq!(store.head("dump").await.unwrap().size, 1);
    let started = Instant::now();
    let error = store.read_range("dump", 0..1, None).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (StoreErrorKind::Unreachable, 4));
    // Pauses of 0.2, 0.4 and 0.8 s, each halved by chance at most.
    assert!(error.spent >= Duration::from_millis(700) && error.spent <= Duration::from_millis(1500), "{error:?}");
    assert!(started.elapsed() >= error.spent);
    assert!(error.to_string().contains("tried 4 times"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn definite_failures_are_not_tried_again() {
    use StoreErrorKind as K;
    for kind in [K::NotFound, K::Denied, K::ExpiredCredentials, K::NoCredentials, K::ClockSkew, K::Changed, K::Archived]
    {
        let store = faulty(b"x");
        store.always(Operation::Head, Some(Fault::Fail(kind)));
        let store = Retry::new(store, POLICY);
        let error = store.head("dump").await.unwrap_err();
        assert_eq!((error.kind, error.attempts), (kind, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn no_try_starts_after_the_budget() {
    let store = faulty(b"x");
    store.always(Operation::Head, Some(Fault::Hang));
    let second = Duration::from_secs(1);
    let store = Retry::new(Deadline::new(store, 20 * second, second), POLICY);
    let started = Instant::now();
    let error = store.head("dump").await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (StoreErrorKind::Unreachable, 2));
    assert!(started.elapsed() < 41 * second, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_are_read_on_under_a_pin_only() {
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    let store = faulty(&bytes);
    let pin = store.head("dump").await.unwrap().pin();
    let breaks = [1, 70_000, 100].map(|after| Some(Fault::BreakAfter(after)));
    store.next(Operation::Read, breaks);
    let store = Retry::new(store, POLICY);
    let read = drained(store.read("dump", 0, Some(&pin)).await.unwrap()).await.unwrap();
    assert!(read == bytes, "every byte once");

    let store = faulty(&bytes);
    store.next(Operation::Read, [Some(Fault::BreakAfter(1000))]);
    let store = Retry::new(store, POLICY);
    let (came, error) = drained(store.read("dump", 0, None).await.unwrap()).await.unwrap_err();
    assert_eq!((came, error.kind), (1000, StoreErrorKind::Corrupt));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_for_ever_is_given_up_with_its_tries() {
    let store = faulty(&[7; 5000]);
    let pin = store.head("dump").await.unwrap().pin();
    store.always(Operation::Read, Some(Fault::BreakAfter(10)));
    let store = Retry::new(store, POLICY);
    let (came, error) = drained(store.read("dump", 0, Some(&pin)).await.unwrap()).await.unwrap_err();
    assert_eq!((came, error.kind, error.attempts), (40, StoreErrorKind::Corrupt, 4));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_between_two_tries_is_not_mixed() {
    let shared = Arc::new(faulty(&[1; 5000]));
    let pin = shared.head("dump").await.unwrap().pin();
    shared.next(Operation::Read, [Some(Fault::BreakAfter(2000))]);
    let store = Retry::new(Arc::clone(&shared), POLICY);
    let mut stream = store.read("dump", 0, Some(&pin)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().len(), 2000);
    shared.inner().put("dump", vec![2; 5000]);
    assert_eq!(stream.next().await.unwrap().unwrap_err().kind, StoreErrorKind::Changed);
    assert!(stream.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn listings_start_again_only_before_their_first_page() {
    let store = faulty(b"x");
    store.next(Operation::List, [Some(Fault::Fail(StoreErrorKind::Throttled))]);
    let store = Retry::new(store, POLICY);
    assert_eq!(listed(&store, "", None).await.unwrap().0.len(), 1);
    let store = faulty(b"x");
    store.always(Operation::List, Some(Fault::BreakAfter(1)));
    let store = Retry::new(store, POLICY);
    let mut pages = store.list("", None);
    assert!(pages.next().await.unwrap().is_ok());
    assert_eq!(pages.next().await.unwrap().unwrap_err().attempts, 1);
    assert!(pages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_hangs_behind_a_deadline() {
    let (call, idle) = (Duration::from_secs(30), Duration::from_secs(10));
    let store = faulty(&[7; 5000]);
    for operation in [Operation::List, Operation::Head, Operation::ReadRange] {
        store.next(operation, [Some(Fault::Hang)]);
    }
    store.next(Operation::Read, [Some(Fault::StallAfter(100))]);
    let store = Deadline::new(store, call, idle);
    assert_eq!(store.head("dump").await.unwrap_err().kind, StoreErrorKind::Unreachable);
    assert_eq!(store.read_range("dump", 0..1, None).await.unwrap_err().kind, StoreErrorKind::Unreachable);
    assert_eq!(listed(&store, "", None).await.unwrap_err().kind, StoreErrorKind::Unreachable);
    let (came, error) = drained(store.read("dump", 0, None).await.unwrap()).await.unwrap_err();
    assert_eq!((came, error.kind), (100, StoreErrorKind::Unreachable));
    assert!(error.to_string().contains("stood still for 10 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_full_house_is_waited_for_and_streams_do_not_block_calls() {
    let store = Limit::new(faulty(&[7; 5000]), 2, Duration::from_secs(30));
    let first = store.read("dump", 0, None).await.unwrap();
    let second = store.read("dump", 0, None).await.unwrap();
    assert_eq!(store.head("dump").await.unwrap().size, 5000);
    let full = store.read("dump", 0, None).await.err().unwrap();
    assert_eq!(full.kind, StoreErrorKind::Throttled);
    drop(first);
    assert!(store.read("dump", 0, None).await.is_ok());
    drop(second);
}

/// 40 MiB that tell where they lie.
fn long() -> Vec<u8> {
    (0..10u32 << 20).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn a_long_body_comes_in_ranges_side_by_side_and_a_broken_one_by_itself_again() {
    let bytes = long();
    let store = Arc::new(faulty(&bytes));
    let pin = store.head("dump").await.unwrap().pin();
    store.next(Operation::ReadRange, [None, None, None, Some(Fault::Fail(StoreErrorKind::Unreachable)), None]);
    let ahead = Ahead::new(Retry::new(Arc::clone(&store), POLICY));
    let read = drained(ahead.read("dump", 0, Some(&pin)).await.unwrap()).await.unwrap();
    assert!(read == bytes, "every byte once, in order");
    assert!(store.calls(Operation::ReadRange) > 6 && store.calls(Operation::Read) == 0);
    let read = drained(ahead.read("dump", 12_345_678, Some(&pin)).await.unwrap()).await.unwrap();
    assert!(read == bytes[12_345_678..]);
}

#[tokio::test]
async fn only_the_head_of_a_long_body_costs_little() {
    let store = Arc::new(faulty(&long()));
    let pin = store.head("dump").await.unwrap().pin();
    let ahead = Ahead::new(Retry::new(Arc::clone(&store), POLICY));
    let mut body = ahead.read("dump", 0, Some(&pin)).await.unwrap();
    assert_eq!(&body.next().await.unwrap().unwrap()[..4], [0, 0, 0, 0]);
    drop(body);
    assert_eq!(store.calls(Operation::ReadRange), 1);
}

#[tokio::test]
async fn a_long_body_that_is_replaced_under_the_reader_is_noticed() {
    let memory = Arc::new(MemoryStore::new("memory"));
    memory.put("dump", long());
    let pin = memory.head("dump").await.unwrap().pin();
    let ahead = Ahead::new(Retry::new(Arc::clone(&memory), POLICY));
    let mut body = ahead.read("dump", 0, Some(&pin)).await.unwrap();
    body.next().await.unwrap().unwrap();
    memory.put("dump", vec![7; 40 << 20]);
    let (came, error) = drained(body).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Changed);
    assert!(came < 1 << 20, "nothing of another object: {came} bytes");
    let refused = ahead.read("gone", 0, Some(&pin)).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::NotFound);
}
