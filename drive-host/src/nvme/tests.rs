//! The drive driven in process, by entries as a driver would queue them.

use super::*;
use std::fs;
use tempfile::NamedTempFile;

const SECTORS: usize = 4000;
const STAMP: u8 = 0x5e;
const LONG: Duration = Duration::from_secs(10);
/// Command dword 10 of SANITIZE: AUSE and an action; one pass for an overwrite.
const BLOCK: u32 = 0x0a;
const OVERWRITE: u32 = 0x1b;
const CRYPTO: u32 = 0x0c;

fn drive(more: &str) -> (NamedTempFile, NvmeDisk) {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), vec![STAMP; SECTORS * 512]).unwrap();
    let comma = if more.is_empty() { "" } else { "," };
    let disk = NvmeDisk::from_text(&format!("N1={}{comma}{more}", file.path().display())).unwrap();
    (file, disk)
}

fn entry(opcode: u8, nsid: u32, words: [u32; 3]) -> [u8; 64] {
    let mut entry = [0; 64];
    entry[0] = opcode;
    entry[4..8].copy_from_slice(&nsid.to_le_bytes());
    entry[40..52].chunks_mut(4).zip(words).for_each(|(at, word)| at.copy_from_slice(&word.to_le_bytes()));
    entry
}

fn page(drive: &mut NvmeDisk, opcode: u8, nsid: u32, word: u32) -> Result<Vec<u8>, Status> {
    let mut buf = vec![0; 4096];
    match drive.admin(&entry(opcode, nsid, [word, 0, 0]), DataPhase::In(&mut buf)) {
        0 => Ok(buf),
        status => Err(status),
    }
}

fn sanitize(drive: &mut NvmeDisk, word: u32, pattern: u32) -> Status {
    drive.admin(&entry(0x84, 0, [word, pattern, 0]), DataPhase::None)
}

fn format(drive: &mut NvmeDisk, nsid: u32, word: u32) -> Status {
    drive.admin(&entry(0x80, nsid, [word, 0, 0]), DataPhase::None)
}

/// SSTAT bits 2:0 and 8, SPROG, SCDW10.
fn log(drive: &mut NvmeDisk) -> (u8, u8, u16, u8) {
    let log = page(drive, 2, ALL_NAMESPACES, 0x007f_0081).unwrap();
    (log[2], log[3], u16::from_le_bytes([log[0], log[1]]), log[4])
}

fn read(drive: &mut NvmeDisk, nsid: u32, lba: u32) -> Result<u8, Status> {
    let mut buf = vec![0; 512];
    match drive.io(&entry(2, nsid, [lba, 0, 0]), DataPhase::In(&mut buf)) {
        0 => Ok(buf[0]),
        status => Err(status),
    }
}

fn all(file: &NamedTempFile, byte: u8) -> bool {
    fs::read(file.path()).unwrap().iter().all(|found| *found == byte)
}

fn is_noise(file: &NamedTempFile) -> bool {
    fs::read(file.path()).unwrap().chunks(512).all(|block| block.iter().any(|byte| *byte != block[0]))
}

#[test]
fn each_sanitize_does_to_all_cells_what_it_is_called() {
    for (like, word, pattern, left) in [
        ("", BLOCK, 0, Some(0)),
        ("erased-ones", BLOCK, 0, Some(0xff)),
        ("namespaces=2", OVERWRITE, 0xa5a5_a5a5, Some(0xa5)),
        ("", CRYPTO, 0, None),
    ] {
        let (file, mut drive) = drive(like);
        assert_eq!(log(&mut drive), (0, 0, 0xffff, 0));
        assert_eq!(sanitize(&mut drive, word, pattern), 0);
        drive.pass_time(Duration::from_secs(1));
        let (state, _, progress, of) = log(&mut drive);
        assert_eq!((state, u32::from(of), all(&file, STAMP)), (2, word, true));
        assert!((0x8000..0x9000).contains(&progress), "half of it: {progress:x}");
        assert_eq!((read(&mut drive, 1, 0), sanitize(&mut drive, word, 0)), (Err(0x1d), 0x1d));
        assert_eq!(format(&mut drive, 1, 1 << 9), 0x1d);
        drive.pass_time(LONG);
        assert_eq!(log(&mut drive), (1, 1, 0xffff, of));
        assert!(left.map_or_else(|| is_noise(&file), |byte| all(&file, byte)), "{like} {word:x}");
        assert_eq!(drive.io(&entry(1, 1, [7, 0, 0]), DataPhase::Out(&[1; 512])), 0);
        assert_eq!((log(&mut drive).1, read(&mut drive, 1, 7)), (0, Ok(1)));
    }
}

#[test]
fn power_that_goes_makes_it_begin_again_and_not_end() {
    let (file, mut drive) = drive("sanitize-seconds=8");
    assert_eq!(sanitize(&mut drive, BLOCK, 0), 0);
    drive.pass_time(Duration::from_secs(6));
    drive.power_cycle();
    drive.pass_time(Duration::from_secs(6));
    assert_eq!((log(&mut drive).0, all(&file, STAMP)), (2, true));
    drive.pass_time(Duration::from_secs(3));
    assert_eq!((log(&mut drive).0, all(&file, 0)), (1, true));
}

#[test]
fn a_failure_is_left_where_that_was_allowed_and_stays_in_the_log() {
    let (file, mut drive) = drive("sanitize-fails");
    assert_eq!(sanitize(&mut drive, 1, 0), 0, "nothing to leave");
    assert_eq!(sanitize(&mut drive, BLOCK, 0), 0);
    drive.pass_time(LONG);
    drive.power_cycle();
    assert_eq!((log(&mut drive).0, read(&mut drive, 1, 0)), (3, Err(0x1c)));
    assert_eq!((sanitize(&mut drive, 1, 0), log(&mut drive).0, read(&mut drive, 1, 0)), (0, 3, Ok(STAMP)));
    // Without AUSE.
    assert_eq!(sanitize(&mut drive, 2, 0), 0);
    drive.pass_time(LONG);
    assert_eq!((sanitize(&mut drive, 1, 0), sanitize(&mut drive, BLOCK, 0)), (0x1c, 0x1c));
    assert_eq!((read(&mut drive, 1, 0), sanitize(&mut drive, 2, 0)), (Err(0x1c), 0));
    assert!(all(&file, STAMP));
}

#[test]
fn a_format_reaches_what_it_says() {
    for (like, nsid, ses, reached) in [
        ("namespaces=2", 2, 1, [Some(STAMP), Some(0)]),
        ("namespaces=2,reaches-all", 2, 1, [Some(0), Some(0)]),
        ("namespaces=2", ALL_NAMESPACES, 1, [Some(0), Some(0)]),
        ("namespaces=2", 1, 2, [None, Some(STAMP)]),
        ("namespaces=2,format-erases-nothing", 1, 2, [Some(STAMP), Some(STAMP)]),
        ("namespaces=2", 1, 0, [Some(STAMP), Some(STAMP)]),
    ] {
        let (file, mut drive) = drive(like);
        assert_eq!(format(&mut drive, nsid, ses << 9), 0, "{like}");
        let cells = fs::read(file.path()).unwrap();
        for (half, left) in cells.chunks(SECTORS / 2 * 512).zip(reached) {
            let same = half.iter().all(|byte| *byte == half[0]).then_some(half[0]);
            assert_eq!(same, left, "{like} {nsid:x} {ses}");
        }
    }
}

#[test]
fn what_it_does_not_know_it_says_so_and_refuses() {
    let of = |like: &str, at: usize| page(&mut drive(like).1, 6, 0, 1).unwrap()[at];
    assert_eq!((of("", 328), of("no-overwrite", 328), of("no-crypto", 328), of("no-sanitize", 328)), (7, 3, 6, 0));
    assert_eq!((of("", 256), of("no-format", 256), of("", 524), of("no-crypto-format,reaches-all", 524)), (2, 0, 4, 3));
    for (like, word, status) in [
        ("no-sanitize", BLOCK, 1),
        ("no-overwrite", OVERWRITE, 2),
        ("no-crypto", CRYPTO, 2),
        ("", 0x11b, 2),
        ("", 8, 2),
    ] {
        assert_eq!(sanitize(&mut drive(like).1, word, 0), status, "{like}");
    }
    for (like, nsid, word, status) in [
        ("no-format", 1, 1 << 9, 1),
        ("no-crypto-format", 1, 2 << 9, 2),
        ("", 1, 3 << 9, 2),
        ("", 1, 1 << 9 | 1, 0x10a),
        ("", 2, 1 << 9, 0xb),
        ("", 0, 1 << 9, 0xb),
    ] {
        let (file, mut drive) = drive(like);
        assert_eq!((format(&mut drive, nsid, word), all(&file, STAMP)), (status, true), "{like} {word:x}");
    }
    let (_file, mut drive) = drive("namespaces=3");
    assert_eq!(page(&mut drive, 6, 0, 2).unwrap()[..16], [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((page(&mut drive, 6, 4, 0).unwrap()[..8].to_vec(), page(&mut drive, 6, 0, 0)), (vec![0; 8], Err(0xb)));
    assert_eq!(page(&mut drive, 6, 0, 0x10), Err(2));
    let (_other, mut detached) = self::drive("namespaces=2,detached");
    let mut first = |cns| page(&mut detached, 6, 0, cns).unwrap()[..8].to_vec();
    assert_eq!((first(2), first(0x10)), (vec![1, 0, 0, 0, 0, 0, 0, 0], vec![1, 0, 0, 0, 2, 0, 0, 0]));
    assert_eq!(read(&mut detached, 2, 0), Err(0xb));
    assert_eq!((page(&mut drive, 2, 0, 0x70), page(&mut drive, 9, 0, 0)), (Err(0x109), Err(1)));
    assert_eq!(
        (read(&mut drive, 1, 1332), read(&mut drive, 1, 1333), read(&mut drive, 4, 0)),
        (Ok(STAMP), Err(0x80), Err(0xb))
    );
    assert!(NvmeDisk::from_text("N1=/nowhere").is_err() && Options::parse("N1=x,foo").is_err());
}

#[test]
fn lies_are_told_as_they_are_named() {
    for (lie, at_once, after, of) in [
        ("sanitize-ignored", 0, 0, 0),
        ("sanitize-claimed", 1, 1, BLOCK),
        ("sanitize-forgotten,sanitize-erases-nothing", 2, 0, 0),
        ("sanitize-erases-nothing", 2, 1, BLOCK),
        ("sanitize-of-another,sanitize-erases-nothing", 2, 1, BLOCK | 1 << 9),
    ] {
        let (file, mut drive) = drive(lie);
        assert_eq!((sanitize(&mut drive, BLOCK, 0), log(&mut drive).0), (0, at_once), "{lie}");
        drive.pass_time(LONG);
        let log = page(&mut drive, 2, ALL_NAMESPACES, 0x007f_0081).unwrap();
        assert_eq!((log[2], u32::from(log[4]) | u32::from(log[5]) << 8), (after, of), "{lie}");
        assert!(all(&file, STAMP));
    }
    let (_file, mut drive) = drive("wrong-serial=N2,format-resizes");
    assert_eq!(page(&mut drive, 6, 0, 1).unwrap()[4..7], *b"N1 ");
    assert_eq!(
        (format(&mut drive, 1, 1 << 9), page(&mut drive, 6, 0, 1).unwrap()[4..7].to_vec()),
        (0, b"N2 ".to_vec())
    );
    assert_eq!(page(&mut drive, 6, 1, 0).unwrap()[..2], 2000_u16.to_le_bytes());
}

#[test]
fn health_is_told_in_kelvins() {
    let (_file, mut drive) = drive("temperature=41");
    let health = page(&mut drive, 2, ALL_NAMESPACES, 0x007f_0002).unwrap();
    let limits = page(&mut drive, 6, 0, 1).unwrap();
    assert_eq!((health[1..3].to_vec(), limits[266..270].to_vec()), (vec![0x3a, 1], vec![0x57, 1, 0x66, 1]));
}
