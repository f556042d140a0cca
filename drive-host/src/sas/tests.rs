//! The disk driven in process.

use super::*;
use std::fs;
use tempfile::NamedTempFile;

const SECTORS: usize = 4000;
const STAMP: u8 = 0x5e;
const LONG: Duration = Duration::from_secs(10);

fn disk(more: &str) -> (NamedTempFile, SasDisk) {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), vec![STAMP; SECTORS * 512]).unwrap();
    let comma = if more.is_empty() { "" } else { "," };
    let disk = SasDisk::from_text(&format!("S1={}{comma}{more}", file.path().display())).unwrap();
    (file, disk)
}

/// A command of up to 16 bytes that sends data.
fn ask(disk: &mut SasDisk, bytes: &[u8]) -> (Answer, Vec<u8>) {
    let mut buf = vec![0; 512];
    let answer = disk.execute(&cdb(bytes), DataPhase::In(&mut buf));
    buf.truncate(answer.transferred);
    (answer, buf)
}

fn cdb(bytes: &[u8]) -> [u8; 16] {
    let mut cdb = [0; 16];
    cdb[..bytes.len()].copy_from_slice(bytes);
    cdb
}

/// SANITIZE with IMMED and AUSE, and a pattern of four bytes for an overwrite; the sense key and codes.
fn sanitize(disk: &mut SasDisk, service: u8, list: &[u8]) -> Sense {
    let len = u8::try_from(list.len()).unwrap();
    let data = if list.is_empty() { DataPhase::None } else { DataPhase::Out(list) };
    codes(&disk.execute(&cdb(&[0x48, 0xa0 | service, 0, 0, 0, 0, 0, 0, len]), data))
}

fn codes(answer: &Answer) -> Sense {
    if answer.status == 0 { (0, 0, 0) } else { (answer.sense[2], answer.sense[12], answer.sense[13]) }
}

fn ready(disk: &mut SasDisk) -> Sense {
    codes(&disk.execute(&cdb(&[0]), DataPhase::None))
}

const ZEROS: &[u8] = &[1, 0, 0, 4, 0, 0, 0, 0];
const GOOD: Sense = (0, 0, 0);
const IN_PROGRESS: Sense = (2, 0x04, 0x1b);
const FAILED: Sense = (3, 0x31, 0x03);
const INVALID_FIELD: Sense = (5, 0x24, 0);

#[test]
fn each_operation_does_to_all_cells_what_it_is_called() {
    for (like, service, list, left) in [
        ("", 1, ZEROS, Some(0)),
        ("", 1, &[1, 0, 0, 1, 0xa5][..], Some(0xa5)),
        ("", 1, &[0x82, 0, 0, 1, 0xa5][..], Some(0x5a)),
        ("ssd", 2, &[], Some(0)),
        ("ssd", 3, &[], None),
    ] {
        let (file, mut disk) = disk(like);
        assert_eq!(sanitize(&mut disk, service, list), GOOD);
        assert_eq!(ready(&mut disk), IN_PROGRESS);
        assert_eq!(fs::read(file.path()).unwrap(), vec![STAMP; SECTORS * 512], "it takes its time");
        disk.pass_time(LONG);
        assert_eq!(ready(&mut disk), GOOD);
        let cells = fs::read(file.path()).unwrap();
        match left {
            Some(byte) => assert!(cells.iter().all(|found| *found == byte), "{like} {service}"),
            None => assert!(cells.chunks(512).all(|block| block.iter().any(|found| *found != block[0]))),
        }
    }
}

#[test]
fn progress_is_told_in_both_formats_and_the_medium_is_held() {
    let (_file, mut disk) = disk("sanitize-seconds=8");
    assert_eq!(ask(&mut disk, &[3, 1]).1, [0x72, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sanitize(&mut disk, 1, ZEROS), GOOD);
    disk.pass_time(Duration::from_secs(4));
    let fixed = ask(&mut disk, &[3]).1;
    assert_eq!((fixed[2], fixed[12], fixed[13], fixed[15]), (2, 0x04, 0x1b, 0x80));
    assert!((0x80..0x88).contains(&fixed[16]), "half of it: {:x}", fixed[16]);
    let descriptors = ask(&mut disk, &[3, 1]).1;
    assert_eq!((&descriptors[..4], descriptors[8], descriptors[12]), (&[0x72, 2, 0x04, 0x1b][..], 2, 0x80));
    for held in [&[0x28, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0x25], &[0x1a], &[0xb7], &[0x35]] {
        assert_eq!(codes(&ask(&mut disk, held).0), IN_PROGRESS, "{held:x?}");
    }
    for told in [&[0x12][..], &[0x4d, 0, 0x0d], &[0xa0], &[0xa3, 0x0c]] {
        assert_eq!(codes(&ask(&mut disk, told).0), GOOD, "{told:x?}");
    }
    assert_eq!(sanitize(&mut disk, 1, ZEROS), IN_PROGRESS, "one after the other");
}

#[test]
fn power_that_goes_makes_it_begin_again_and_not_end() {
    let (file, mut disk) = disk("sanitize-seconds=8");
    assert_eq!(sanitize(&mut disk, 1, ZEROS), GOOD);
    disk.pass_time(Duration::from_secs(6));
    disk.power_cycle();
    disk.pass_time(Duration::from_secs(6));
    assert_eq!(ready(&mut disk), IN_PROGRESS);
    disk.pass_time(Duration::from_secs(3));
    assert_eq!(ready(&mut disk), GOOD);
    assert!(fs::read(file.path()).unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn a_failure_stays_until_it_is_left_where_that_was_allowed() {
    let (file, mut disk) = disk("sanitize-fails");
    assert_eq!(sanitize(&mut disk, 1, ZEROS), GOOD);
    disk.pass_time(LONG);
    disk.power_cycle();
    assert_eq!((ready(&mut disk), codes(&ask(&mut disk, &[0x28, 0, 0, 0, 0, 0, 0, 0, 1]).0)), (FAILED, FAILED));
    assert_eq!((sanitize(&mut disk, 0x1f, &[]), ready(&mut disk)), (GOOD, GOOD));
    assert!(fs::read(file.path()).unwrap().iter().all(|byte| *byte == STAMP));
    // Without AUSE.
    disk.execute(&cdb(&[0x48, 0x80 | 1, 0, 0, 0, 0, 0, 0, 8]), DataPhase::Out(ZEROS));
    disk.pass_time(LONG);
    assert_eq!((sanitize(&mut disk, 0x1f, &[]), ready(&mut disk)), (INVALID_FIELD, FAILED));
}

#[test]
fn without_immed_the_answer_comes_at_the_end() {
    let (_file, mut disk) = disk("sanitize-seconds=8");
    let answer = disk.execute(&cdb(&[0x48, 1, 0, 0, 0, 0, 0, 0, 8]), DataPhase::Out(ZEROS));
    assert_eq!((answer.status, answer.pause), (0, crate::target::Pause::Busy(Duration::from_secs(8))));
}

#[test]
fn what_it_does_not_know_it_says_so_and_refuses() {
    for (like, known) in [("", [true, false, true]), ("ssd", [false, true, true]), ("no-sanitize", [false; 3])] {
        let (_file, mut disk) = disk(like);
        for (service, known) in (1..=3).zip(known) {
            let support = ask(&mut disk, &[0xa3, 0x0c, 2, 0x48, 0, service]).1;
            assert_eq!(support[1], if known { 3 } else { 1 }, "{like} {service}");
            let list = if service == 1 { ZEROS } else { &[] };
            assert_eq!(sanitize(&mut disk, service, list), if known { GOOD } else { INVALID_FIELD });
            disk.pass_time(LONG);
        }
    }
    let (_file, mut disk) = disk("");
    for (list, sense) in
        [(&[][..], 0x1a), (&[1, 0, 0, 4, 0][..], 0x1a), (&[0, 0, 0, 1, 0], 0x26), (&[1, 0, 0, 3, 0, 0, 0], 0x26)]
    {
        assert_eq!(sanitize(&mut disk, 1, list), (5, sense, 0), "{list:x?}");
    }
    assert_eq!(ready(&mut disk), GOOD);
    assert_eq!(ask(&mut disk, &[0xa3, 0x0c, 1, 0x93]).1[1], 1, "no WRITE SAME (16)");
    assert_eq!(ask(&mut disk, &[0xa3, 0x0c, 1, 0x28]).1[..4], [0, 3, 0, 10]);
}

#[test]
fn lies_are_told_as_they_are_named() {
    let (file, mut idle) = disk("idle-sanitize");
    assert_eq!((sanitize(&mut idle, 1, ZEROS), ready(&mut idle)), (GOOD, GOOD));
    assert!(fs::read(file.path()).unwrap().iter().all(|byte| *byte == STAMP));
    let (file, mut nothing) = disk("sanitize-erases-nothing");
    assert_eq!((sanitize(&mut nothing, 1, ZEROS), ready(&mut nothing)), (GOOD, IN_PROGRESS));
    nothing.pass_time(LONG);
    assert_eq!(ready(&mut nothing), GOOD);
    assert!(fs::read(file.path()).unwrap().iter().all(|byte| *byte == STAMP));
    let (_file, mut other) = disk("wrong-serial=S2");
    assert_eq!(ask(&mut other, &[0x12, 1, 0x80]).1[4..], *b"S1");
    assert_eq!(sanitize(&mut other, 1, ZEROS), GOOD);
    assert_eq!(ask(&mut other, &[0x12, 1, 0x80]).1[4..], *b"S2");
}

#[test]
fn health_is_told_by_pages() {
    let (_file, mut disk) = disk("failing,temperature=41,temperature-limit=55,grown=3");
    assert_eq!(ask(&mut disk, &[0x4d, 0, 0x4d]).1, [0x0d, 0, 0, 12, 0, 0, 3, 2, 0, 41, 0, 1, 3, 2, 0, 55]);
    assert_eq!(ask(&mut disk, &[0x4d, 0, 0x6f]).1[8..10], [0x5d, 0x10]);
    assert_eq!(codes(&ask(&mut disk, &[0x4d, 0, 0x51]).0), INVALID_FIELD);
    assert_eq!(ask(&mut disk, &[0xb7, 0x0b]).1[..8], [0, 0x0b, 0, 0, 0, 0, 0, 24]);
    assert_eq!(ask(&mut disk, &[0x1a, 0, 0x1c]).1[..6], [15, 0, 0, 0, 0x1c, 10]);
    assert_eq!(
        (ask(&mut disk, &[0x5a, 0, 0x3f]).1.len(), codes(&ask(&mut disk, &[0x1a, 0, 0x01]).0)),
        (40, INVALID_FIELD)
    );
    disk.set("temperature", 60).unwrap();
    assert_eq!(ask(&mut disk, &[0x4d, 0, 0x4d]).1[9], 60);
    assert!(disk.set("pending", 1).is_err());
}
