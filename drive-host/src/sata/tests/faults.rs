use super::{super::sanitize::SANITIZE, *};

fn read(disk: &mut SataDisk, lba: u64, sectors: usize) -> Answer {
    access(disk, lba, DataPhase::In(&mut vec![0; sectors * 512]))
}

/// Sense key, code and the sector that fixed-format sense data names.
fn at(answer: &Answer) -> (u8, u8, u32) {
    let s = &answer.sense;
    assert_eq!(s[0], 0xf0, "the sector is not given");
    (s[2], s[12], u32::from_be_bytes([s[3], s[4], s[5], s[6]]))
}

#[test]
fn a_bad_sector_is_remapped_by_a_write() {
    let (file, mut disk) = disk("smart,bad=10,bad=20");
    let answer = read(&mut disk, 8, 8);
    assert_eq!((at(&answer), answer.transferred), ((3, 0x11, 10), 1024));
    assert_eq!(read(&mut disk, 11, 9).status, 0);
    assert_eq!(disk.health.pending, 2);
    assert_eq!(access(&mut disk, 10, DataPhase::Out(&[7; 512])).status, 0);
    assert_eq!(read(&mut disk, 8, 8).status, 0);
    assert_eq!((disk.health.reallocated, disk.health.pending, disk.health.uncorrectable), (1, 1, 1));
    assert!(all(&cells(&file)[10 * 512..11 * 512], 7));
    disk.power_cycle();
    assert_eq!(at(&read(&mut disk, 0, 100)), (3, 0x11, 20));
}

#[test]
fn a_sector_that_cannot_be_written_stops_the_write_there() {
    let (file, mut disk) = disk("unwritable=10,bad=10");
    let answer = access(&mut disk, 8, DataPhase::Out(&[7; 4 * 512]));
    assert_eq!((at(&answer), answer.transferred), ((3, 0x0c, 10), 1024));
    let found = cells(&file);
    assert!(all(&found[8 * 512..10 * 512], 7) && all(&found[10 * 512..], STAMP));
    assert_eq!(read(&mut disk, 10, 1).status, 2);
}

#[test]
fn the_disk_s_own_erasure_leaves_no_bad_sector() {
    let (_file, mut disk) = disk("sanitize,bad=10,hpa=600");
    order(&mut disk, SANITIZE, 0x12, 0, 0x426b_4572).unwrap();
    disk.pass_time(Duration::from_secs(2));
    assert_eq!(read(&mut disk, 0, 100).status, 0);
}

#[test]
fn beyond_the_end_nothing_is_read_or_written() {
    let (file, mut disk) = disk("hpa=600");
    assert_eq!(read(&mut disk, 600, 1).sense[12], 0x21);
    assert_eq!(access(&mut disk, 599, DataPhase::Out(&[7; 1024])).sense[12], 0x21);
    assert!(all(&cells(&file), STAMP));
}

#[test]
fn a_command_that_hangs_says_for_how_long_and_works_after_a_reset() {
    let (_file, mut disk) = disk("hangs=e7");
    let cdb = [0x85, 6, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0xe7, 0];
    let answer = disk.execute(&cdb, DataPhase::None);
    assert_eq!((answer.status, answer.pause), (2, Pause::Hung(HANG)));
    assert!(order(&mut disk, 0xea, 0, 0, 0).is_ok());
    disk.recover();
    assert!(order(&mut disk, 0xe7, 0, 0, 0).is_ok());
    disk.power_cycle();
    assert!(order(&mut disk, 0xe7, 0, 0, 0).is_err());
}

#[test]
fn an_erasure_can_cost_the_name_and_the_capacity() {
    let (_file, mut disk) = disk("sanitize,wrong-serial=NOBODY,capacity-zero-after-erase");
    let name = |disk: &mut SataDisk| word(disk, 10).to_be_bytes();
    assert_eq!((name(&mut disk), shown(&mut disk)), (*b"S1", 4000));
    order(&mut disk, SANITIZE, 0x12, 0, 0x426b_4572).unwrap();
    disk.pass_time(Duration::from_secs(2));
    assert_eq!((name(&mut disk), word(&mut disk, 60)), (*b"NO", 0));
    let mut capacity = [0; 16];
    capacity[0] = 0x25;
    assert_eq!(disk.execute(&capacity, DataPhase::In(&mut [0; 8])).sense[2], 3);
    assert_eq!(read(&mut disk, 0, 1).status, 2);
    disk.power_cycle();
    assert_eq!((name(&mut disk), shown(&mut disk)), (*b"NO", 4000));
}

#[test]
fn a_bridge_loses_the_registers() {
    let cdb = [0x85, 6, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0xe5, 0];
    let (_file, mut bare) = disk("no-registers");
    let answer = bare.execute(&cdb, DataPhase::None);
    assert_eq!((answer.status, answer.sense[0], answer.sense.len(), answer.sense[13]), (2, 0x70, 18, 0x1d));
    let (_file, mut good) = disk("no-registers=good");
    assert_eq!(good.execute(&cdb, DataPhase::None).status, 0);
    let refused = [0x85, 6, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0xf5, 0];
    assert_eq!(good.execute(&refused, DataPhase::None).sense[2], 0xb);
}

#[test]
fn only_an_ssd_trims_and_does_not_rotate() {
    let trim = |disk: &mut SataDisk, count| {
        let mut ranges = [0; 512];
        (ranges[0], ranges[6]) = (5, count);
        order_with(disk, (0x06, 1, 1, 0), DataPhase::Out(&ranges)).is_ok()
    };
    let (file, mut ssd) = disk("ssd");
    assert_eq!((word(&mut ssd, 217), word(&mut ssd, 169)), (1, 1));
    assert!(trim(&mut ssd, 3));
    let found = cells(&file);
    assert!(all(&found[5 * 512..8 * 512], 0) && all(&found[8 * 512..], STAMP));
    let (_file, mut disk) = disk("");
    assert_eq!((word(&mut disk, 217), word(&mut disk, 169)), (7200, 0));
    assert!(!trim(&mut disk, 3));
}
