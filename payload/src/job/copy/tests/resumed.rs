//! What may happen to a drive, to its unfinished image and to the clock while nobody looks: the outcome is never better than what a
//! fresh look would give.

use super::{
    super::{part::Purpose, target::Tail},
    bench::{Copies, SIZE, cells, full, old},
    clean, hex,
    kept::kept,
    not_clean,
};
use crate::{
    certify::copy::{CopyRecord, Outcome},
    console::Silent,
    drive::sim::PowerCut,
    imagefile::Manifest,
    job::{
        retain,
        tests::rig::{MIB, clock},
    },
    journal::event::Action,
};
use sha2::{Digest, Sha512};
use std::{fs, path::Path, process::Command};

/// Frames that are read before the machine stops.
const CUTS: [u64; 5] = [0, 2, 4, 7, 9];

/// How often the survey reads the drive before the first frame.
fn survey(copies: &Copies) -> u64 {
    let before = copies.disk("A").counts().reads;
    let name = format!("survey{before}");
    copies.image("A", &name, None);
    let reads = copies.disk("A").counts().reads - before;
    for ending in ["", ".manifest.json", ".manifest.json.sig"] {
        let _ = fs::remove_file(copies.images_dir().join(format!("{name}.img.zst{ending}")));
    }
    reads - SIZE.div_ceil(MIB)
}

/// An image that the machine stops in after so many frames.
fn cut(copies: &Copies, name: &str, frames: u64) {
    let after = survey(copies) + frames;
    cut_after(copies, name, after);
}

fn cut_after(copies: &Copies, name: &str, after: u64) {
    copies.disk("A").break_it(|faults| {
        faults.from_now().power_cut_after = Some((after, PowerCut::KeepUnflushed));
    });
    assert!(!copies.image("A", name, None).is_clean());
    assert!(!copies.image_path(name).exists(), "only a whole image has its name");
}

fn unpacked(image: &Path) -> Vec<u8> {
    let out = Command::new("zstd").arg("-dc").arg(image).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn part(copies: &Copies, name: &str) -> std::path::PathBuf {
    copies.images_dir().join(format!("{name}.img.zst.part"))
}

fn beside(copies: &Copies) -> Vec<String> {
    let names = fs::read_dir(copies.images_dir()).unwrap().flatten();
    names.map(|entry| entry.file_name().to_str().unwrap().to_owned()).filter(|name| name.contains(".part")).collect()
}

/// The image is what the drive holds now, and its certificate and manifest say no other digest.
#[track_caller]
fn is_fresh(copies: &Copies, name: &str) -> CopyRecord {
    let now = cells(copies.disk("A"), SIZE);
    assert!(unpacked(&copies.image_path(name)) == now, "{name}: the image is of a disk that never was");
    let record = copies.certificate("A");
    assert_eq!((record.outcome, record.copy.bytes_read), (Outcome::Imaged, SIZE));
    assert_eq!(record.copy.sha512, hex(&Sha512::digest(&now)));
    assert_eq!(Manifest::read(&copies.image_path(name)).unwrap().manifest.sha512, record.copy.sha512);
    assert_eq!(beside(copies), Vec::<String>::new());
    record
}

/// The same, where unfinished images of others lie beside it.
#[track_caller]
fn is_of_now(copies: &Copies, name: &str) -> CopyRecord {
    assert!(unpacked(&copies.image_path(name)) == cells(copies.disk("A"), SIZE), "{name}");
    let record = copies.certificate("A");
    assert_eq!(record.outcome, Outcome::Imaged);
    record
}

#[test]
fn whatever_changes_while_an_image_waits_it_is_of_the_drive_as_it_is() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    // First frame, the middle, what is blank, the last that is stored and the end of the drive.
    let places = [0, 77, 2 * MIB + 5, 3 * MIB + 9, 5 * MIB, 6 * MIB - 1, SIZE - 1];
    let mut again = 0;
    for (place, after) in places.iter().flat_map(|place| CUTS.map(|after| (*place, after))) {
        let name = format!("at{place}-{after}");
        cut(&copies, &name, after);
        let stored = part(&copies, &name).exists();
        let byte = copies.disk("A").read_cells(place, 1)[0];
        copies.disk("A").write_cells(place, &[byte ^ 1]);
        clean(&copies.image("A", &name, None));
        let record = is_fresh(&copies, &name);
        let pauses = &record.copy.interruptions;
        assert_eq!(pauses.len(), usize::from(stored), "{pauses:?}");
        let anew = pauses.iter().any(|pause| pause.detail.contains("begun anew"));
        again += u32::from(anew);
        assert!(!anew || pauses[0].detail.contains(&format!("at byte {place} ")), "{pauses:?}");
    }
    assert!(again > 5, "{again}: nothing that was stored was ever changed");
}

#[test]
fn what_is_the_same_is_gone_on_with_however_often_the_machine_stops() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    cut(&copies, "a", 5);
    let first = fs::metadata(part(&copies, "a")).unwrap().len();
    // The frames that are there are read again first.
    cut(&copies, "a", 12);
    assert!(fs::metadata(part(&copies, "a")).unwrap().len() >= first);
    clean(&copies.image("A", "a", None));
    let record = is_fresh(&copies, "a");
    let pauses = record.copy.interruptions;
    assert_eq!(pauses.len(), 2);
    assert!(pauses[1].detail.contains("bytes were read again and were the same"), "{pauses:?}");
    assert!(pauses.iter().all(|pause| pause.last_seen <= pause.resumed && record.copy.started <= pause.last_seen));
    assert!(record.limits.iter().any(|limit| limit.contains("was interrupted")), "{:?}", record.limits);
    copies.image("A", "b", None);
    assert_eq!(fs::read(copies.image_path("a")).unwrap(), fs::read(copies.image_path("b")).unwrap());
}

#[test]
fn what_can_no_longer_be_read_is_not_thrown_away() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    cut(&copies, "a", 7);
    let before = fs::read(part(&copies, "a")).unwrap();
    copies.disk("A").break_it(|faults| faults.unreadable.extend([100]));
    not_clean(&copies.image("A", "a", None));
    let record = copies.certificate("A");
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.copy.reason.contains("cannot be read any more"), "{}", record.copy.reason);
    assert!(fs::read(part(&copies, "a")).unwrap().starts_with(&before), "the part was touched");
    // What was bad from the beginning is tried again, and what was read of it before is not believed.
    let copies = Copies::new(vec![full("A", SIZE)]);
    let many = survey(&copies) + 8;
    copies.disk("A").break_it(|faults| faults.unreadable.extend([100]));
    cut_after(&copies, "b", many);
    copies.disk("A").break_it(|faults| faults.unreadable = [101].into());
    not_clean(&copies.image("A", "b", None));
    let mut now = cells(copies.disk("A"), SIZE);
    now[101 * 512..102 * 512].fill(0);
    assert!(unpacked(&copies.image_path("b")) == now);
    let record = copies.certificate("A");
    assert_eq!(record.outcome, Outcome::ImagedWithExceptions);
    assert_eq!(record.exceptions.unreadable[0].first_lba, 101);
    assert_eq!(record.copy.sha512, hex(&Sha512::digest(&now)));
}

/// The machine stops at any read of the places that could not be read at first: the next run goes on with every frame that could
/// be read, and ends with the image, and with the account of what is bad, that a run without a stop ends with.
#[test]
fn a_stop_among_the_bad_sectors_costs_no_frame() {
    let bad = [100_u64, 5000, 5001, 9000];
    let copies = Copies::new(vec![full("A", SIZE)]);
    let first_pass = survey(&copies) + SIZE.div_ceil(MIB);
    copies.disk("A").break_it(|faults| faults.unreadable.extend(bad));
    let before = copies.disk("A").counts().reads;
    not_clean(&copies.image("A", "whole", None));
    let reads = copies.disk("A").counts().reads - before;
    let whole = fs::read(copies.image_path("whole")).unwrap();
    let told = |name: &str| Manifest::read(&copies.image_path(name)).unwrap().manifest;
    let cuts: Vec<_> = (first_pass + 3..reads).step_by(usize::try_from((reads - first_pass) / 12).unwrap()).collect();
    let mut logs = 0;
    for (number, after) in cuts.iter().enumerate() {
        let name = format!("stopped{number}");
        cut_after(&copies, &name, *after);
        // The frames that were read, and behind them what could be read of the others: any zstd unpacks that.
        assert_eq!(unpacked(&part(&copies, &name)).len() as u64, SIZE, "{name}");
        let log = fs::read(part(&copies, &name)).unwrap().windows(8).any(|eight| eight == b"MULEWAL1");
        logs += u32::from(log);
        not_clean(&copies.image("A", &name, None));
        assert!(fs::read(copies.image_path(&name)).unwrap() == whole, "{name}: another image");
        let [one, other] = [told("whole"), told(&name)];
        assert_eq!((one.bad, one.bad_bytes, one.sha512), (other.bad, other.bad_bytes, other.sha512), "{name}");
        let record = copies.certificate("A");
        assert_eq!(record.outcome, Outcome::ImagedWithExceptions);
        let pauses = record.copy.interruptions;
        assert_eq!(pauses.len(), 1, "{name}: {pauses:?}");
        assert!(pauses[0].detail.contains(&format!("the first {SIZE} bytes were read again")), "{name}: {pauses:?}");
    }
    assert!(cuts.len() >= 10 && logs >= 5, "{} stops, {logs} with a log", cuts.len());
}

/// A FAT whose map changes: a file appears where everything was free.
#[test]
fn a_block_that_is_used_by_now_is_in_the_image() {
    let size = 24 * MIB;
    let dir = tempfile::tempdir().unwrap();
    let tool = |name: &str, arguments: &[&str]| {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let done = Command::new(name).args(arguments).current_dir(dir.path()).env("PATH", path).output().unwrap();
        assert!(done.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    fs::write(dir.path().join("long"), vec![7; 6 << 20]).unwrap();
    fs::write(dir.path().join("late"), vec![9; 9 << 20]).unwrap();
    tool("mkfs.fat", &["-C", "volume", &(size / 1024).to_string()]);
    tool("mcopy", &["-i", "volume", "long", "::long"]);
    let before = fs::read(dir.path().join("volume")).unwrap();
    tool("mcopy", &["-i", "volume", "late", "::late"]);
    let after = fs::read(dir.path().join("volume")).unwrap();
    let mut met = 0;
    let copies = Copies::new(vec![old("A", size)]);
    copies.disk("A").write_cells(0, &before);
    clean(&copies.image("A", "whole", None));
    for reads in (0..copies.disk("A").counts().reads).step_by(2) {
        let copies = Copies::new(vec![old("A", size)]);
        copies.disk("A").write_cells(0, &before);
        cut_after(&copies, "a", reads);
        met += u32::from(fs::metadata(part(&copies, "a")).is_ok_and(|file| file.len() > 2000));
        copies.disk("A").write_cells(0, &after);
        clean(&copies.image("A", "a", None));
        clean(&copies.image("A", "fresh", None));
        let [one, two] = ["a", "fresh"].map(|name| fs::read(copies.image_path(name)).unwrap());
        assert!(one == two, "cut after {reads} reads: another image than a fresh look gives");
    }
    assert!(met > 1, "no cut left a part");
}

#[test]
fn a_part_of_another_job_or_disk_is_not_gone_on_with() {
    let copies = Copies::new(vec![full("A", SIZE), full("B", SIZE)]);
    let anew = |copies: &Copies, name: &str| {
        clean(&copies.image("A", name, None));
        assert_eq!(is_of_now(copies, name).copy.interruptions, [], "an account that is not this job's");
        assert!(part(copies, &format!("{name}.apart-1")).exists(), "{name}: what another job read is not lost");
    };
    // Other words.
    cut(&copies, "words", 6);
    let note = copies.images_dir().join("words.img.zst.part.job");
    let text = fs::read_to_string(&note).unwrap();
    fs::write(&note, text.replace("\"image\"", "\"keep\"")).unwrap();
    anew(&copies, "words");
    // Another stick's part of the same name, with its account.
    let other = Copies::new(vec![full("A", SIZE)]);
    cut(&other, "stick", 6);
    for ending in [".part", ".part.job"] {
        let name = format!("stick.img.zst{ending}");
        fs::copy(other.images_dir().join(&name), copies.images_dir().join(&name)).unwrap();
    }
    anew(&copies, "stick");
    // An account alone, and a part alone.
    cut(&copies, "alone", 6);
    fs::remove_file(copies.images_dir().join("alone.img.zst.part.job")).unwrap();
    anew(&copies, "alone");
    // Another disk's, and what is no image at all.
    cut(&copies, "disk", 6);
    let before = fs::read(part(&copies, "disk")).unwrap();
    let on_b = || {
        let orders = copies.sources(&["B"]).into_iter().map(|source| (source, copies.order("disk", None)));
        clean(&super::super::run::images(copies.job(Action::Image), orders.collect(), &mut Silent));
        assert!(unpacked(&copies.image_path("disk")) == cells(copies.disk("B"), SIZE));
        fs::remove_file(copies.image_path("disk")).unwrap();
        fs::remove_file(Manifest::path(&copies.image_path("disk"))).unwrap();
    };
    on_b();
    fs::write(part(&copies, "disk"), "somebody's letters").unwrap();
    on_b();
    let apart = |number: u32| fs::read(part(&copies, &format!("disk.apart-{number}"))).unwrap();
    assert!(apart(1) == before && apart(2) == b"somebody's letters");
    // Its own job finds it under the name it has now, and goes on with it.
    let job = copies.job(Action::Image);
    let found = job.unfinished(copies.images_dir(), &copies.disk("A").identity(), Purpose::Image);
    assert_eq!(found, Some(copies.image_path("disk.apart-1")));
    drop(job);
    clean(&copies.image("A", "disk.apart-1", None));
    assert_eq!(is_of_now(&copies, "disk.apart-1").copy.interruptions.len(), 1);
}

/// An image of what changed that was cut short, a part that is damaged in its middle, one whose header is gone: the next job of the
/// drive makes its image, whatever it is, and what cannot be told to be worth nothing is kept.
#[test]
fn nothing_that_was_cut_short_is_ever_in_the_way() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    clean(&copies.image("A", "base", None));
    copies.disk("A").write_cells(5 * MIB, b"changed");
    let reads = copies.disk("A").counts().reads;
    clean(&copies.image("A", "whole", Some("base")));
    let reads = copies.disk("A").counts().reads - reads;
    let break_off = || {
        copies.disk("A").break_it(|faults| {
            faults.from_now().power_cut_after = Some((reads - 2, PowerCut::KeepUnflushed));
        });
    };
    // Of the same command.
    break_off();
    assert!(!copies.image("A", "a", Some("base")).is_clean() && part(&copies, "a").exists());
    clean(&copies.image("A", "a", Some("base")));
    assert_eq!(fs::read(copies.image_path("a")).unwrap(), fs::read(copies.image_path("whole")).unwrap());
    assert_eq!(beside(&copies), Vec::<String>::new());
    // Of another one, and before a safety net.
    break_off();
    assert!(!copies.image("A", "b", Some("base")).is_clean() && part(&copies, "b").exists());
    clean(&copies.image("A", "c", None));
    kept(&copies, &["A"]).unwrap();
    // Damage that no power cut explains is far from the end: an image longer than what can be torn.
    cut(&copies, "d", 8);
    let bytes = fs::read(part(&copies, "d")).unwrap();
    fs::write(part(&copies, "d"), [&[0x55; 4096][..], &bytes[4096..]].concat()).unwrap();
    clean(&copies.image("A", "d", None));
    is_of_now(&copies, "d");
    assert_eq!(fs::read(part(&copies, "d.apart-1")).unwrap().len(), bytes.len());
}

/// What another job did not finish is neither adopted nor removed by a safety net of the same name.
#[test]
fn a_safety_net_adopts_no_unfinished_image_of_somebody_else() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    cut(&copies, "a", 6);
    let before = fs::read(part(&copies, "a")).unwrap();
    let order = super::super::image::Order { purpose: Purpose::Keep, ..copies.order("a", None) };
    let orders = copies.sources(&["A"]).into_iter().map(|source| (source, order.clone())).collect();
    clean(&super::super::run::images(copies.job(Action::Image), orders, &mut Silent));
    assert!(unpacked(&copies.image_path("a")) == cells(copies.disk("A"), SIZE));
    assert!(fs::read(part(&copies, "a.apart-1")).unwrap() == before);
    assert_eq!(copies.certificate("A").copy.interruptions, []);
}

/// An image, a power cut, new data, then a wipe that keeps an image first: the safety net holds the new data.
#[test]
fn a_safety_net_is_never_made_of_an_unfinished_image() {
    for after in CUTS {
        let copies = Copies::new(vec![full("A", SIZE)]);
        cut(&copies, "mine", after);
        let begun = part(&copies, "mine").exists();
        copies.disk("A").write_cells(5 * MIB, b"the new data");
        let kept = kept(&copies, &["A"]).unwrap().remove(0);
        assert!(unpacked(&kept.image) == cells(copies.disk("A"), SIZE));
        assert_eq!(copies.certificate("A").copy.interruptions, []);
        assert_eq!(part(&copies, "mine").exists(), begun, "somebody's image is left alone");
    }
}

#[test]
fn a_safety_net_that_was_cut_is_begun_anew_in_its_place() {
    for after in CUTS {
        let copies = Copies::new(vec![full("A", SIZE)]);
        let reads = survey(&copies) + after;
        copies.disk("A").break_it(|faults| {
            faults.from_now().power_cut_after = Some((reads, PowerCut::KeepUnflushed));
        });
        assert!(kept(&copies, &["A"]).is_err());
        let begun = !beside(&copies).is_empty();
        // Nothing that is stored differs: it is read in one go nevertheless.
        let reads = copies.disk("A").counts().reads;
        let kept = kept(&copies, &["A"]).unwrap().remove(0);
        assert!(copies.disk("A").counts().reads - reads >= SIZE / MIB);
        assert!(unpacked(&kept.image) == cells(copies.disk("A"), SIZE));
        assert_eq!(beside(&copies), Vec::<String>::new());
        assert_eq!(retain::list(copies.images_dir()).unwrap().len(), 1);
        let pauses = copies.certificate("A").copy.interruptions;
        assert_eq!(pauses.len(), usize::from(begun));
        assert!(pauses.iter().all(|pause| pause.detail.contains("begun anew")), "{pauses:?}");
    }
}

/// The machine stops in a restore, a clone and a comparison: all are begun again with the first block, and the certificate says so.
#[test]
fn other_copies_begin_again_and_say_how_often_they_were_interrupted() {
    for action in [Action::Restore, Action::Clone, Action::Verify] {
        let mut copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
        clean(&copies.image("A", "a", None));
        if action == Action::Verify {
            clean(&copies.restore("a", &["B"], Tail::Leave));
        }
        let run = |copies: &Copies| match action {
            Action::Restore => copies.restore("a", &["B"], Tail::Leave),
            Action::Clone => copies.clone("A", &["B"]),
            _ => copies.check("a", &["B"]),
        };
        for (stops, entries) in [(1, 3), (2, 2)] {
            // The log is cut behind the entries that say that the work began, or went on.
            copies.bench.medium.cut = Some((entries, u64::MAX));
            run(&copies);
            copies.bench.medium.cut = None;
            copies.disk("B").power_cut(PowerCut::KeepUnflushed);
            let (_, replay) = copies.bench.open_log().unwrap();
            let open = replay.unfinished().filter(|job| job.was_announced());
            assert_eq!(open.map(|job| job.action), Some(action), "{action:?}, stop {stops}");
        }
        fs::read_dir(copies.bench.folder()).unwrap().flatten().for_each(|entry| fs::remove_file(entry.path()).unwrap());
        clean(&run(&copies));
        let record = copies.certificate("B");
        assert_eq!(record.copy.interruptions.len(), 2, "{action:?}: {:?}", record.copy.interruptions);
        assert!(copies.bench.open_log().unwrap().1.unfinished().is_none());
        if action != Action::Verify {
            assert!(cells(copies.disk("B"), SIZE) == cells(copies.disk("A"), SIZE));
        }
    }
}

#[test]
fn only_a_part_of_this_job_is_found_again() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    let id = copies.disk("A").identity();
    let name = super::super::name::new("", &id, clock());
    let stem = name.trim_end_matches(".img.zst");
    cut(&copies, stem, 6);
    let job = copies.job(Action::Image);
    assert_eq!(job.unfinished(copies.images_dir(), &id, Purpose::Image), Some(copies.image_path(stem)));
    assert_eq!(job.unfinished(copies.images_dir(), &id, Purpose::Keep), None);
    let job = super::super::run::Job { request: [9; 32], ..job };
    assert_eq!(job.unfinished(copies.images_dir(), &id, Purpose::Image), None);
}

#[test]
fn an_image_that_another_job_is_writing_is_left_bit_for_bit_as_it_is() {
    let copies = Copies::new(vec![full("A", SIZE)]);
    cut(&copies, "a", 5);
    let before = fs::read(part(&copies, "a")).unwrap();
    let other = super::super::hold::hold(&copies.image_path("a")).unwrap();
    copies.disk("A").write_cells(0, b"another disk");
    let tally = copies.image("A", "a", None);
    assert!(!tally.is_clean());
    assert!(tally.settled[0].reason.contains("another job"), "{}", tally.settled[0].reason);
    assert!(fs::read(part(&copies, "a")).unwrap() == before && !copies.image_path("a").exists());
    drop(other);
    clean(&copies.image("A", "a", None));
    is_fresh(&copies, "a");
}
