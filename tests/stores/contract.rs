//! What every store must do.

use crate::subjects::{Subject, all};
use crate::{body, drained, listed, names};
use bytes::Bytes;
use futures::{StreamExt, stream};
use relight::model::time::Clock as _;
use relight::stores::{MAX_RANGE, Removed, StoreError, StoreErrorKind};
use relight::wiring::SystemClock;
use std::collections::BTreeSet;

/// Runs a check on every store and names the store in the output of a failure.
macro_rules! on_every_store {
    ($name:ident, $check:ident) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            for subject in all().await {
                println!("store: {}", subject.title);
                $check(&subject).await;
            }
        }
    };
}

on_every_store!(lists_every_object_once, check_listing);
on_every_store!(prefixes_are_exact, check_prefixes);
on_every_store!(heads_tell_size_and_absence, check_head);
on_every_store!(ranges_give_what_exists, check_ranges);
on_every_store!(streams_start_anywhere, check_streams);
on_every_store!(pins_break_when_objects_change, check_pins);
on_every_store!(new_objects_replace_nothing, check_create);
on_every_store!(broken_bodies_leave_nothing, check_broken_bodies);
on_every_store!(only_the_pinned_object_is_removed, check_remove);
on_every_store!(odd_names_work, check_odd_names);
on_every_store!(names_never_lead_out, check_bad_names);
on_every_store!(names_up_to_the_limit_work, check_long_names);

async fn check_listing(on: &Subject) {
    assert!(names(&*on.store, "", None).await.is_empty());
    let mut all = BTreeSet::new();
    for number in 0..2345 {
        let name = format!("{}/{}/part-{number:05}", ["base", "logs", "wal"][number % 3], number % 7);
        on.put(&name, &vec![b'x'; number % 11]);
        all.insert(name);
    }
    for name in ["base.txt", "base-old/x", "zz"] {
        on.put(name, b"1");
        all.insert(name.to_owned());
    }
    let (objects, skipped) = listed(&*on.store, "", None).await.unwrap();
    assert_eq!(skipped, []);
    assert_eq!(objects.iter().map(|o| o.name.clone()).collect::<BTreeSet<_>>(), all);
    for object in &objects {
        if let Some((_, number)) = object.name.split_once("part-") {
            assert_eq!(object.size, number.parse::<u64>().unwrap() % 11);
        }
        assert!(object.modified.is_some());
    }
    let after = "logs/3/part-01000";
    let rest: BTreeSet<String> = names(&*on.store, "", Some(after)).await.into_iter().collect();
    assert_eq!(rest, all.iter().filter(|name| name.as_str() > after).cloned().collect());
    let both: BTreeSet<String> = names(&*on.store, "logs/", Some(after)).await.into_iter().collect();
    let wanted = |name: &&String| name.starts_with("logs/") && name.as_str() > after;
    assert_eq!(both, all.iter().filter(wanted).cloned().collect());
}

async fn check_prefixes(on: &Subject) {
    for name in ["a", "ab", "ab.x", "abc/x", "abc/y/z", "abcd", "b/ab"] {
        on.put(name, b"x");
    }
    assert_eq!(names(&*on.store, "ab", None).await, ["ab", "ab.x", "abc/x", "abc/y/z", "abcd"]);
    assert_eq!(names(&*on.store, "abc", None).await, ["abc/x", "abc/y/z", "abcd"]);
    assert_eq!(names(&*on.store, "abc/", None).await, ["abc/x", "abc/y/z"]);
    assert_eq!(names(&*on.store, "abc/y/z", None).await, ["abc/y/z"]);
    assert!(names(&*on.store, "abc/y/zz", None).await.is_empty());
    assert!(names(&*on.store, "nowhere/at/all", None).await.is_empty());
    assert_eq!(names(&*on.store, "", Some("abc/x")).await, ["abc/y/z", "abcd", "b/ab"]);
    assert!(names(&*on.store, "a", Some("b")).await.is_empty());
}

async fn check_head(on: &Subject) {
    on.put("full/orders.dump", b"0123456789");
    on.put("empty", b"");
    let meta = on.store.head("full/orders.dump").await.unwrap();
    assert_eq!((meta.name.as_str(), meta.size), ("full/orders.dump", 10));
    assert_eq!(on.store.head("empty").await.unwrap().size, 0);
    let (objects, _) = listed(&*on.store, "full/", None).await.unwrap();
    assert_eq!(objects[0].pin(), meta.pin(), "a listing and a look give the same pin");
    let missing = on.store.head("full/orders").await.unwrap_err();
    assert_eq!(missing.kind, StoreErrorKind::NotFound);
    assert_eq!(missing.attempts, 1, "what is not there is not asked for again");
    let text = missing.to_string();
    assert!(text.contains("`subject`") && text.contains("`full/orders`"), "{text}");
    assert_eq!(on.store.head("full").await.unwrap_err().kind, StoreErrorKind::NotFound, "a folder is no object");
}

async fn check_ranges(on: &Subject) {
    on.put("ten", b"0123456789");
    on.put("empty", b"");
    let pin = on.store.head("ten").await.unwrap().pin();
    for pin in [None, Some(&pin)] {
        let range = |range| on.store.read_range("ten", range, pin);
        assert_eq!(range(0..10).await.unwrap(), "0123456789");
        assert_eq!(range(0..1).await.unwrap(), "0");
        assert_eq!(range(3..7).await.unwrap(), "3456");
        assert_eq!(range(8..100).await.unwrap(), "89");
        assert_eq!(range(4..4).await.unwrap(), "");
        assert_eq!(range(10..20).await.unwrap(), "");
        assert_eq!(range(500..600).await.unwrap(), "");
    }
    assert_eq!(on.store.read_range("empty", 0..10, None).await.unwrap(), "");
    let missing = on.store.read_range("nine", 0..10, None).await.unwrap_err();
    assert_eq!(missing.kind, StoreErrorKind::NotFound);
    let missing = on.store.read_range("nine", 3..3, None).await.unwrap_err();
    assert_eq!(missing.kind, StoreErrorKind::NotFound);
    let huge = on.store.read_range("ten", 0..MAX_RANGE + 1, None).await.unwrap_err();
    assert_eq!(huge.kind, StoreErrorKind::Unsupported);
}

async fn check_streams(on: &Subject) {
    let bytes: Vec<u8> = (0..700_001u32).map(|n| (n % 251) as u8).collect();
    on.put("large", &bytes);
    on.put("empty", b"");
    let pin = on.store.head("large").await.unwrap().pin();
    for pin in [None, Some(&pin)] {
        for from in [0, 1, 65_536, 700_000, 700_001, 900_000] {
            let read = drained(on.store.read("large", from, pin).await.unwrap()).await.unwrap();
            assert_eq!(read, bytes[(from as usize).min(bytes.len())..], "from {from}");
        }
    }
    assert!(drained(on.store.read("empty", 0, None).await.unwrap()).await.unwrap().is_empty());
    assert_eq!(on.store.read("gone", 0, None).await.err().unwrap().kind, StoreErrorKind::NotFound);
}

async fn check_pins(on: &Subject) {
    on.put("dump", b"0123456789");
    let pin = on.store.head("dump").await.unwrap().pin();
    on.put("dump", b"9876543210");
    for (what, error) in [
        ("range", on.store.read_range("dump", 0..4, Some(&pin)).await.err()),
        ("empty range", on.store.read_range("dump", 4..4, Some(&pin)).await.err()),
        ("stream", on.store.read("dump", 0, Some(&pin)).await.err()),
        ("rest", on.store.read("dump", 5, Some(&pin)).await.err()),
        ("end", on.store.read("dump", 10, Some(&pin)).await.err()),
    ] {
        assert_eq!(error.map(|error| error.kind), Some(StoreErrorKind::Changed), "{what}");
    }
    on.put("dump", b"shorter");
    let error = on.store.read_range("dump", 8..10, Some(&pin)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Changed);
    assert_eq!(on.store.read_range("dump", 0..4, None).await.unwrap(), "shor");
}

async fn check_create(on: &Subject) {
    let made = on.store.create("safety/orders 1.dump", 20, body(b"01234567890123456789")).await.unwrap();
    assert_eq!((made.name.as_str(), made.size), ("safety/orders 1.dump", 20));
    assert_eq!(on.store.head("safety/orders 1.dump").await.unwrap().pin(), made.pin());
    let read = drained(on.store.read("safety/orders 1.dump", 0, Some(&made.pin())).await.unwrap()).await.unwrap();
    assert_eq!(read, b"01234567890123456789");
    let again = on.store.create("safety/orders 1.dump", 3, body(b"new")).await.unwrap_err();
    assert_eq!(again.kind, StoreErrorKind::AlreadyExists);
    assert_eq!(on.store.head("safety/orders 1.dump").await.unwrap().pin(), made.pin(), "nothing was touched");
    assert_eq!(on.store.create("safety/none", 0, body(b"")).await.unwrap().size, 0);
    assert_eq!(names(&*on.store, "safety/", None).await, ["safety/none", "safety/orders 1.dump"]);
}

async fn check_broken_bodies(on: &Subject) {
    let short = on.store.create("new", 20, body(b"0123456789")).await.unwrap_err();
    assert_eq!(short.kind, StoreErrorKind::Corrupt);
    let long = on.store.create("new", 5, body(b"0123456789")).await.unwrap_err();
    assert_eq!(long.kind, StoreErrorKind::Corrupt);
    let long = on.store.create("new", 7, body(b"0123456789")).await.unwrap_err();
    assert_eq!(long.kind, StoreErrorKind::Corrupt, "more after a piece that ends exactly");
    let long = on.store.create("new", 0, body(b"0")).await.unwrap_err();
    assert_eq!(long.kind, StoreErrorKind::Corrupt);
    let own = StoreError::new(StoreErrorKind::Archived, &"source".into(), Some("old"), "the source failed");
    let broken = stream::iter([Ok(Bytes::from_static(b"0123")), Err(own.clone())]).boxed();
    assert_eq!(on.store.create("new", 10, broken).await.unwrap_err(), own);
    assert_eq!(listed(&*on.store, "", None).await.unwrap(), (vec![], vec![]), "nothing is left of any of them");
}

async fn check_remove(on: &Subject) {
    let now = SystemClock.now();
    on.put("nightly/dump", b"0123456789");
    on.put("nightly/dump.sha256", b"sum");
    let pin = on.store.head("nightly/dump").await.unwrap().pin();
    on.put("nightly/dump", b"9876543210");
    let changed = on.store.remove("nightly/dump", &pin, now).await.unwrap_err();
    assert_eq!(changed.kind, StoreErrorKind::Changed, "{changed}");
    assert_eq!(on.store.read_range("nightly/dump", 0..10, None).await.unwrap(), "9876543210");
    let pin = on.store.head("nightly/dump").await.unwrap().pin();
    assert_eq!(on.store.remove("nightly/dump", &pin, now).await.unwrap(), Removed::Gone);
    let missing = on.store.remove("nightly/dump", &pin, now).await.unwrap_err();
    assert_eq!(missing.kind, StoreErrorKind::NotFound, "{missing}");
    assert_eq!(listed(&*on.store, "", None).await.unwrap().1, [], "nothing is left of the removal");
    assert_eq!(names(&*on.store, "", None).await, ["nightly/dump.sha256"]);
    let odd = "back\\slash \x1b[31m 100% ü+&<";
    on.put(odd, b"x");
    let pin = on.store.head(odd).await.unwrap().pin();
    for bad in ["", "/nightly/dump.sha256", "nightly/../nightly/dump.sha256", "../nightly", "nightly\0"] {
        assert!(on.store.remove(bad, &pin, now).await.is_err(), "{bad:?}");
    }
    assert_eq!(on.store.remove(odd, &pin, now).await.unwrap(), Removed::Gone);
    assert_eq!(names(&*on.store, "", None).await, ["nightly/dump.sha256"]);
}

async fn check_odd_names(on: &Subject) {
    let odd = [
        "100%/50%25 done+plus & more",
        "a b/c  d",
        "back\\slash",
        "bell\x07 and \x1b[31mred\x1b[0m",
        "line\nbreak\rtab\t",
        "naïve/Ünïcode/日本語/🦀",
        "quote\"'<tag>&amp;",
        "trailing space ",
        "x;y=z?q#h:@[]!$*(),",
    ];
    for name in odd {
        on.put(name, name.as_bytes());
    }
    assert_eq!(names(&*on.store, "", None).await, odd);
    for name in odd {
        assert_eq!(on.store.head(name).await.unwrap().size, name.len() as u64, "{name:?}");
        assert_eq!(on.store.read_range(name, 0..4, None).await.unwrap(), name.as_bytes()[..4], "{name:?}");
        assert_eq!(names(&*on.store, name, None).await, [name]);
        let error = on.store.head(&format!("{name}!")).await.unwrap_err();
        assert!(!error.to_string().contains(|c: char| c.is_control()), "{error}");
    }
    assert_eq!(names(&*on.store, "", Some(odd[4])).await, odd[5..]);
    let made = on.store.create("new/ü %41+ \x1b[2J", 1, body(b"x")).await.unwrap();
    assert_eq!(names(&*on.store, "new/", None).await, [made.name]);
}

async fn check_bad_names(on: &Subject) {
    on.put("in/side", b"x");
    for name in ["", "/in/side", "in/side\0", "/", "/etc/passwd"] {
        assert_eq!(on.store.head(name).await.unwrap_err().kind, StoreErrorKind::BadName, "{name:?}");
        assert_eq!(on.store.read(name, 0, None).await.err().unwrap().kind, StoreErrorKind::BadName, "{name:?}");
        let error = on.store.create(name, 1, body(b"x")).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::BadName, "{name:?}");
    }
    for name in ["../secret", "in/../../secret", "..", "in/..", "in/../in/side", "./in/side", "in//side"] {
        let error = on.store.head(name).await.unwrap_err();
        println!("{name}: {error}");
        assert!(on.store.read(name, 0, None).await.is_err(), "{name:?}");
        assert!(on.store.read_range(name, 0..1, None).await.is_err(), "{name:?}");
    }
    assert_eq!(names(&*on.store, "", None).await, ["in/side"]);
    assert!(names(&*on.store, "../", None).await.is_empty());
}

async fn check_long_names(on: &Subject) {
    let part = |letter: &str, length: usize| letter.repeat(length);
    let longest = [part("a", 255), part("b", 255), part("c", 255), part("d", 256)].join("/");
    let longest = if on.long_parts { longest } else { longest.replacen("dd", "d/", 1) };
    // The store's own prefix counts as well.
    let room = 1024 - if on.title == "S3 below a prefix" { "estate/prod/".len() } else { 0 };
    let longest = &longest[..room];
    on.put(longest, b"0123");
    assert_eq!(names(&*on.store, "", None).await, [longest]);
    assert_eq!(on.store.head(longest).await.unwrap().size, 4);
    assert_eq!(on.store.read_range(longest, 1..3, None).await.unwrap(), "12");
    let longer = format!("{longest}e");
    assert_eq!(on.store.head(&longer).await.unwrap_err().kind, StoreErrorKind::BadName);
    if on.long_new_names {
        let name = format!("{}/{}", part("n", 200), part("m", 200));
        assert_eq!(on.store.create(&name, 1, body(b"x")).await.unwrap().name, name);
    }
}
