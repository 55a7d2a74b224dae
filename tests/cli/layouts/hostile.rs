//! Names that someone made to hurt, through the program: escaped on every way out, nothing read outside.

use super::{Asked, Shown, asset, estate, local};
use crate::bytes::plain_sql;
use crate::program::{Sandbox, stdout};
use crate::s3::{BUCKET, KEY, S3Fixture};

fn system() -> Sandbox {
    let sandbox = Sandbox::new();
    let sources = [("disk", "{id}_{time}.sql", "full", ""), ("disk", "deep/**_{time}.sql", "full", "")];
    sandbox.write("relight.toml", estate(&[local("disk"), asset("db", "postgresql", &sources)]));
    for name in ["\u{1b}[2J\u{1b}]0;x\u{7}", "line\nbreak", "\u{202e}lqs", "-rf", "..", "...."] {
        sandbox.write(&format!("disk/{name}_20240115_020000.sql"), plain_sql());
    }
    for name in ["stray\u{1b}[31m", "new\nline", "..hidden"] {
        sandbox.write(&format!("disk/{name}"), "?");
    }
    let folder = "d".repeat(200);
    let long = format!("deep/{folder}/{folder}/{folder}/{folder}/{}_20240115_020000.sql", "a".repeat(195));
    assert_eq!(long.len(), 1024);
    sandbox.write(&format!("disk/{long}"), plain_sql());
    // A way out of the folder, and what must not be read through it.
    sandbox.write("outside/secret_20240115_020000.sql", plain_sql());
    std::os::unix::fs::symlink("../outside", sandbox.path().join("disk/out")).unwrap();
    std::os::unix::fs::symlink(
        "../outside/secret_20240115_020000.sql",
        sandbox.path().join("disk/secret_20240115_020000.sql"),
    )
    .unwrap();
    sandbox
}

#[test]
fn hostile_names_are_escaped_and_nothing_outside_is_read() {
    let sandbox = system();
    let asked = Asked::of(&sandbox);
    let ids = asked.ids();
    assert_eq!(ids.len(), 7, "{ids:?}");
    assert!(ids.iter().all(|id| id.len() < 100 && id.bytes().all(|b| b.is_ascii_graphic())), "{ids:?}");
    let document = asked.catalog.to_string();
    assert!(!document.contains("secret_2024") || document.contains("link"), "{document}");
    let copies = asked.catalog["backups"].as_array().unwrap().iter().flat_map(|b| b["copies"].as_array().unwrap());
    for path in copies.map(|c| c["path"].as_str().unwrap()) {
        assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{path:?}");
    }
    for arguments in [&["catalog"][..], &["health"], &["show", ids[0]], &["show", ids[1]]] {
        let text = stdout(&mut sandbox.relight(arguments));
        let foreign = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.is_empty() && !text.contains(foreign), "{arguments:?}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("break_")), "{text}");
    }
    for id in ids {
        assert_eq!(Shown::of(&sandbox, id).0["backup"]["id"], id);
    }
}

/// A bucket may hold names that no folder can.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_1024_bytes_and_keys_with_escapes_come_through_a_bucket() {
    let s3 = S3Fixture::start().await;
    let sandbox = Sandbox::new();
    let store = format!(
        "[[stores]]\nid = \"s3\"\ntype = \"s3\"\nbucket = \"{BUCKET}\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
         force_path_style = true\naccess_key_id = \"{KEY}\"\nsecret_access_key = {{ env = \"RELIGHT_TEST_SECRET\" }}\n\n",
        s3.server.endpoint()
    );
    let sources = [("s3", "**_{time}.sql", "full", "")];
    sandbox.write("relight.toml", estate(&[store, asset("db", "postgresql", &sources)]));
    let folder = "d".repeat(200);
    let long = format!("{folder}/{folder}/{folder}/{folder}/{}_20240115_020000.sql", "a".repeat(200));
    assert_eq!(long.len(), 1024);
    for key in [long.as_str(), "a\u{1b}[2J_20240115_020000.sql", "b\u{202e}_20240115_020000.sql"] {
        s3.put(key, &plain_sql());
    }
    let asked = Asked::of(&sandbox);
    assert_eq!(asked.ids().len(), 3, "{}", asked.catalog);
    let mut catalog = sandbox.relight(&["catalog"]);
    let text = stdout(catalog.env("RELIGHT_TEST_SECRET", crate::s3::SECRET));
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    s3.server.stop().await;
}
