//! The disk driven in process: what every test needs, and the tests by feature set.

use super::*;
use std::fs;
use tempfile::NamedTempFile;

mod faults;
mod lies;
mod limits;
mod logs;
mod sanitize;
mod security;
mod smart;
mod state;

const SECTORS: u64 = 4000;
/// What the cells hold before a test.
const STAMP: u8 = 0x5e;

fn disk(more: &str) -> (NamedTempFile, SataDisk) {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), vec![STAMP; usize::try_from(SECTORS).unwrap() * 512]).unwrap();
    let disk = again(&file, more);
    (file, disk)
}

/// The disk as another program would make it of the same cells.
fn again(file: &NamedTempFile, more: &str) -> SataDisk {
    let comma = if more.is_empty() { "" } else { "," };
    SataDisk::from_text(&format!("S1={}{comma}{more}", file.path().display())).unwrap()
}

/// A 48-bit command that wants its registers: COUNT and LBA; `Err` with LBA where it was aborted.
fn order_with(
    disk: &mut SataDisk,
    (command, features, count, lba): (u8, u8, u8, u64),
    data: DataPhase<'_>,
) -> Result<(u16, u64), u64> {
    let l = lba.to_le_bytes();
    let cdb = [0x85, 7, 0x20, 0, features, 0, count, l[3], l[0], l[4], l[1], l[5], l[2], 0x40, command, 0];
    let s = disk.execute(&cdb, data).sense;
    let lba = u64::from_le_bytes([s[15], s[17], s[19], s[14], s[16], s[18], 0, 0]);
    if s[21] & 1 == 0 { Ok((u16::from_be_bytes([s[12], s[13]]), lba)) } else { Err(lba) }
}

fn order(disk: &mut SataDisk, command: u8, features: u8, count: u8, lba: u64) -> Result<(u16, u64), u64> {
    order_with(disk, (command, features, count, lba), DataPhase::None)
}

/// LBA of a command, or nothing where it was aborted.
fn lba_of(disk: &mut SataDisk, command: u8, features: u8, count: u8, lba: u64) -> Option<u64> {
    order(disk, command, features, count, lba).ok().map(|(_, lba)| lba)
}

fn shown(disk: &mut SataDisk) -> u32 {
    let mut buf = [0; 8];
    let mut cdb = [0; 16];
    cdb[0] = 0x25;
    disk.execute(&cdb, DataPhase::In(&mut buf));
    u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]) + 1
}

/// A word of IDENTIFY DEVICE data.
fn word(disk: &mut SataDisk, word: usize) -> u16 {
    let mut buf = [0; 512];
    order_with(disk, (0xec, 0, 1, 0), DataPhase::In(&mut buf)).unwrap();
    assert_eq!(buf.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)), 0, "the checksum is wrong");
    u16::from_le_bytes([buf[2 * word], buf[2 * word + 1]])
}

/// READ (16) or WRITE (16).
fn access(disk: &mut SataDisk, lba: u64, data: DataPhase<'_>) -> Answer {
    let (opcode, len) = match &data {
        DataPhase::In(buf) => (0x88, buf.len()),
        DataPhase::Out(buf) => (0x8a, buf.len()),
        DataPhase::None => (0x88, 0),
    };
    let mut cdb = [0; 16];
    cdb[0] = opcode;
    cdb[2..10].copy_from_slice(&lba.to_be_bytes());
    cdb[10..14].copy_from_slice(&u32::try_from(len / 512).unwrap().to_be_bytes());
    disk.execute(&cdb, data)
}

fn cells(file: &NamedTempFile) -> Vec<u8> {
    fs::read(file.path()).unwrap()
}

fn all(bytes: &[u8], byte: u8) -> bool {
    bytes.iter().all(|found| *found == byte)
}
