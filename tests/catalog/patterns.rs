//! Patterns: what they read, what they refuse, and that they read what they write.

use crate::estate::at;
use chrono::NaiveDate;
use chrono_tz::Tz;
use proptest::prelude::*;
use relight::catalog::pattern::{NameTime, Pattern, Reading};

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn mistakes_are_placed() {
    for (text, place) in [
        ("", 0),
        ("/a", 0),
        ("a//b", 2),
        ("a/../b", 2),
        ("db_{time", 3),
        ("db_}", 3),
        ("db_{time:%Y%Q}", 11),
        ("db_{time:%H%M}", 3),
        ("db_{Id}", 4),
        ("{id}/{id}", 6),
        ("{a}{b}", 3),
        ("a/{x:b|}", 5),
    ] {
        let error = Pattern::parse(text).unwrap_err();
        assert_eq!(error.at, place, "{text}: {error}");
        assert!(!error.help.is_empty() && !error.message.is_empty());
    }
}

#[test]
fn parts_are_read() {
    let p = pattern("models/{time}/{id}/");
    let m = p.matches("models/20240115_020000/fraud/a/b.pkl").unwrap();
    assert_eq!((m.captures, m.folder, m.stamp), (vec![("id", "fraud")], Some(29), Some("20240115_020000")));
    assert!(p.matches("models/20240115_020000/fraud").is_none());
    assert!(p.matches("x/models/20240115_020000/fraud/a").is_none());
    let p = pattern("{time:%Y/%m}/{time:%d}/db_{time:%H%M}.gz");
    let m = p.matches("2024/01/15/db_0230.gz").unwrap();
    let local = NaiveDate::from_ymd_opt(2024, 1, 15).unwrap().and_hms_opt(2, 30, 0).unwrap();
    assert_eq!((m.time, m.other_stamp), (Some(NameTime::Local(local)), None));
    let exact = |text: &str, name: &str| pattern(text).matches(name).unwrap().time.unwrap();
    assert_eq!(exact("x.{time:%s}", "x.1705284000"), NameTime::Exact(at("2024-01-15T02:00:00Z")));
    assert_eq!(exact("{time:%FT%T%z}", "2024-01-15T02:00:00+01:00"), NameTime::Exact(at("2024-01-15T01:00:00Z")));
    assert_eq!(exact("{time:%Y%m%d}", "20241301"), NameTime::Impossible);
    assert!(pattern("*.sql").matches("a/b.sql").is_none());
    assert!(pattern("**.sql").matches("a/b.sql").is_some());
    assert!(pattern("a{{b}}").matches("a{b}").is_some());
    assert_eq!(pattern("/").matches("a/b").unwrap().folder, Some(0));
    assert_eq!(pattern("db_{moving}.gz").matches("db_latest.gz").unwrap().alias, Some("latest"));
    assert!(pattern("db_*_{time}.gz").matches("db__20240115_020000_20240115_020000.gz").is_some());
}

#[test]
fn names_that_almost_fit_cost_no_more_than_others() {
    let p = pattern("*a*a*a*a*a*a*a*a*a{x}a{y}a{time:%Y}**b");
    let name = "a".repeat(1023) + "c" + "b";
    let started = std::time::Instant::now();
    assert!(p.matches(&name).is_none());
    assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());
}

#[test]
fn clocks_that_change_are_read_both_ways() {
    let local = |text: &str| chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
    let (early, late) = (at("2024-11-03T05:30:00Z"), at("2024-11-03T06:30:00Z"));
    let twice = Reading::of(local("2024-11-03 01:30"), Tz::America__New_York);
    assert_eq!(twice, Reading::Twice(early, late));
    assert_eq!(twice.settle(None), (early, Some(late)));
    assert_eq!(twice.settle(Some(at("2024-11-03T06:20:00Z"))), (late, Some(early)));
    let never = Reading::of(local("2024-03-10 02:30"), Tz::America__New_York);
    assert_eq!(never.settle(None), (at("2024-03-10T07:30:00Z"), Some(at("2024-03-10T07:00:00Z"))));
    // A whole day that never was.
    let samoa = Reading::of(local("2011-12-30 12:00"), Tz::Pacific__Apia);
    assert_eq!(samoa.settle(None).1, Some(at("2011-12-30T10:00:00Z")));
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{time}".to_owned()),
        Just("{time:%Y-%m-%dT%H%M%S}".to_owned()),
        Just("*".to_owned()),
        Just("{kind:full|incr}".to_owned()),
        Just("{alias}".to_owned()),
        Just("/".to_owned()),
        "[a-zäé_.-]{1,5}",
    ];
    proptest::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_pattern_reads_its_own_example(text in texts(), seconds in 0_i64..4_000_000_000) {
        if let Ok(pattern) = Pattern::parse(&text) {
            let at = chrono::DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
            let name = pattern.example(at);
            let matched = pattern.matches(&name);
            prop_assert!(matched.is_some(), "{} does not read {}", text, name);
            if pattern.has_time() {
                prop_assert_eq!(matched.unwrap().time, Some(NameTime::Local(at)));
            }
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_a_placed_mistake(text in ".{0,40}", name in ".{0,60}") {
        match Pattern::parse(&text) {
            Ok(pattern) => { let _ = pattern.matches(&name); }
            Err(error) => prop_assert!(error.at <= text.len()),
        }
    }
}
