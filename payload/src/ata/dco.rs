//! Device Configuration Overlay (ATA8-ACS, 4.8 and 7.9 to 7.12; obsolete since ACS-3): a drive can be told to look
//! smaller, and to deny feature sets, more deeply than by a Host Protected Area.

use super::command::{NON_DATA, PIO_IN, Taskfile};

/// Why a DEVICE CONFIGURATION IDENTIFY sector cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DcoError {
    /// Word 255 has no signature A5h, or the sum over all bytes is not 0.
    #[error("the drive's factory configuration (DCO) has a wrong checksum")]
    Checksum,
    /// No last address, or one that no ATA drive can have.
    #[error("the drive's factory configuration (DCO) states no usable size")]
    Size,
}

/// DEVICE CONFIGURATION IDENTIFY (B1h/C2h): one sector that [`factory_sectors`] reads.
pub fn identify() -> Taskfile {
    Taskfile { command: 0xb1, features: 0xc2, ..PIO_IN }
}

/// DEVICE CONFIGURATION RESTORE (B1h/C0h): the factory's settings. Refused while a Host Protected Area is set, and by a
/// drive whose overlay is frozen.
pub fn restore() -> Taskfile {
    Taskfile { command: 0xb1, features: 0xc0, ..NON_DATA }
}

/// Sectors the drive left the factory with: words 3-6 of DEVICE CONFIGURATION IDENTIFY data hold the last address
/// (ATA8-ACS, 7.10.3). The sum over all 512 bytes is 0, with A5h in the low byte of word 255.
pub fn factory_sectors(data: &[u8; 512]) -> Result<u64, DcoError> {
    if data[510] != 0xa5 || data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
        return Err(DcoError::Checksum);
    }
    let last = u64::from_le_bytes([data[6], data[7], data[8], data[9], data[10], data[11], data[12], data[13]]);
    // 48 bits are all an address has.
    if last == 0 || last >= 1 << 48 { Err(DcoError::Size) } else { Ok(last + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::cdb::ata_pass_through_16;

    /// The CDBs hdparm 9.65 sends for `--dco-identify` and `--dco-restore`, seen at the ioctl; DEVICE (byte 13) is 40h
    /// there, of bits that are obsolete or not applicable in these commands.
    #[test]
    fn the_commands_are_those_of_hdparm() {
        let identify_cdb = [0x85, 0x08, 0x0e, 0, 0xc2, 0, 1, 0, 0, 0, 0, 0, 0, 0xa0, 0xb1, 0];
        assert_eq!(ata_pass_through_16(&identify()), identify_cdb);
        let restore_cdb = [0x85, 0x06, 0x20, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0xa0, 0xb1, 0];
        assert_eq!(ata_pass_through_16(&restore()), restore_cdb);
    }

    fn sealed(last: u64) -> [u8; 512] {
        let mut data = [0; 512];
        data[0] = 2;
        data[6..14].copy_from_slice(&last.to_le_bytes());
        data[510] = 0xa5;
        data[511] = data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
        data
    }

    #[test]
    fn the_factory_size_is_one_more_than_the_last_address() {
        assert_eq!(factory_sectors(&sealed(976_773_167)), Ok(976_773_168));
        assert_eq!(factory_sectors(&sealed((1 << 48) - 1)), Ok(1 << 48));
    }

    #[test]
    fn data_that_cannot_be_believed_state_no_size() {
        assert_eq!(factory_sectors(&sealed(0)), Err(DcoError::Size));
        assert_eq!(factory_sectors(&sealed(u64::MAX)), Err(DcoError::Size));
        assert_eq!(factory_sectors(&[0; 512]), Err(DcoError::Checksum));
        let mut data = sealed(1000);
        data[6] ^= 1;
        assert_eq!(factory_sectors(&data), Err(DcoError::Checksum));
    }
}
