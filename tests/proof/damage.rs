//! Damage is found: dumps cut off at many places, and with single bits turned round.

use crate::artefacts::{Dump, artefacts, gzip, prove, prove_with};
use relight::model::proof::{Level, ProofOutcome};
use relight::proof::layers::Limits;
use relight::proof::source::{Unwatched, Watch};
use relight::proof::{Fault, Job, Recorded, examine};
use sha2::Digest;
use std::io::Read;

/// Some hundred places, the first and last thirty among them.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let step = (length / 150).max(1);
    (1..length).filter(move |at| *at < 30 || *at + 30 > length || at % step == 0)
}

#[test]
fn a_dump_that_was_cut_off_is_found_wherever_the_cut_is() {
    for dump in &artefacts().dumps {
        let end = meaningful_end(dump);
        for cut in places(dump.bytes.len()).filter(|cut| *cut < end) {
            let examined = prove(&dump.bytes[..cut]);
            // Nothing else than the first bytes of a text tells that it is a dump.
            let unrecognised = cut < 64 && examined.level < Level::L3;
            assert!(
                examined.outcome == ProofOutcome::Failed || unrecognised,
                "{} cut at {cut}: {:?} {}",
                dump.name,
                examined.level,
                examined.detail
            );
        }
    }
}

/// Of a plain script the blank lines after the end mark may be missing.
fn meaningful_end(dump: &Dump) -> usize {
    if dump.wrapped.is_empty() {
        let mark = b"dump complete";
        dump.bytes.windows(mark.len()).rposition(|w| w == mark).map_or(dump.bytes.len(), |at| at + mark.len())
    } else {
        dump.bytes.len()
    }
}

#[test]
fn a_dump_cut_between_two_blocks_is_found() {
    let dump = artefacts().dump("custom");
    let toc = relight::proof::pgdump::read_toc(dump.bytes.as_slice()).unwrap();
    for entry in &toc.entries {
        if let relight::proof::pgdump::DataState::At(place) = entry.data {
            let examined = prove(&dump.bytes[..place as usize]);
            assert_eq!(examined.outcome, ProofOutcome::Failed);
            assert!(examined.detail.contains("the dump ends before the data of"), "{}", examined.detail);
        }
    }
}

#[test]
fn a_flipped_bit_is_found_or_changes_nothing() {
    for name in ["plain.gz", "custom.gz", "custom", "custom.bz2", "plain.xz", "plain.lz4"] {
        let dump = artefacts().dump(name);
        let whole = prove(&dump.bytes).inside;
        // The table of contents of a bare custom dump has no checksum; its data blocks have.
        let start = if name == "custom" { whole.toc.as_ref().unwrap().length as usize } else { 0 };
        let mut unnoticed = 0;
        for at in places(dump.bytes.len()).filter(|at| *at >= start) {
            let mut bent = dump.bytes.clone();
            bent[at] ^= 1 << (at % 8);
            let examined = prove(&bent);
            // A bent magic number leaves an unknown form, which is never proven to be opened.
            if examined.outcome != ProofOutcome::Failed && examined.level >= Level::L3 {
                unnoticed += 1;
                // Bytes of a gzip header (time, system) and padding bits mean nothing.
                assert_eq!(examined.inside, whole, "{name}, byte {at}: {}", examined.detail);
            }
        }
        assert!(unnoticed < 10, "{name}: {unnoticed} flipped bits unnoticed");
    }
}

#[test]
fn with_a_recorded_checksum_every_flipped_bit_is_found() {
    let bytes = &artefacts().dump("plain").bytes;
    let recorded = || Recorded {
        sha256: vec![("checksums.txt".to_owned(), hex::encode(sha2::Sha256::digest(bytes)))],
        ..Recorded::default()
    };
    let good = prove_with(bytes, Level::L2, recorded());
    assert_eq!((good.outcome, good.level), (ProofOutcome::Passed, Level::L2));
    assert!(good.detail.contains("SHA-256 matches checksums.txt"), "{}", good.detail);
    for at in places(bytes.len()) {
        let mut bent = bytes.clone();
        bent[at] ^= 0x10;
        let examined = prove_with(&bent, Level::L2, recorded());
        assert_eq!((examined.outcome, examined.level), (ProofOutcome::Failed, Level::L1), "byte {at}");
    }
}

#[test]
fn a_checksum_that_matches_tells_that_the_damage_was_written() {
    let dump = artefacts().dump("plain.gz");
    let cut = &dump.bytes[..dump.bytes.len() / 2];
    let sha256 = vec![("checksums.txt".to_owned(), hex::encode(sha2::Sha256::digest(cut)))];
    let examined = prove_with(cut, Level::L4, Recorded { sha256, ..Recorded::default() });
    assert_eq!((examined.outcome, examined.level), (ProofOutcome::Failed, Level::L2));
    assert!(examined.detail.contains("it was written like this"), "{}", examined.detail);
}

#[test]
fn a_dump_that_broke_off_before_it_was_packed_has_a_sound_container() {
    let plain = &artefacts().dump("plain").bytes;
    let examined = prove(&gzip(&plain[..plain.len() / 2]));
    assert_eq!((examined.outcome, examined.level), (ProofOutcome::Failed, Level::L3));
    assert!(examined.detail.contains("the script ends in"), "{}", examined.detail);
    let empty = prove(&gzip(b""));
    assert_eq!((empty.outcome, empty.level), (ProofOutcome::Failed, Level::L3));
    assert!(empty.detail.contains("nothing in it"), "{}", empty.detail);
}

#[test]
fn an_md5_entity_tag_counts_only_when_it_matches() {
    let bytes = &artefacts().dump("custom").bytes;
    let md5 = hex::encode(md5::Md5::digest(bytes));
    let with = |md5: &str| Recorded { md5: Recorded::md5_of_etag(Some(md5)), ..Recorded::default() };
    assert_eq!(prove_with(bytes, Level::L2, with(&md5)).level, Level::L2);
    let other = prove_with(bytes, Level::L2, with(&"0".repeat(32)));
    assert_eq!((other.outcome, other.level), (ProofOutcome::Passed, Level::L1));
    assert!(other.detail.contains("no recorded checksum"), "{}", other.detail);
    assert_eq!(Recorded::md5_of_etag(Some("0123456789abcdef0123456789abcdef-2")), None);
}

#[test]
fn the_sums_that_a_store_keeps_count_and_sums_over_parts_do_not() {
    use relight::stores::{ObjectSum, SumKind};
    let kept = |kind, hex: &str| {
        let stored = vec![ObjectSum::Whole { kind, hex: hex.to_owned() }];
        prove_with(b"123456789", Level::L2, Recorded { stored, ..Recorded::default() })
    };
    // The check values of the catalogue of parametrised CRC algorithms.
    for (kind, hex) in
        [(SumKind::Crc64Nvme, "ae8b14860a799888"), (SumKind::Crc32, "cbf43926"), (SumKind::Crc32c, "e3069283")]
    {
        let good = kept(kind, hex);
        assert_eq!((good.outcome, good.level), (ProofOutcome::Passed, Level::L2), "{}", good.detail);
        assert!(good.detail.contains(&format!("{kind} matches the store's own")), "{}", good.detail);
        let bad = kept(kind, &"0".repeat(hex.len()));
        assert_eq!((bad.outcome, bad.level), (ProofOutcome::Failed, Level::L1), "{}", bad.detail);
        assert!(bad.detail.contains("the store itself keeps 000"), "{}", bad.detail);
    }
    let sha256 = hex::encode(sha2::Sha256::digest(b"123456789"));
    assert_eq!(kept(SumKind::Sha256, &sha256).level, Level::L2);
    let stored = vec![ObjectSum::Composite { kind: SumKind::Sha256 }];
    let parts = prove_with(b"123456789", Level::L2, Recorded { stored, ..Recorded::default() });
    assert_eq!((parts.outcome, parts.level), (ProofOutcome::Passed, Level::L1));
    assert!(parts.detail.contains("SHA-256 is one over parts and cannot be compared"), "{}", parts.detail);
}

#[test]
fn members_of_gzip_follow_each_other_and_nothing_else_does() {
    let plain = &artefacts().dump("plain").bytes;
    let (first, second) = plain.split_at(plain.len() / 3);
    let two = [gzip(first), gzip(second)].concat();
    assert_eq!(prove(&two).level, Level::L4);
    let padded = [two.as_slice(), &[0; 1000]].concat();
    assert_eq!(prove(&padded).level, Level::L4);
    for tail in [&b"x"[..], &[0, 0, 7], b"\x1f\x8b"] {
        let examined = prove(&[two.as_slice(), tail].concat());
        assert_eq!(examined.outcome, ProofOutcome::Failed, "{tail:?}");
    }
}

#[test]
fn a_decompression_bomb_is_left_and_says_nothing_about_the_backup() {
    let bomb = gzip(&gzip(&vec![0; 40 << 20]));
    let job = Job {
        wanted: Level::L4,
        size: bomb.len() as u64,
        recorded: Recorded::default(),
        limits: Limits { free: 1 << 20, ratio: 100 },
        watch: &Unwatched,
        identity: true,
        now_at: &|_| (),
    };
    let examined = examine(bomb.as_slice(), &job);
    assert_eq!(examined.outcome, ProofOutcome::Unknown);
    assert!(examined.detail.contains("decompression bomb"), "{}", examined.detail);
}

#[test]
fn what_cannot_be_opened_is_said() {
    // A frame that needs a dictionary.
    let frame = |sum: u8| [0x04, 0x22, 0x4d, 0x18, 0x61, 0x40, 1, 2, 3, 4, sum, 0, 0, 0, 0];
    let passed = |sum| Some(prove(&frame(sum))).filter(|examined| examined.outcome == ProofOutcome::Passed);
    // With all other checksums of its header it is damaged.
    let examined = (0..=255).find_map(passed).unwrap();
    assert_eq!(examined.level, Level::L1);
    assert!(examined.detail.contains("needs a dictionary"), "{}", examined.detail);
    let broken = prove(b"\xfd7zXZ\0 and so on");
    assert_eq!(broken.outcome, ProofOutcome::Failed, "{}", broken.detail);
}

#[test]
fn a_cancelled_or_broken_reading_is_unknown() {
    struct Stop;
    impl Watch for Stop {
        fn read_so_far(&self, _: u64) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    struct Torn<'a>(&'a [u8]);
    impl Read for Torn<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(Fault::Orphaned.into_io());
            }
            self.0.read(out)
        }
    }
    let bytes = artefacts().dump("custom.gz").bytes.as_slice();
    let job = |watch| Job {
        wanted: Level::L4,
        size: bytes.len() as u64,
        recorded: Recorded::default(),
        limits: Limits::default(),
        watch,
        identity: true,
        now_at: &|_| (),
    };
    let cancelled = examine(bytes, &job(&Stop));
    assert_eq!((cancelled.outcome, cancelled.fault), (ProofOutcome::Unknown, Some(Fault::Cancelled)));
    for cut in [0, 5, bytes.len() / 2, bytes.len() - 1, bytes.len()] {
        let torn = examine(std::io::BufReader::new(Torn(&bytes[..cut])), &job(&Unwatched));
        assert_eq!((torn.outcome, torn.fault), (ProofOutcome::Unknown, Some(Fault::Orphaned)), "after {cut} bytes");
    }
}
