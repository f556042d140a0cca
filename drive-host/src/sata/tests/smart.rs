use super::{super::smart::SMART, *};

fn sector(disk: &mut SataDisk, feature: u8) -> [u8; 512] {
    let mut buf = [0; 512];
    order_with(disk, (SMART, feature, 1, 0xc2_4f00), DataPhase::In(&mut buf)).unwrap();
    assert_eq!(buf.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)), 0, "the checksum is wrong");
    buf
}

/// The raw value of an attribute, its low 16 bits.
fn raw(disk: &mut SataDisk, id: u8) -> u16 {
    let data = sector(disk, 0xd0);
    let row = data[2..362].chunks(12).find(|row| row[0] == id).unwrap();
    u16::from_le_bytes([row[5], row[6]])
}

fn status(disk: &mut SataDisk) -> Option<u64> {
    lba_of(disk, SMART, 0xda, 0, 0xc2_4f00).map(|lba| lba >> 8)
}

#[test]
fn attributes_are_as_given_and_change_while_it_runs() {
    let (_file, mut disk) = disk("smart,temperature=41,reallocated=3,pending=2");
    assert_eq!((word(&mut disk, 82) & 1, word(&mut disk, 85) & 1), (1, 1));
    for (id, expected) in [(194, 41), (5, 3), (196, 3), (197, 2), (198, 2), (199, 0), (12, 1)] {
        assert_eq!(raw(&mut disk, id), expected, "attribute {id}");
    }
    disk.set("temperature", 61).unwrap();
    disk.set("reallocated", 7).unwrap();
    assert_eq!((raw(&mut disk, 194), raw(&mut disk, 5)), (61, 7));
    assert!(disk.set("colour", 1).is_err());
    disk.power_cycle();
    assert_eq!(raw(&mut disk, 12), 2);
    assert_eq!(status(&mut disk), Some(0xc24f));
    assert!(order(&mut disk, SMART, 0xd8, 0, 0xc2_4f00).is_ok());
    assert!(order(&mut disk, SMART, 0xd8, 0, 0).is_err(), "without its key");
}

#[test]
fn a_failing_disk_says_so_twice() {
    let (_file, mut disk) = disk("failing");
    assert_eq!(status(&mut disk), Some(0x2cf4));
    let (data, thresholds) = (sector(&mut disk, 0xd0), sector(&mut disk, 0xd1));
    assert_eq!((data[2], thresholds[2]), (5, 5));
    assert!(data[5] <= thresholds[3]);
}

#[test]
fn a_degrading_disk_wears_out_with_each_mebibyte() {
    let (_file, mut disk) = disk("degrades");
    let data = vec![0; 1000 * 512];
    for (write, expected) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)] {
        access(&mut disk, write * 700, DataPhase::Out(&data));
        assert_eq!((raw(&mut disk, 5), raw(&mut disk, 196)), (expected, expected), "write {write}");
    }
}

#[test]
fn without_smart_there_is_none() {
    let (_file, mut disk) = disk("");
    assert_eq!(status(&mut disk), None);
}
