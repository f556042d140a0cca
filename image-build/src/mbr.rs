//! LBA 0: boot code, disk signature and the partition table.

use anyhow::{Result, ensure};
use mule_types::stick;

/// Bytes before the disk signature: all that boot code may use.
pub const BOOT_CODE_MAX: usize = 440;
/// Heads and sectors per track of the translated geometry every BIOS uses for LBA disks (and the FAT states the same).
pub const HEADS: u16 = 255;
/// See [`HEADS`].
pub const SECTORS_PER_TRACK: u16 = 63;

const ACTIVE: u8 = 0x80;
const PARTITION_TABLE: usize = 446;
const ENTRY: usize = 16;

/// The 512 bytes of the master boot record.
pub fn master_boot_record(boot_code: &[u8], id: stick::ImageId) -> Result<[u8; 512]> {
    ensure!(
        boot_code.len() <= BOOT_CODE_MAX,
        "the MBR boot code has {} bytes, room is {BOOT_CODE_MAX}",
        boot_code.len()
    );
    let mut sector = [0; 512];
    sector[..boot_code.len()].copy_from_slice(boot_code);
    sector[BOOT_CODE_MAX..BOOT_CODE_MAX + 4].copy_from_slice(&id.disk_signature());
    let fat = entry(ACTIVE, stick::FAT_PARTITION_TYPE, stick::FAT_START_LBA, stick::FAT_SECTORS)?;
    let log = entry(0, stick::LOG_PARTITION_TYPE, stick::LOG_START_LBA, stick::LOG_SECTORS)?;
    sector[PARTITION_TABLE..PARTITION_TABLE + ENTRY].copy_from_slice(&fat);
    sector[PARTITION_TABLE + ENTRY..PARTITION_TABLE + 2 * ENTRY].copy_from_slice(&log);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    Ok(sector)
}

fn entry(status: u8, kind: u8, start: u64, sectors: u64) -> Result<[u8; ENTRY]> {
    let mut entry = [0; ENTRY];
    entry[0] = status;
    entry[1..4].copy_from_slice(&chs(start));
    entry[4] = kind;
    entry[5..8].copy_from_slice(&chs(start + sectors - 1));
    entry[8..12].copy_from_slice(&u32::try_from(start)?.to_le_bytes());
    entry[12..].copy_from_slice(&u32::try_from(sectors)?.to_le_bytes());
    Ok(entry)
}

/// Head, sector and the top bits of the cylinder, cylinder; FE FF FF beyond cylinder 1023.
fn chs(lba: u64) -> [u8; 3] {
    let (heads, sectors) = (u64::from(HEADS), u64::from(SECTORS_PER_TRACK));
    let (cylinder, head, sector) = (lba / (heads * sectors), lba / sectors % heads, lba % sectors + 1);
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    let byte = |value: u64| value.to_le_bytes()[0];
    [byte(head), byte(sector | (cylinder >> 2 & 0xc0)), byte(cylinder)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_boot_record_byte_by_byte() {
        let id = "aabbccdd000000000000000000000000".parse().unwrap();
        let mbr = master_boot_record(&[0x33, 0xc0], id).unwrap();
        assert_eq!(mbr[..3], [0x33, 0xc0, 0]);
        assert_eq!(mbr[440..446], [0xaa, 0xbb, 0xcc, 0xdd, 0, 0]);
        // LBA 2048 = 0/32/33, LBA 264191 = 16/113/33; LBA 264192 = 16/113/34, LBA 395263 = 24/154/2.
        assert_eq!(mbr[446..462], [0x80, 32, 33, 0, 0x0c, 113, 33, 16, 0, 8, 0, 0, 0, 0, 4, 0]);
        assert_eq!(mbr[462..478], [0, 113, 34, 16, 0xda, 154, 2, 24, 0, 8, 4, 0, 0, 0, 2, 0]);
        assert!(mbr[478..510].iter().all(|&b| b == 0));
        assert_eq!(mbr[510..], [0x55, 0xaa]);
    }

    #[test]
    fn boot_code_that_would_reach_the_signature_is_refused() {
        let id = stick::ImageId([0; 16]);
        assert!(master_boot_record(&[0; 440], id).is_ok());
        assert!(master_boot_record(&[0; 441], id).is_err());
    }

    #[test]
    fn cylinders_beyond_1023_are_written_as_the_largest() {
        assert_eq!(chs(0), [0, 1, 0]);
        assert_eq!(chs(1023 * 255 * 63), [0, 0xc1, 0xff]);
        assert_eq!(chs(1024 * 255 * 63), [0xfe, 0xff, 0xff]);
    }
}
