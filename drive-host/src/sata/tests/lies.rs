//! Lies and lacks that are words of their own.

use super::{
    super::{
        sanitize::SANITIZE,
        security::{DISABLE_PASSWORD, SET_PASSWORD},
    },
    *,
};

const BLOCK_ERASE: (u8, u8, u8, u64) = (SANITIZE, 0x12, 0, 0x426b_4572);
const COMPLETED: u16 = 1 << 15;
const RUNNING: u16 = 1 << 14;

fn status(disk: &mut SataDisk) -> u16 {
    order(disk, SANITIZE, 0, 0, 0).unwrap().0 & (COMPLETED | RUNNING)
}

fn erase(disk: &mut SataDisk) -> bool {
    order_with(disk, BLOCK_ERASE, DataPhase::None).is_ok()
}

#[test]
fn a_sanitize_command_is_ignored_forgotten_or_not_there() {
    let (file, mut ignoring) = disk("sanitize-ignored");
    assert!(erase(&mut ignoring));
    assert_eq!(status(&mut ignoring), 0);
    let (other, mut forgetting) = disk("sanitize-forgotten");
    assert!(erase(&mut forgetting));
    assert_eq!(status(&mut forgetting), RUNNING);
    forgetting.pass_time(Duration::from_secs(2));
    assert_eq!(status(&mut forgetting), 0);
    assert!(all(&cells(&file), STAMP) && all(&cells(&other), STAMP));
    let (file, mut without) = disk("no-block-erase");
    assert!(!erase(&mut without) && word(&mut without, 59) == 0x7800 && all(&cells(&file), STAMP));
    let (file, mut flash) = disk("erased-ones,sanitize-seconds=0");
    assert!(erase(&mut flash) && all(&cells(&file), 0xff));
}

#[test]
fn a_password_stays_though_its_removal_was_accepted() {
    let (_file, mut disk) = disk("password=x,disable-ignored");
    assert!(order_with(&mut disk, (DISABLE_PASSWORD, 0, 0, 0), DataPhase::Out(&[0; 512])).is_ok());
    assert_eq!(word(&mut disk, 128) & 2, 2);
}

#[test]
fn another_answers_after_the_first_change() {
    let name = |disk: &mut SataDisk| word(disk, 10).to_be_bytes();
    let changes: [fn(&mut SataDisk); 3] = [
        |disk| {
            order(disk, READ_NATIVE_MAX_EXT, 0, 0, 0).unwrap();
            order(disk, SET_MAX_EXT, 0, 1, 3999).unwrap();
        },
        |disk| assert!(order_with(disk, (SET_PASSWORD, 0, 0, 0), DataPhase::Out(&[0; 512])).is_ok()),
        |disk| assert!(erase(disk)),
    ];
    for change in changes {
        let (_file, mut disk) = disk("security,sanitize,hpa=600,exchanged=NOBODY");
        assert_eq!(name(&mut disk), *b"S1");
        change(&mut disk);
        assert_eq!(name(&mut disk), *b"NO");
    }
}

#[test]
fn a_bridge_returns_zeros_of_success_alone() {
    let (_file, mut disk) = disk("zero-registers");
    assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Ok((0, 0)));
    assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 1, 4000), Err(0));
}

#[test]
fn an_old_disk_lacks_48_bits_or_the_overlay() {
    let (_file, mut old) = disk("28-bit,hpa=600");
    assert_eq!((word(&mut old, 83) >> 10 & 9, word(&mut old, 60), word(&mut old, 100)), (0, 600, 0));
    assert_eq!(lba_of(&mut old, READ_NATIVE_MAX_EXT, 0, 0, 0), None);
    assert_eq!(lba_of(&mut old, READ_NATIVE_MAX, 0, 0, 0), Some(3999));
    let (_file, mut without) = disk("no-dco");
    assert_eq!(word(&mut without, 83) >> 11 & 1, 0);
    assert_eq!(lba_of(&mut without, CONFIGURATION, 0xc0, 0, 0), None);
}

#[test]
fn a_disk_states_what_it_has_not() {
    let (_file, mut disk) = disk("states=5");
    assert_eq!((shown(&mut disk), lba_of(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0)), (4000, Some(4)));
    let mut buf = [0; 512];
    order_with(&mut disk, (CONFIGURATION, 0xc2, 0, 0), DataPhase::In(&mut buf)).unwrap();
    assert_eq!(buf[6..14], [4, 0, 0, 0, 0, 0, 0, 0]);
}
