//! What only a folder has: links, pipes, names that are not text, folders that cannot be read.

use crate::{body, drained, listed};
use relight::stores::local::LocalStore;
use relight::stores::{Store, StoreErrorKind, WritableStore};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

fn folder() -> (TempDir, LocalStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::new("local", folder.path().join("store"));
    std::fs::create_dir(store.root()).unwrap();
    (folder, store)
}

#[tokio::test]
async fn links_out_are_reported_and_never_followed() {
    let (outer, store) = folder();
    std::fs::write(outer.path().join("secret"), b"outside").unwrap();
    std::fs::create_dir_all(store.root().join("full/2026")).unwrap();
    std::fs::write(store.root().join("full/2026/base.tar"), b"inside").unwrap();
    symlink("../secret", store.root().join("relative")).unwrap();
    symlink(outer.path().join("secret"), store.root().join("absolute")).unwrap();
    symlink(outer.path(), store.root().join("folder-out")).unwrap();
    symlink("2026/base.tar", store.root().join("full/latest.tar")).unwrap();
    symlink("2026", store.root().join("full/latest")).unwrap();
    symlink("nowhere", store.root().join("dangling")).unwrap();
    symlink("circle", store.root().join("circle")).unwrap();
    let (objects, skipped) = listed(&store, "", None).await.unwrap();
    let found: Vec<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(found, ["full/2026/base.tar", "full/latest.tar"]);
    let reason = |name: &str| skipped.iter().find(|(n, _)| n == name).map(|(_, reason)| reason.as_str());
    assert!(reason("relative").unwrap().contains("out of the store"), "{skipped:?}");
    assert!(reason("absolute").unwrap().contains("out of the store"), "{skipped:?}");
    assert!(reason("folder-out").unwrap().contains("out of the store"), "{skipped:?}");
    assert!(reason("full/latest").unwrap().contains("folder `2026`"), "{skipped:?}");
    assert!(reason("dangling").unwrap().contains("does not exist"), "{skipped:?}");
    assert!(reason("circle").is_some(), "{skipped:?}");
    for name in ["relative", "absolute", "folder-out/secret", "circle"] {
        assert_eq!(store.head(name).await.unwrap_err().kind, StoreErrorKind::BadName, "{name}");
        assert_eq!(store.read(name, 0, None).await.err().unwrap().kind, StoreErrorKind::BadName, "{name}");
    }
    let written = store.create("folder-out/new", 1, body(b"x")).await.unwrap_err();
    assert_eq!(written.kind, StoreErrorKind::BadName);
    assert!(!outer.path().join("new").exists());
    assert_eq!(drained(store.read("full/latest.tar", 0, None).await.unwrap()).await.unwrap(), b"inside");
}

#[tokio::test]
async fn odd_files_and_names_are_reported_and_never_opened() {
    let (_outer, store) = folder();
    let pipe = store.root().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(store.root().join("socket")).unwrap();
    std::fs::write(store.root().join(OsStr::from_bytes(b"latin-\xe9\x1b.sql")), b"x").unwrap();
    std::fs::write(store.root().join("plain"), b"x").unwrap();
    let (objects, skipped) = listed(&store, "", None).await.unwrap();
    assert_eq!(objects.len(), 1);
    let skipped: Vec<String> = skipped.into_iter().map(|(name, reason)| format!("{name}: {reason}")).collect();
    assert_eq!(
        skipped,
        [
            "latin-\\xe9\\x1b.sql: the name is not UTF-8",
            "pipe: not a regular file (socket, pipe or device)",
            "socket: not a regular file (socket, pipe or device)",
        ]
    );
    assert_eq!(store.read("pipe", 0, None).await.err().unwrap().kind, StoreErrorKind::BadName);
    assert_eq!(store.head("socket").await.unwrap_err().kind, StoreErrorKind::BadName);
}

#[tokio::test]
async fn a_large_folder_comes_in_pages() {
    let (_outer, store) = folder();
    for number in 0..70_000 {
        std::fs::File::create(store.root().join(format!("{number:06}"))).unwrap();
    }
    let (objects, skipped) = listed(&store, "", None).await.unwrap();
    assert_eq!((objects.len(), skipped.len()), (70_000, 0));
    let (objects, _) = listed(&store, "06", Some("069997")).await.unwrap();
    assert_eq!(objects.len(), 2);
}

#[tokio::test]
async fn very_deep_folders_end_somewhere() {
    let (_outer, store) = folder();
    let deep = store.root().join(vec!["d"; 100].join("/"));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("file"), b"x").unwrap();
    let (objects, skipped) = listed(&store, "", None).await.unwrap();
    assert!(objects.is_empty());
    assert_eq!(skipped[0].1, "nested deeper than 64 folders");
}

#[tokio::test]
async fn a_missing_folder_is_an_error_and_not_an_empty_store() {
    let (_outer, store) = folder();
    std::fs::remove_dir(store.root()).unwrap();
    let error = listed(&store, "", None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NotFound);
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(store.head("x").await.unwrap_err().kind, StoreErrorKind::NotFound);
}

#[tokio::test]
async fn a_file_that_is_written_to_while_read_is_a_change() {
    let (_outer, store) = folder();
    let file = store.root().join("growing");
    std::fs::write(&file, vec![1; 1_000_000]).unwrap();
    let stream = store.read("growing", 0, None).await.unwrap();
    std::fs::write(&file, vec![2; 1_000_001]).unwrap();
    let (_, error) = drained(stream).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Changed);
    let stream = store.read("growing", 0, None).await.unwrap();
    std::fs::write(&file, b"cut").unwrap();
    let (_, error) = drained(stream).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn new_files_are_private_and_leftovers_are_reported() {
    let (_outer, store) = folder();
    store.create("a/b/new", 3, body(b"new")).await.unwrap();
    let mode = std::fs::metadata(store.root().join("a/b/new")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(store.root().join("a/b")).unwrap().count(), 1);
    std::fs::write(store.root().join(".relight-unfinished-0123"), b"half").unwrap();
    let (objects, skipped) = listed(&store, "", None).await.unwrap();
    assert_eq!(objects.len(), 1);
    assert_eq!(skipped, [(".relight-unfinished-0123".to_owned(), "a write that was not finished".to_owned())]);
}
