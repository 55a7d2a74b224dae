//! Restores read through the encryption.

use crate::lab::{KINDS, Lab, tree};
use crate::postgres::{BIN, Cluster};
use std::process::{Command, Stdio};

#[test]
fn a_lost_folder_comes_back_byte_by_byte_from_every_kind() {
    let lab = Lab::new();
    for (asset, _) in KINDS {
        lab.backed_up(asset);
        let live = lab.home.path(&format!("etc/{asset}"));
        let good = tree(&live);
        std::fs::remove_file(live.join("tls/key.pem")).unwrap();
        std::fs::write(live.join("application.yml"), "garbage").unwrap();
        let (text, code) = lab.home.run(&["restore-files", "--set", &format!("asset={asset}")]);
        assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
        assert_eq!(tree(&live), good);
    }
    let left: Vec<_> = std::fs::read_dir("/dev/shm")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("relight-gpg-"))
        .filter(|entry| entry.metadata().is_ok_and(|meta| meta.modified().unwrap().elapsed().unwrap().as_secs() > 60))
        .collect();
    assert!(left.is_empty(), "folders of gpg were left: {left:?}");
}

const CONTENT: &str = "SELECT md5(string_agg(t::text, E'\\n' ORDER BY t.id)) || ' ' || count(*) FROM things t";

/// Dumped, gzipped and encrypted for a recipient by hand, as the system's own scripts do it.
#[test]
fn a_database_comes_back_from_a_dump_that_was_encrypted_elsewhere() {
    let mut lab = Lab::new();
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE shop");
    cluster.sql("shop", "CREATE TABLE things (id int PRIMARY KEY, name text)");
    cluster.sql("shop", "INSERT INTO things SELECT n, md5(n::text) FROM generate_series(1, 20000) n");
    let good = cluster.sql("shop", CONTENT);
    let mut dump = cluster.program("pg_dump");
    let mut dump = dump.args(["-U", "relight", "shop"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut gzip = Command::new("gzip").stdin(dump.stdout.take().unwrap()).stdout(Stdio::piped()).spawn().unwrap();
    let file = lab.home.path("store/shop_20260101_020000.sql.gz.gpg");
    let sealed = Command::new("gpg")
        .args(["--homedir", "/nonexistent", "--batch", "--no-tty", "--no-keyring", "--trust-model", "always"])
        .arg("--recipient-file")
        .arg(lab.key("ops.asc"))
        .arg("--encrypt")
        .stdin(gzip.stdout.take().unwrap())
        .stdout(std::fs::File::create(&file).unwrap())
        .status()
        .unwrap();
    assert!(sealed.success() && dump.wait().unwrap().success() && gzip.wait().unwrap().success());
    lab.more = format!(
        "\n[[servers]]\nid = \"db\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"relight\"\nbin_dir = \"{BIN}\"\n\n\
         [[assets]]\nid = \"shop\"\nkind = \"postgresql\"\nserver = \"db\"\ndatabase = \"shop\"\n\n  \
         [[assets.sources]]\n  store = \"host\"\n  match = \"shop_{{time:%Y%m%d_%H%M%S}}.sql.gz.gpg\"\n  kind = \
         \"full\"\n  key = \"ops\"\n",
        cluster.port
    );
    lab.configure(|_| true);
    let (text, code) = lab.verified("shop", "L4");
    assert!(code == Some(0) && text.contains("20000 rows"), "{text}");
    cluster.sql("shop", "DELETE FROM things WHERE id % 2 = 0");
    let (text, code) = lab.home.run(&["restore-postgres", "--set", "asset=shop"]);
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    assert_eq!(cluster.sql("shop", CONTENT), good);

    let (text, code) = lab.home.run(&["backup-postgres-encrypted", "--set", "asset=shop", "--set", "least_percent=0"]);
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    let newest = std::fs::read(lab.stored("shop")).unwrap();
    assert!(newest[0] & 0x80 != 0 && lab.stored("shop") != file);
    let (text, code) = lab.verified("shop", "L4");
    assert!(code == Some(0) && text.contains("plain SQL + gzip + OpenPGP"), "{text}");
}
