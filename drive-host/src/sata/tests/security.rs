use super::{
    super::security::{DISABLE_PASSWORD, ERASE_PREPARE, ERASE_UNIT, FREEZE_LOCK, SET_PASSWORD, SKIPPED, UNLOCK},
    *,
};

/// Bits of word 128.
const ENABLED: u16 = 1 << 1;
const LOCKED: u16 = 1 << 2;
const FROZEN: u16 = 1 << 3;
const EXPIRED: u16 = 1 << 4;
const MAXIMUM: u16 = 1 << 8;
/// Word 0 of the data.
const USER: u16 = 0;
const MASTER: u16 = 1;
const ENHANCED: u16 = 2;
const LEVEL_MAXIMUM: u16 = 0x100;

/// A command with a password; whether it was taken.
fn with(disk: &mut SataDisk, command: u8, flags: u16, password: &str) -> bool {
    let mut block = [0; 512];
    block[..2].copy_from_slice(&flags.to_le_bytes());
    block[2..2 + password.len()].copy_from_slice(password.as_bytes());
    order_with(disk, (command, 0, 1, 0), DataPhase::Out(&block)).is_ok()
}

fn plain(disk: &mut SataDisk, command: u8) -> bool {
    order(disk, command, 0, 0, 0).is_ok()
}

fn erase(disk: &mut SataDisk, flags: u16, password: &str) -> bool {
    plain(disk, ERASE_PREPARE) && with(disk, ERASE_UNIT, flags, password)
}

fn state(disk: &mut SataDisk) -> u16 {
    word(disk, 128) & (ENABLED | LOCKED | FROZEN | EXPIRED | MAXIMUM)
}

fn readable(disk: &mut SataDisk) -> bool {
    access(disk, 0, DataPhase::In(&mut [0; 512])).status == 0
}

#[test]
fn a_password_locks_the_disk_at_its_next_power_on() {
    let (file, mut disk) = disk("security");
    assert_eq!((state(&mut disk), word(&mut disk, 82) & 2, word(&mut disk, 85) & 2), (0, 2, 0));
    assert!(with(&mut disk, SET_PASSWORD, USER, "key"));
    assert_eq!((state(&mut disk), word(&mut disk, 85) & 2), (ENABLED, 2));
    assert!(readable(&mut disk), "not locked yet");
    disk.power_cycle();
    assert_eq!(state(&mut disk), ENABLED | LOCKED);
    assert!(!readable(&mut disk));
    assert_eq!(access(&mut disk, 0, DataPhase::Out(&[1; 512])).sense[2], 0xb);
    assert!(all(&cells(&file), STAMP), "a locked disk was written");
    for command in [SET_PASSWORD, DISABLE_PASSWORD] {
        assert!(!with(&mut disk, command, USER, "key"), "{command:#x} of a locked disk");
    }
    assert!(!plain(&mut disk, FREEZE_LOCK));
    assert!(with(&mut disk, UNLOCK, USER, "key"));
    assert!(readable(&mut disk));
    assert!(!with(&mut disk, DISABLE_PASSWORD, USER, "other"));
    assert!(with(&mut disk, DISABLE_PASSWORD, USER, "key"));
    assert_eq!(state(&mut disk), 0);
}

#[test]
fn five_wrong_passwords_are_enough_until_the_next_power_on() {
    let (_file, mut disk) = disk("locked=key");
    assert_eq!(state(&mut disk), ENABLED | LOCKED);
    for _ in 0..5 {
        assert!(!with(&mut disk, UNLOCK, USER, "wrong"));
    }
    assert_eq!(state(&mut disk), ENABLED | LOCKED | EXPIRED);
    assert!(!with(&mut disk, UNLOCK, USER, "key"));
    assert!(!erase(&mut disk, USER, "key"));
    disk.power_cycle();
    assert!(with(&mut disk, UNLOCK, USER, "key"));
}

#[test]
fn a_master_password_opens_at_level_high_and_only_erases_at_level_maximum() {
    let (file, mut disk) = disk("security");
    assert!(with(&mut disk, SET_PASSWORD, MASTER, "master"));
    assert!(with(&mut disk, SET_PASSWORD, USER, "key"));
    disk.power_cycle();
    assert!(with(&mut disk, UNLOCK, MASTER, "master"));
    assert!(with(&mut disk, SET_PASSWORD, USER | LEVEL_MAXIMUM, "key"));
    assert!(!with(&mut disk, DISABLE_PASSWORD, MASTER, "master"));
    disk.power_cycle();
    assert_eq!(state(&mut disk), ENABLED | LOCKED | MAXIMUM);
    assert!(!with(&mut disk, UNLOCK, MASTER, "master"));
    assert!(erase(&mut disk, MASTER, "master"));
    assert_eq!(state(&mut disk), 0);
    assert!(all(&cells(&file), 0));
}

#[test]
fn an_erase_is_prepared_right_before() {
    let (file, mut disk) = disk("password=key");
    assert!(!with(&mut disk, ERASE_UNIT, USER, "key"), "not prepared");
    assert!(plain(&mut disk, ERASE_PREPARE));
    assert!(readable(&mut disk));
    assert!(!with(&mut disk, ERASE_UNIT, USER, "key"), "a read came between");
    assert!(plain(&mut disk, ERASE_PREPARE));
    word(&mut disk, 0);
    assert!(!with(&mut disk, ERASE_UNIT, USER, "key"), "IDENTIFY came between");
    assert!(all(&cells(&file), STAMP));
    assert!(!erase(&mut disk, USER, "wrong"));
    assert!(erase(&mut disk, USER, "key"));
    assert!(all(&cells(&file), 0));
    assert_eq!(state(&mut disk), 0);
}

#[test]
fn the_normal_erase_ends_at_the_native_size_and_the_enhanced_one_reaches_every_cell() {
    let (file, mut disk) = disk("password=key,enhanced,hpa=1000,dco=3000");
    assert_eq!((word(&mut disk, 89), word(&mut disk, 90)), (1, 1));
    assert!(erase(&mut disk, USER, "key"));
    let found = cells(&file);
    assert!(all(&found[..3000 * 512], 0) && all(&found[3000 * 512..], STAMP));
    assert!(with(&mut disk, SET_PASSWORD, USER, "key"));
    assert!(erase(&mut disk, USER | ENHANCED, "key"));
    assert!(all(&cells(&file), 0xa5));
    let (_file, mut without) = super::disk("password=key");
    assert!(!erase(&mut without, USER | ENHANCED, "key"), "no enhanced erase");
}

#[test]
fn the_firmware_freezes_a_disk_that_it_sees_start_and_replugging_helps() {
    let (file, mut disk) = disk("security,frozen");
    assert_eq!(state(&mut disk), FROZEN);
    assert!(!with(&mut disk, SET_PASSWORD, USER, "key"));
    assert!(!plain(&mut disk, ERASE_PREPARE));
    disk.power_cycle();
    assert_eq!(state(&mut disk), 0);
    assert!(with(&mut disk, SET_PASSWORD, USER, "key"));
    assert!(plain(&mut disk, FREEZE_LOCK));
    assert_eq!(state(&mut disk), ENABLED | FROZEN);
    assert!(!erase(&mut disk, USER, "key"));
    assert!(all(&cells(&file), STAMP));
}

#[test]
fn an_erase_takes_its_time_and_one_cut_short_leaves_the_disk_locked() {
    let (file, mut disk) = disk("password=key,erase-seconds=100");
    assert!(plain(&mut disk, ERASE_PREPARE));
    let mut block = [0; 512];
    block[2..5].copy_from_slice(b"key");
    let cdb = [0x85, 0x0a, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xa0, ERASE_UNIT, 0];
    let answer = disk.execute(&cdb, DataPhase::Out(&block));
    assert_eq!((answer.status, answer.pause), (0, Pause::Busy(Duration::from_secs(100))));
    assert!(all(&cells(&file), STAMP));
    disk.pass_time(Duration::from_secs(50));
    disk.power_cycle();
    assert_eq!(state(&mut disk), ENABLED | LOCKED);
    let found = cells(&file);
    assert!(all(&found[..1999 * 512], 0) && all(&found[2100 * 512..], STAMP));
    assert!(with(&mut disk, UNLOCK, USER, "key"));
    assert!(erase(&mut disk, USER, "key"));
    disk.pass_time(Duration::from_secs(100));
    assert!(all(&cells(&file), 0));
    assert_eq!(state(&mut disk), 0);
}

#[test]
fn a_locked_disk_keeps_its_limits() {
    let (_file, mut disk) = disk("locked=key,hpa=600");
    lba_of(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0);
    assert_eq!(lba_of(&mut disk, SET_MAX_EXT, 0, 1, 3999), None);
}

#[test]
fn lies_about_erasing_show_in_the_cells_alone() {
    let (file, mut nothing) = disk("password=key,erase-erases-nothing");
    assert!(erase(&mut nothing, USER, "key"));
    assert_eq!(state(&mut nothing), 0);
    assert!(all(&cells(&file), STAMP));
    let (file, mut skips) = disk("password=key,enhanced,erase-skips-hidden");
    assert!(erase(&mut skips, USER | ENHANCED, "key"));
    let (found, left) = (cells(&file), usize::try_from(SECTORS - SKIPPED).unwrap() * 512);
    assert!(all(&found[..left], 0xa5) && all(&found[left..], STAMP));
}

#[test]
fn lies_about_passwords_and_the_freeze_show_in_identify() {
    let (_file, mut thawed) = disk("security,freeze-accepted");
    assert!(plain(&mut thawed, FREEZE_LOCK));
    assert_eq!(state(&mut thawed), 0);
    let (_file, mut ignores) = disk("password-ignored");
    assert!(with(&mut ignores, SET_PASSWORD, USER, "key"));
    assert_eq!(state(&mut ignores), 0);
    let (file, mut keeps) = disk("password=key,password-stays");
    assert!(erase(&mut keeps, USER, "key"));
    assert!(all(&cells(&file), 0));
    assert_eq!(state(&mut keeps), ENABLED);
}

#[test]
fn without_the_feature_set_there_are_no_such_commands() {
    let (_file, mut disk) = disk("");
    assert_eq!(word(&mut disk, 128), 0);
    assert!(!with(&mut disk, SET_PASSWORD, USER, "key"));
    assert!(!plain(&mut disk, FREEZE_LOCK));
}
