//! What stays closed says so; what is damaged is not taken for what is closed.

use crate::lab::{KINDS, Lab};

#[test]
fn without_its_key_a_backup_reaches_l2_at_most_and_is_not_restored() {
    let lab = Lab::new();
    for (asset, _) in KINDS {
        lab.backed_up(asset);
    }
    lab.configure(|_| false);
    std::fs::remove_file(lab.home.state().join("proofs.jsonl")).unwrap();
    for (asset, _) in KINDS {
        let (text, code) = lab.verified(asset, "L4");
        assert!(text.contains("L2") && text.contains("without its key"), "{text}");
        assert_eq!(code, Some(3), "{text}");
        let planned =
            lab.home.relight(&["plan", "restore-files", "--set", &format!("asset={asset}"), "--set", "backup=latest"]);
        let text = String::from_utf8([planned.stdout, planned.stderr].concat()).unwrap();
        assert!(!planned.status.success() && text.contains("the configuration names no key for it"), "{text}");
    }
}

#[test]
fn a_wrong_key_says_nothing_against_the_backup() {
    let lab = Lab::new();
    for (asset, _) in KINDS {
        lab.backed_up(asset);
    }
    lab.secret("word", "another one\n");
    let made = std::process::Command::new("age-keygen").output().unwrap();
    lab.secret("vault", &String::from_utf8(made.stdout).unwrap());
    lab.recipient("ops", "of the secret key");
    for (asset, why) in [
        ("word", "is not the one that it was encrypted with"),
        ("ops", "is none of those that it was encrypted for"),
        ("vault", "is none of those that it was encrypted for"),
    ] {
        let (text, code) = lab.verified(asset, "L4");
        assert!(text.contains(why) && text.contains("L2"), "{text}");
        assert_eq!(code, Some(3), "{text}");
        let planned =
            lab.home.relight(&["plan", "restore-files", "--set", &format!("asset={asset}"), "--set", "backup=latest"]);
        let text = String::from_utf8([planned.stdout, planned.stderr].concat()).unwrap();
        assert!(!planned.status.success() && text.contains(why), "{text}");
    }
}

#[test]
fn a_cut_or_changed_file_is_bad_and_not_merely_closed() {
    let lab = Lab::new();
    for (asset, _) in KINDS {
        let file = lab.backed_up(asset);
        let good = std::fs::read(&file).unwrap();
        let mut flipped = good.clone();
        let middle = good.len() / 2;
        flipped[middle] ^= 1;
        // Nothing recorded apart from the bytes helps here.
        std::fs::remove_file(format!("{}.sha256", file.display())).unwrap();
        for (what, bytes) in [
            ("cut near its end", good[..good.len() - 40].to_vec()),
            ("cut in the middle", good[..good.len() / 2].to_vec()),
            ("changed", flipped),
            ("longer", [good.as_slice(), b"more"].concat()),
        ] {
            std::fs::write(&file, &bytes).unwrap();
            let (text, code) = lab.verified(asset, "L4");
            assert_eq!(code, Some(2), "{asset}, {what}: {text}");
        }
    }
}
