//! Backups are encrypted, opened again, and only then is their plaintext gone.

use crate::lab::{KINDS, Lab, tree};

#[test]
fn an_encrypted_backup_of_every_kind_is_made_and_proven_to_its_contents() {
    let lab = Lab::new();
    for (asset, _) in KINDS {
        let file = lab.backed_up(asset);
        let head = std::fs::read(&file).unwrap();
        let sealed = head.starts_with(b"age-encryption.org/v1") || head[0] & 0x80 != 0;
        assert!(sealed && !head.starts_with(&[0x1f, 0x8b]), "{}", file.display());
        let (catalog, _) = lab.home.json(&["catalog"]);
        let backup = catalog["backups"].as_array().unwrap().iter().find(|backup| backup["asset"] == asset).unwrap();
        assert_eq!((&backup["proof"]["level"], &backup["encrypted"]), (&"L4".into(), &true.into()), "{backup:#}");
        assert!(backup["proof"]["detail"].as_str().unwrap().contains("tar + gzip + "), "{backup:#}");
    }
    let plain = |files: std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>| {
        let ends = |file: &&std::path::PathBuf| file.to_string_lossy().ends_with(".tar.gz");
        files.keys().filter(ends).cloned().collect::<Vec<_>>()
    };
    assert_eq!(plain(tree(&lab.home.path("store"))), Vec::<std::path::PathBuf>::new());
    let state = tree(&lab.home.state());
    assert_eq!(plain(state.clone()), Vec::<std::path::PathBuf>::new());
    for (file, bytes) in state {
        let holds = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(
            !holds(crate::lab::PASSPHRASE) && !holds("of the secret key") && !holds("AGE-SECRET-KEY"),
            "{} holds a secret",
            file.display()
        );
    }
}

/// Naive: `gpg --symmetric` that fails, and a plain archive that goes all the same.
#[test]
fn the_plaintext_stays_when_what_was_encrypted_cannot_be_opened_again() {
    let lab = Lab::new();
    // The public half of one key, the secret half of another.
    lab.recipient("other", "of the secret key");
    std::fs::copy(lab.key("other.asc"), lab.key("ops.asc")).unwrap();
    let mut line = lab.home.open(&["backup-files-encrypted", "--set", "asset=ops"]);
    line.until("Start this plan?");
    line.say("yes");
    line.asked().expect("the packing asks");
    line.say("yes");
    let asked = line.asked().expect("the failure asks");
    assert!(asked.text.contains("(step 3 of 7)"), "{}", line.text);
    assert!(line.text.contains("is none of those that it was encrypted for"), "{}", line.text);
    let kept = tree(&lab.home.state()).into_keys().any(|file| file.to_string_lossy().ends_with(".tar.gz"));
    assert!(kept, "the plaintext is still in the run's folder");
    assert!(tree(&lab.home.path("store")).is_empty(), "nothing was published");
    line.say("abort the key is wrong");
    let (text, code) = line.finish();
    assert_eq!(code, Some(2), "{text}");
}

/// A key that this machine cannot read makes no backup at all, and says why.
#[test]
fn a_key_that_cannot_be_read_fails_before_anything_is_published() {
    let lab = Lab::new();
    std::fs::remove_file(lab.key("word")).unwrap();
    let mut line = lab.home.open(&["backup-files-encrypted", "--set", "asset=word"]);
    line.until("Start this plan?");
    line.say("yes");
    line.asked().expect("the packing asks");
    line.say("yes");
    let asked = line.asked().expect("the failure asks");
    assert!(asked.text.contains("(step 2 of 7)") && line.text.contains("keys/word cannot be read"), "{}", line.text);
    line.say("abort there is no key");
    assert_eq!(line.finish().1, Some(2));
    assert!(tree(&lab.home.path("store")).is_empty());
}
