use super::{super::sanitize::SANITIZE, *};

/// FEATURES and key of the three that erase.
const CRYPTO: (u8, u64) = (0x11, 0x4372_7970);
const BLOCK: (u8, u64) = (0x12, 0x426b_4572);
const OVERWRITE: (u8, u64) = (0x14, 0x4f57_1234_5678);
const COMPLETED: u16 = 1 << 15;
const RUNNING: u16 = 1 << 14;
const FROZEN: u16 = 1 << 13;
const CLEARABLE: u8 = 1 << 4;
const INVERT: u8 = 1 << 7;
const LONG: Duration = Duration::from_secs(100);

fn start(disk: &mut SataDisk, (features, key): (u8, u64), count: u8) -> Result<(u16, u64), u64> {
    order(disk, SANITIZE, features, count, key)
}

fn status(disk: &mut SataDisk) -> Result<(u16, u64), u64> {
    order(disk, SANITIZE, 0, 0, 0)
}

fn read(disk: &mut SataDisk) -> u8 {
    access(disk, 0, DataPhase::In(&mut [0; 512])).status
}

/// What an operation that is given all its time leaves in the cells.
fn leaves(words: &str, action: (u8, u64), count: u8) -> Vec<u8> {
    let (file, mut disk) = disk(words);
    start(&mut disk, action, count).unwrap();
    disk.pass_time(LONG);
    assert_eq!(status(&mut disk), Ok((COMPLETED, 0xffff)));
    cells(&file)
}

#[test]
fn each_operation_reaches_every_cell() {
    let words = "sanitize,hpa=600,dco=800";
    assert!(all(&leaves(words, BLOCK, 0), 0));
    for (count, expected) in [
        (1, 0x1234_5678_u32),
        (2, 0x1234_5678),
        (INVERT | 1, 0x1234_5678),
        (INVERT | 2, !0x1234_5678),
        (INVERT, !0x1234_5678),
    ] {
        let found = leaves(words, OVERWRITE, count);
        assert!(found.chunks(4).all(|four| four == expected.to_le_bytes()), "{count:#x}");
    }
    let noise = leaves(words, CRYPTO, 0);
    let ones: u32 = noise.iter().map(|byte| byte.count_ones()).sum();
    let bits = u32::try_from(noise.len() * 8).unwrap();
    assert!(ones.abs_diff(bits / 2) < bits / 1000, "{ones} of {bits} bits are set");
    assert!(noise[..512] != noise[799 * 512..800 * 512], "the noise repeats itself");
}

#[test]
fn it_runs_over_power_cycles_and_keeps_the_medium_to_itself() {
    let (file, mut disk) = disk("sanitize,sanitize-seconds=100");
    assert_eq!(status(&mut disk), Ok((0, 0xffff)));
    let (count, _) = start(&mut disk, BLOCK, 0).unwrap();
    assert_eq!(count, RUNNING);
    disk.pass_time(Duration::from_secs(50));
    let (count, progress) = status(&mut disk).unwrap();
    assert_eq!(count, RUNNING);
    assert!((0x8000..0x8200).contains(&progress), "{progress:#x}");
    assert_eq!(read(&mut disk), 2);
    assert_eq!(start(&mut disk, BLOCK, 0), Err(0), "one is running");
    assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Err(0));
    word(&mut disk, 59);
    disk.power_cycle();
    let (count, progress) = status(&mut disk).unwrap();
    assert!(count == RUNNING && progress < 0x200, "it starts again: {progress:#x}");
    disk.pass_time(Duration::from_secs(99));
    assert!(all(&cells(&file), STAMP));
    disk.pass_time(Duration::from_secs(1));
    assert_eq!(status(&mut disk), Ok((COMPLETED, 0xffff)));
    assert!(all(&cells(&file), 0));
    assert_eq!(read(&mut disk), 0);
    disk.power_cycle();
    assert_eq!(status(&mut disk), Ok((COMPLETED, 0xffff)));
}

#[test]
fn a_wrong_key_or_a_disk_that_is_frozen_or_locked_refuses() {
    let (file, mut disk) = disk("sanitize,password=key");
    for (features, key) in [CRYPTO, BLOCK, OVERWRITE] {
        assert_eq!(start(&mut disk, (features, key ^ 1 << 33), 0), Err(0));
    }
    assert_eq!(start(&mut disk, (0x13, 0), 0), Err(2), "no such operation");
    assert_eq!(order(&mut disk, SANITIZE, 0x20, 0, 0), Err(0));
    assert_eq!(order(&mut disk, SANITIZE, 0x20, 0, 0x4672_4c6b), Ok((0, 0)));
    assert_eq!(status(&mut disk), Ok((FROZEN, 0xffff)));
    assert_eq!(start(&mut disk, BLOCK, 0), Err(3));
    disk.power_cycle();
    assert_eq!(start(&mut disk, BLOCK, 0), Err(0), "locked with its password");
    disk.pass_time(LONG);
    assert!(all(&cells(&file), STAMP));
}

#[test]
fn a_failure_is_left_where_the_command_allowed_it_or_by_a_success() {
    let (file, mut disk) = disk("sanitize-fails");
    start(&mut disk, BLOCK, 0).unwrap();
    disk.pass_time(LONG);
    assert_eq!(status(&mut disk), Err(1));
    assert_eq!(order(&mut disk, SANITIZE, 0, 1, 0), Err(1), "not allowed");
    assert_eq!(read(&mut disk), 2);
    disk.power_cycle();
    assert_eq!(status(&mut disk), Err(1));
    start(&mut disk, BLOCK, CLEARABLE).unwrap();
    disk.pass_time(LONG);
    assert_eq!(status(&mut disk), Err(1));
    assert_eq!(order(&mut disk, SANITIZE, 0, 1, 0), Ok((0, 0xffff)));
    assert_eq!(read(&mut disk), 0);
    assert!(all(&cells(&file), STAMP));
}

#[test]
fn lies_about_sanitizing_show_in_the_cells() {
    let (file, mut idle) = disk("idle-sanitize");
    assert_eq!(status(&mut idle), Ok((COMPLETED, 0xffff)));
    assert_eq!(start(&mut idle, BLOCK, 0), Ok((COMPLETED, 0xffff)));
    idle.pass_time(LONG);
    assert_eq!(status(&mut idle), Ok((COMPLETED, 0xffff)));
    assert!(all(&cells(&file), STAMP));
    assert!(all(&leaves("sanitize-erases-nothing", CRYPTO, 0), STAMP));
}

#[test]
fn identify_says_what_there_is() {
    let (_file, mut with) = disk("sanitize");
    assert_eq!(word(&mut with, 59), 0xf800);
    let (_file, mut without) = disk("");
    assert_eq!((word(&mut without, 59), status(&mut without)), (0, Err(0)));
}
