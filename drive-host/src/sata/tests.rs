//! The disk's limits.

use super::*;

fn disk(more: &str) -> (tempfile::NamedTempFile, SataDisk) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1000 * 512).unwrap();
    let text = format!("S1={}{more}", file.path().display());
    let disk = SataDisk::from_text(&text).unwrap();
    (file, disk)
}

/// A 48-bit command without data that wants its registers; LBA, or nothing where it was aborted.
fn order(disk: &mut SataDisk, command: u8, features: u8, count: u8, lba: u64) -> Option<u64> {
    let l = lba.to_le_bytes();
    let cdb = [0x85, 7, 0x20, 0, features, 0, count, l[3], l[0], l[4], l[1], l[5], l[2], 0x40, command, 0];
    let answer = disk.execute(&cdb, DataPhase::None);
    let s = answer.sense;
    (s[21] & 1 == 0).then(|| u64::from_le_bytes([s[15], s[17], s[19], s[14], s[16], s[18], 0, 0]))
}

fn shown(disk: &mut SataDisk) -> u32 {
    let mut buf = [0; 8];
    let mut cdb = [0; 16];
    cdb[0] = 0x25;
    disk.execute(&cdb, DataPhase::In(&mut buf));
    u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]) + 1
}

#[test]
fn what_hides_sectors_is_lifted_in_order_and_once_in_a_power_cycle() {
    let (_file, mut disk) = disk(",hpa=600,dco=800");
    assert_eq!(shown(&mut disk), 600);
    assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 1, 799), None, "READ NATIVE MAX comes right before");
    assert_eq!(order(&mut disk, CONFIGURATION, 0xc0, 0, 0), None, "not while a Host Protected Area is set");
    assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(799));
    assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 1, 799), Some(799));
    assert_eq!(shown(&mut disk), 800);
    assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(799));
    assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 1, 699), None, "once in a power cycle");
    assert_eq!(order(&mut disk, CONFIGURATION, 0xc0, 0, 0), Some(0));
    assert_eq!(shown(&mut disk), 1000);
    disk.power_cycle();
    assert_eq!(shown(&mut disk), 1000);
}

#[test]
fn a_limit_for_now_is_gone_after_the_next_power_on() {
    let (_file, mut disk) = disk("");
    assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(999));
    assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 0, 499), Some(499));
    assert_eq!(shown(&mut disk), 500);
    disk.power_cycle();
    assert_eq!(shown(&mut disk), 1000);
    assert!(SataDisk::from_text("S=/nonexistent").is_err());
}

/// A 28-bit command with a sector of data; whether it was taken.
fn send(disk: &mut SataDisk, command: u8, password: &[u8], control: u8) -> bool {
    let mut sector = [0; 512];
    sector[0] = control;
    sector[2..2 + password.len()].copy_from_slice(password);
    let cdb = [0x85, 5 << 1, 0x06, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, command, 0];
    disk.execute(&cdb, DataPhase::Out(&sector)).status == 0
}

fn read(disk: &mut SataDisk, lba: u8) -> Result<Vec<u8>, (u8, u8)> {
    let mut buf = vec![0; 512];
    let mut cdb = [0; 16];
    (cdb[0], cdb[5], cdb[8]) = (0x28, lba, 1);
    let answer = disk.execute(&cdb, DataPhase::In(&mut buf));
    if answer.status == 0 { Ok(buf) } else { Err((answer.sense[2], answer.sense[12])) }
}

fn word(disk: &SataDisk, at: usize) -> u16 {
    let page = disk.identify();
    u16::from_le_bytes([page[2 * at], page[2 * at + 1]])
}

#[test]
fn a_password_locks_at_power_on_and_an_erase_takes_it_away() {
    let (_file, mut disk) = disk(",security,enhanced");
    disk.disk.fill(0..1000, &mut |_, sector| sector.fill(7));
    assert_eq!(word(&disk, 128), 0x21);
    assert!(send(&mut disk, 0xf1, b"mine", 0));
    disk.power_cycle();
    assert_eq!((word(&disk, 128), read(&mut disk, 3)), (0x27, Err((0xb, 0x74))));
    assert!(!send(&mut disk, 0xf2, b"wrong", 0) && !send(&mut disk, 0xf4, b"mine", 2), "not prepared");
    assert!(order(&mut disk, 0xf3, 0, 0, 0).is_some());
    assert!(order(&mut disk, 0xe5, 0, 0, 0).is_some());
    assert!(!send(&mut disk, 0xf4, b"mine", 2), "another command came between");
    assert!(order(&mut disk, 0xf3, 0, 0, 0).is_some() && send(&mut disk, 0xf4, b"mine", 2));
    assert_eq!((word(&disk, 128), read(&mut disk, 3).unwrap()), (0x21, vec![0xa5; 512]));
}

#[test]
fn five_wrong_passwords_are_enough_and_a_freeze_ends_with_the_supply() {
    let (_file, mut disk) = disk(",locked=theirs,frozen");
    assert!(!send(&mut disk, 0xf2, b"theirs", 0), "frozen");
    disk.power_cycle();
    for _ in 0..5 {
        assert!(!send(&mut disk, 0xf2, b"wrong", 0));
    }
    assert_eq!(word(&disk, 128) & 0x10, 0x10);
    assert!(!send(&mut disk, 0xf2, b"theirs", 0));
    disk.power_cycle();
    assert!(send(&mut disk, 0xf2, b"theirs", 0) && send(&mut disk, 0xf6, b"theirs", 0));
    assert_eq!(word(&disk, 128), 1);
}

#[test]
fn a_sanitize_operation_shows_its_progress_and_outlives_the_supply() {
    let (_file, mut disk) = disk(",sanitize,sanitize-seconds=1,hpa=600");
    disk.disk.fill(0..1000, &mut |_, sector| sector.fill(7));
    assert_eq!(order(&mut disk, 0xb4, 0x11, 0, 0x4372_7971), None, "the key is wrong");
    assert!(order(&mut disk, 0xb4, 0x14, 1, 0x4f57_1234_5678).is_some());
    assert_eq!(read(&mut disk, 3), Err((2, 4)));
    assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), None);
    disk.power_cycle();
    while disk.sanitize.as_ref().unwrap().is_busy() {
        assert!(order(&mut disk, 0xb4, 0, 0, 0).is_some());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(read(&mut disk, 3).unwrap(), [0x12, 0x34, 0x56, 0x78].repeat(128));
    disk.show(1000);
    let mut last = [0; 512];
    let mut cdb = [0; 16];
    (cdb[0], cdb[4], cdb[5], cdb[8]) = (0x28, 3, 0xe7, 1);
    disk.execute(&cdb, DataPhase::In(&mut last));
    assert_eq!(last[..4], [0x12, 0x34, 0x56, 0x78], "sector 999 was hidden");
}

#[test]
fn bad_sectors_are_replaced_when_they_are_written() {
    let (_file, mut disk) = disk(",smart,bad=3,pending=1");
    assert_eq!(read(&mut disk, 3), Err((3, 0x11)));
    let mut cdb = [0; 16];
    (cdb[0], cdb[5], cdb[8]) = (0x2a, 3, 1);
    assert_eq!(disk.execute(&cdb, DataPhase::Out(&[1; 512])).status, 0);
    assert_eq!(read(&mut disk, 3).unwrap(), [1; 512]);
    let smart = disk.smart.as_ref().unwrap();
    assert_eq!((smart.reallocated, smart.pending), (1, 0));
}

#[test]
fn what_is_no_word_of_a_disk_is_refused() {
    for word in [",colour=3", ",lie", ",hpa=x", ",dco=2000"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1000 * 512).unwrap();
        assert!(SataDisk::from_text(&format!("S={}{word}", file.path().display())).is_err(), "{word}");
    }
}
