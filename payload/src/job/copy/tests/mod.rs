//! Whole copies on simulated drives: what is on the cells and in the images afterwards, and what the certificates say.

mod bench;
mod commit;
mod fitted;
mod held;
mod hit;
mod kept;
mod resumed;
mod traps;
mod void;

use super::{digest, fit::Allowed, run, target::Tail};
use crate::{
    certify::copy::Outcome,
    console::Silent,
    drive::sim::{Lie, PowerCut},
    job::{run::Tally, tests::rig::MIB},
    journal::event::Action,
};
use bench::{Copies, SIZE, cells, full, has_no_start, old};
use sha2::{Digest, Sha256, Sha512};
use std::{fs, process::Command};

fn hex(bytes: &[u8]) -> String {
    crate::job::issue::hex(bytes)
}

#[track_caller]
fn clean(tally: &Tally) {
    assert!(tally.is_clean(), "{tally:?}");
}

#[track_caller]
fn not_clean(tally: &Tally) {
    let certified = !tally.settled.is_empty() && tally.settled.iter().all(|drive| drive.certificate.is_ok());
    assert!(!tally.is_clean() && certified, "{tally:?}");
}

#[test]
fn an_image_is_what_the_drive_holds_and_goes_back_onto_several() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE), old("C", SIZE + 3 * MIB), old("D", 20 * MIB)]);
    let wanted = cells(copies.disk("A"), SIZE);
    clean(&copies.image("A", "a", None));
    let unpacked = Command::new("zstd").args(["-dc"]).arg(copies.image_path("a")).output().unwrap();
    assert!(unpacked.stdout == wanted, "{}", String::from_utf8_lossy(&unpacked.stderr));
    let record = copies.certificate("A");
    assert_eq!((record.outcome, record.copy.bytes_read), (Outcome::Imaged, SIZE));
    assert_eq!(record.copy.sha512, hex(&Sha512::digest(&wanted)));
    assert_eq!(record.copy.sha256, hex(&Sha256::digest(&wanted)));
    clean(&copies.restore("a", &["B", "C"], Tail::Zero));
    clean(&copies.restore("a", &["D"], Tail::Leave));
    for serial in ["B", "C", "D"] {
        assert!(cells(copies.disk(serial), SIZE) == wanted, "{serial}");
        let record = copies.certificate(serial);
        assert_eq!((record.outcome, record.copy.bytes), (Outcome::Restored, SIZE), "{serial}");
        assert!(record.copy.first_mib_last);
        assert_eq!(record.verification.blocks_different + record.verification.blocks_unreadable, 0);
    }
    let behind = |serial: &str| cells(copies.disk(serial), SIZE + 3 * MIB).split_off(wanted.len());
    assert!(behind("C").iter().all(|byte| *byte == 0), "the tail was to be zeros");
    assert!(behind("D").iter().all(|byte| *byte == 0x77), "the tail was to be left");
    assert_eq!(copies.certificate("C").copy.tail.bytes_written, 3 * MIB);
    assert_eq!(copies.certificate("D").copy.tail.bytes_written, 0);
    assert_eq!(copies.disk("A").counts().writes, 0);
}

#[test]
fn a_clone_reads_once_and_a_comparison_finds_every_changed_block() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE), old("C", SIZE)]);
    let wanted = cells(copies.disk("A"), SIZE);
    clean(&copies.image("A", "a", None));
    let before = copies.disk("A").counts().reads;
    clean(&copies.clone("A", &["B"]));
    let once = copies.disk("A").counts().reads - before;
    clean(&copies.clone("A", &["B", "C"]));
    assert!(copies.disk("A").counts().reads - before <= 2 * once + 2, "one more target is no more reading");
    for serial in ["B", "C"] {
        assert!(cells(copies.disk(serial), SIZE) == wanted, "{serial}");
        let record = copies.certificate(serial);
        assert_eq!((record.outcome, record.source.unwrap().serial.as_str()), (Outcome::Cloned, "A"));
        assert_eq!(record.copy.sha256, hex(&Sha256::digest(&wanted)));
    }
    let writes = copies.disk("B").counts().writes;
    clean(&copies.check("a", &["B", "C"]));
    assert_eq!(copies.certificate("C").outcome, Outcome::Verified);
    for at in [0, 5 * MIB + 77, SIZE - 1] {
        let byte = copies.disk("B").read_cells(at, 1)[0];
        copies.disk("B").write_cells(at, &[byte ^ 1]);
        not_clean(&copies.check("a", &["B"]));
        let record = copies.certificate("B");
        assert_eq!(record.outcome, Outcome::Differs);
        let found = &record.verification.different[0];
        assert!((found.first_lba..found.first_lba + found.blocks).contains(&(at / 512)), "byte {at}: {found:?}");
        copies.disk("B").write_cells(at, &[byte]);
    }
    assert_eq!(copies.disk("B").counts().writes, writes, "a comparison writes nothing");
}

/// As a source of 20 TB is: a few frames have one digest. What a target does not keep is found in each of them, and no clone is
/// certified that holds anything else.
#[test]
fn frames_that_are_judged_together_are_judged_as_strictly() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    let clone = || {
        let mut job = copies.job(Action::Clone);
        // Four frames together: of ten frames the middle four.
        job.around.limits.hashes = 48;
        let source = copies.sources(&["A"]).pop().unwrap();
        let aims = copies.aims(&["B"], Tail::Leave);
        run::clone(job, source, aims, digest::Wish::Sha256, 1, Allowed::default(), &mut Silent)
    };
    let wanted = cells(copies.disk("A"), SIZE);
    clean(&clone());
    assert!(cells(copies.disk("B"), SIZE) == wanted);
    assert_eq!(copies.certificate("B").verification.blocks_matched, SIZE / 512);
    // One lie in each frame; frames 3 and 4 are blank on the source.
    for frame in 0..SIZE.div_ceil(MIB) {
        let lba = frame * 2048 + 3;
        copies.disk("B").write_cells(lba * 512, &[0x77; 512]);
        copies.disk("B").break_it(|faults| faults.lies = [(lba, Lie::Dropped)].into());
        not_clean(&clone());
        let record = copies.certificate("B");
        assert_eq!(record.outcome, Outcome::Failed, "frame {frame}");
        let found = &record.verification.different[0];
        assert!((found.first_lba..found.first_lba + found.blocks).contains(&lba), "frame {frame}: {found:?}");
        let together = (4..8).contains(&frame);
        assert_eq!(found.blocks, if together { 4 * 2048 } else { found.blocks.min(2048) }, "frame {frame}");
        copies.disk("B").break_it(|faults| {
            faults.lies.clear();
            faults.unreadable = [lba].into();
        });
        not_clean(&clone());
        assert_eq!(copies.certificate("B").outcome, Outcome::Failed, "frame {frame}");
        copies.disk("B").break_it(|faults| faults.unreadable.clear());
        // Of a source with a bad place the frame comes later than its neighbours.
        copies.disk("A").break_it(|faults| faults.unreadable = [lba].into());
        not_clean(&clone());
        let record = copies.certificate("B");
        assert_eq!(record.outcome, Outcome::ClonedWithExceptions, "frame {frame}");
        assert_eq!(record.exceptions.unreadable[0].first_lba, lba);
        copies.disk("A").break_it(|faults| faults.unreadable.clear());
    }
    clean(&clone());
    assert!(cells(copies.disk("B"), SIZE) == wanted);
}

/// A manifest lists no more than 1,000 places; the image has them all.
#[test]
fn what_is_cut_for_display_is_not_computed_with() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    let bad: Vec<u64> = (0..1200).map(|n| 2100 + n * 3).collect();
    let mut wanted = cells(copies.disk("A"), SIZE);
    for lba in &bad {
        let at = usize::try_from(lba * 512).unwrap();
        wanted[at..at + 512].fill(0);
    }
    copies.disk("A").break_it(|faults| faults.unreadable.extend(bad.iter().copied()));
    not_clean(&copies.image("A", "a", None));
    assert_eq!(copies.content("a").manifest.bad.len(), 1000);
    assert_eq!(copies.content("a").bad.as_slice().len(), 1200);
    not_clean(&copies.restore("a", &["B"], Tail::Leave));
    let record = copies.certificate("B");
    assert_eq!((record.outcome, record.exceptions.unreadable_blocks), (Outcome::RestoredWithExceptions, 1200));
    assert!(cells(copies.disk("B"), SIZE) == wanted);
    clean(&copies.check("a", &["B"]));
    // What the image lacks behind the list says nothing of a drive; what it holds does.
    copies.disk("B").write_cells(bad[1150] * 512, &[9; 512]);
    clean(&copies.check("a", &["B"]));
    copies.disk("B").write_cells((bad[1150] + 1) * 512, &[9]);
    not_clean(&copies.check("a", &["B"]));
}

#[test]
fn bad_sectors_are_zeros_that_every_certificate_names() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE), old("C", SIZE)]);
    let bad = [40_u64, 41, 12_000, SIZE / 512 - 1];
    let mut wanted = cells(copies.disk("A"), SIZE);
    for lba in bad {
        let at = usize::try_from(lba * 512).unwrap();
        wanted[at..at + 512].fill(0);
    }
    copies.disk("A").break_it(|faults| faults.unreadable.extend(bad));
    let named = |serial: &str| {
        let ranges = copies.certificate(serial).exceptions.unreadable;
        ranges.iter().flat_map(|r| r.first_lba..r.first_lba + r.blocks).collect::<Vec<_>>()
    };
    not_clean(&copies.image("A", "a", None));
    assert_eq!((copies.certificate("A").outcome, named("A")), (Outcome::ImagedWithExceptions, bad.to_vec()));
    not_clean(&copies.restore("a", &["B"], Tail::Leave));
    assert_eq!((copies.certificate("B").outcome, named("B")), (Outcome::RestoredWithExceptions, bad.to_vec()));
    assert!(cells(copies.disk("B"), SIZE) == wanted);
    clean(&copies.check("a", &["B"]));
    assert_eq!((copies.certificate("B").outcome, named("B")), (Outcome::Verified, bad.to_vec()));
    // What the image could not read says nothing of what a drive holds there.
    copies.disk("B").write_cells(12_000 * 512, &[9; 512]);
    clean(&copies.check("a", &["B"]));
    copies.disk("B").write_cells(12_001 * 512, &[9]);
    not_clean(&copies.check("a", &["B"]));
    not_clean(&copies.clone("A", &["C"]));
    assert_eq!((copies.certificate("C").outcome, named("C")), (Outcome::ClonedWithExceptions, bad.to_vec()));
    assert!(cells(copies.disk("C"), SIZE) == wanted);
}

#[test]
fn each_target_fails_alone_and_none_looks_like_the_original() {
    let serials = ["good", "bad-write", "bad-read", "liar", "gone", "hung", "flush", "first"];
    for clone in [false, true] {
        let disks = serials.iter().map(|serial| old(serial, SIZE)).chain([full("A", SIZE)]).collect();
        let copies = Copies::new(disks);
        let wanted = cells(copies.disk("A"), SIZE);
        clean(&copies.image("A", "a", None));
        copies.disk("bad-write").break_it(|faults| faults.unwritable.extend([5000]));
        copies.disk("bad-read").break_it(|faults| faults.unreadable.extend([5000]));
        copies.disk("liar").break_it(|faults| faults.lies = [(5000, Lie::FlippedBit(7))].into());
        copies.disk("gone").break_it(|faults| faults.vanish_after = Some(7));
        copies.disk("hung").break_it(|faults| faults.hang_after = Some(7));
        copies.disk("flush").break_it(|faults| faults.flush_fails = true);
        copies.disk("first").break_it(|faults| faults.lies = [(1, Lie::Dropped)].into());
        let tally = if clone { copies.clone("A", &serials) } else { copies.restore("a", &serials, Tail::Leave) };
        assert!(!tally.is_clean());
        assert!(cells(copies.disk("good"), SIZE) == wanted);
        let good = if clone { Outcome::Cloned } else { Outcome::Restored };
        assert_eq!(copies.certificate("good").outcome, good);
        for serial in &serials[1..] {
            let record = copies.certificate(serial);
            assert_eq!(record.outcome, Outcome::Failed, "{serial}");
            assert!(record.statement.contains("NOT"), "{}", record.statement);
        }
        for serial in ["bad-write", "bad-read", "liar", "gone", "hung", "flush"] {
            assert!(has_no_start(copies.disk(serial)), "{serial}: the first MiB was written");
        }
    }
}

#[test]
fn another_drive_in_a_targets_place_is_not_written() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE), old("C", SIZE)]);
    clean(&copies.image("A", "a", None));
    let aims = copies.aims(&["B", "C"], Tail::Wipe);
    let mut swapped = copies.disk("B").identity();
    swapped.serial = "SOMEBODY ELSE'S".into();
    copies.disk("B").set_identity(swapped);
    let tally =
        super::run::restore(copies.job(Action::Restore), copies.content("a"), aims, 2, &mut crate::console::Silent);
    assert!(!tally.is_clean());
    assert_eq!(copies.disk("SOMEBODY ELSE'S").counts().writes, 0);
    let outcomes = ["B", "C"].map(|serial| copies.certificate(serial).outcome);
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Restored]);
}

#[test]
fn a_damaged_image_reaches_no_first_mib() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    clean(&copies.image("A", "a", None));
    let path = copies.image_path("a");
    let whole = fs::read(&path).unwrap();
    // Inside the frames' bytes; header, index and table are looked at before anything is written.
    for at in [whole.len() / 4, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, bytes).unwrap();
        let writes = copies.disk("B").counts().writes;
        match super::run::open_content(&path) {
            Err(_) => assert_eq!(copies.disk("B").counts().writes, writes),
            Ok(_) => {
                not_clean(&copies.restore("a", &["B"], Tail::Leave));
                let record = copies.certificate("B");
                assert_eq!(record.outcome, Outcome::Failed, "{}", record.statement);
                assert!(record.copy.reason.contains("damaged"), "{}", record.copy.reason);
            }
        }
        assert!(has_no_start(copies.disk("B")));
    }
}

#[test]
fn an_image_cut_short_at_any_moment_ends_as_if_nothing_had_happened() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    clean(&copies.image("A", "whole", None));
    let whole = fs::read(copies.image_path("whole")).unwrap();
    // The first reads are the survey's.
    for after in [0, 1, 2, 3, 5, 7, 8, 10, 11, 12] {
        copies.disk("A").break_it(|faults| {
            faults.from_now().power_cut_after = Some((after, PowerCut::KeepUnflushed));
        });
        let name = format!("cut{after}");
        not_clean(&copies.image("A", &name, None));
        let record = copies.certificate("A");
        assert!(matches!(record.outcome, Outcome::Failed | Outcome::Interrupted), "{}", record.statement);
        assert!(!copies.image_path(&name).exists(), "only a whole image has its name");
        let tally = copies.image("A", &name, None);
        assert!(tally.is_clean(), "after {after}: {tally:?}");
        assert!(fs::read(copies.image_path(&name)).unwrap() == whole, "after {after}");
        assert!(fs::read_dir(copies.images_dir()).unwrap().flatten().all(|e| !e.path().ends_with(".part")));
    }
}

#[test]
fn only_what_changed_is_stored_and_a_chain_restores() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    clean(&copies.image("A", "one", None));
    copies.disk("A").write_cells(5 * MIB + 100, b"changed");
    clean(&copies.image("A", "two", Some("one")));
    copies.disk("A").write_cells(8 * MIB, &[0; 4096]);
    clean(&copies.image("A", "three", Some("two")));
    let len = |name: &str| fs::metadata(copies.image_path(name)).unwrap().len();
    assert!(len("two") < len("one") / 3 && len("three") < len("one") / 3);
    clean(&copies.restore("three", &["B"], Tail::Leave));
    assert!(cells(copies.disk("B"), SIZE) == cells(copies.disk("A"), SIZE));
    let mut bytes = fs::read(copies.image_path("one")).unwrap();
    // In a frame that neither of the later images stores.
    let early = bytes.len() / 4;
    bytes[early] ^= 1;
    fs::write(copies.image_path("one"), bytes).unwrap();
    let tally = copies.restore("three", &["B"], Tail::Leave);
    assert!(!tally.is_clean(), "a changed base goes unnoticed");
    fs::remove_file(copies.image_path("one")).unwrap();
    assert!(super::run::open_content(&copies.image_path("three")).unwrap_err().contains("one.img.zst"));
}

#[test]
fn a_log_that_cannot_be_written_stops_everything_before_the_first_write() {
    let mut copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    clean(&copies.image("A", "a", None));
    copies.bench.medium.fails_after = Some(1);
    let (journal, _) = copies.bench.open_log().unwrap();
    let job = super::run::Job {
        log: std::sync::Arc::new(crate::job::status::Log::new(journal, crate::job::tests::rig::clock)),
        ..{
            copies.bench.medium.fails_after = None;
            copies.job(Action::Restore)
        }
    };
    let tally =
        super::run::restore(job, copies.content("a"), copies.aims(&["B"], Tail::Wipe), 2, &mut crate::console::Silent);
    assert!(!tally.is_clean() && tally.stopped.is_some(), "{tally:?}");
    assert_eq!(copies.disk("B").counts().writes, 0);
}

#[test]
fn a_file_system_restored_from_what_is_used_passes_its_checker() {
    let systems: [(&[&str], &[&str]); 2] = [
        (&["mke2fs", "-q", "-F", "-t", "ext4", "-d", "/usr/include/linux"], &["e2fsck", "-fn"]),
        (&["mkntfs", "-q", "-Q", "-F", "-p", "0", "-H", "0", "-S", "0"], &["ntfsresize", "-i", "-f", "-P"]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let run = |words: &[&str]| {
        let out = Command::new(words[0]).args(&words[1..]).arg(&path).output().unwrap();
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&[out.stdout, out.stderr].concat()));
    };
    for (make, check) in systems {
        let size = 48 * MIB;
        let copies = Copies::new(vec![old("A", size), old("B", size), old("zeros", size), old("liar", size)]);
        copies.disk("zeros").break_it(|faults| faults.makes_zeros = Some(true));
        copies.disk("liar").break_it(|faults| faults.makes_zeros = Some(false));
        // What the file system does not touch is the old drive's content.
        fs::write(&path, cells(copies.disk("A"), size)).unwrap();
        run(make);
        copies.disk("A").write_cells(0, &fs::read(&path).unwrap());
        clean(&copies.image("A", "a", None));
        let record = copies.certificate("A");
        assert!(record.copy.bytes_read < size / 2, "{} of {size} bytes were read", record.copy.bytes_read);
        clean(&copies.restore("a", &["B"], Tail::Leave));
        let restored = cells(copies.disk("B"), size);
        assert!(restored.iter().filter(|byte| **byte == 0x77).count() < 4 << 20, "what is free was restored as well");
        let writes = copies.disk("B").counts().writes;
        fs::write(&path, &restored).unwrap();
        run(check);
        not_clean(&copies.restore("a", &["zeros", "liar"], Tail::Leave));
        assert!(cells(copies.disk("zeros"), size) == restored && copies.disk("zeros").counts().writes < writes / 2);
        let outcomes = ["zeros", "liar"].map(|serial| copies.certificate(serial).outcome);
        assert_eq!(outcomes, [Outcome::Restored, Outcome::Failed]);
    }
}
