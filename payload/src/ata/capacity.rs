//! Commands that lift the limits of a Host Protected Area (ATA8-ACS, 4.11, 7.33 and 7.54) and of Accessible Max Address
//! Configuration (ACS-3, 4.5 and 7.1). READ NATIVE MAX is in [`super::command`].

use super::command::{NON_DATA, Taskfile, read_native_max, read_native_max_ext};

/// COUNT bit 0 of SET MAX ADDRESS: the value outlives power-off. One such command is taken in a power cycle.
const NON_VOLATILE: u16 = 1;

/// SET MAX ADDRESS EXT (37h), or SET MAX ADDRESS (F9h) for a drive without 48-bit addresses. READ NATIVE MAX of the same
/// width must come right before. `last` is the last address that shall be accessible; only 28 bits count in F9h.
pub fn set_max(lba48: bool, last: u64) -> Taskfile {
    if lba48 {
        Taskfile { command: 0x37, lba: last, count: NON_VOLATILE, extended: true, ..NON_DATA }
    } else {
        Taskfile { command: 0xf9, lba: last, count: NON_VOLATILE, ..NON_DATA }
    }
}

/// READ NATIVE MAX ADDRESS EXT or READ NATIVE MAX ADDRESS.
pub fn native_max(lba48: bool) -> Taskfile {
    if lba48 { read_native_max_ext() } else { read_native_max() }
}

/// GET NATIVE MAX ADDRESS EXT (78h/0000h).
pub fn accessible_native_max() -> Taskfile {
    Taskfile { command: 0x78, extended: true, ..NON_DATA }
}

/// SET ACCESSIBLE MAX ADDRESS EXT (78h/0001h). Always outlives power-off.
pub fn set_accessible_max(last: u64) -> Taskfile {
    Taskfile { command: 0x78, features: 1, lba: last, extended: true, ..NON_DATA }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::cdb::ata_pass_through_16;

    /// The CDBs hdparm 9.65 sends for `-N p976773168` on a drive with 48-bit addresses, seen at the ioctl.
    #[test]
    fn the_hpa_commands_are_those_of_hdparm() {
        let read = [0x85, 0x07, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x27, 0];
        assert_eq!(ata_pass_through_16(&native_max(true)), read);
        let set = [0x85, 0x07, 0x20, 0, 0, 0, 1, 0x3a, 0x2f, 0, 0x60, 0, 0x38, 0x40, 0x37, 0];
        assert_eq!(ata_pass_through_16(&set_max(true, 976_773_167)), set);
    }

    #[test]
    fn a_drive_of_28_bits_has_the_top_of_the_address_in_device() {
        let set = [0x85, 0x06, 0x20, 0, 0, 0, 1, 0, 0x78, 0, 0x56, 0, 0x34, 0xe2, 0xf9, 0];
        assert_eq!(ata_pass_through_16(&set_max(false, 0x0234_5678)), set);
        assert_eq!(native_max(false).command, 0xf8);
    }

    /// FEATURE 0000h and 0001h as ACS-3, 7.1 numbers them.
    #[test]
    fn accessible_max_address_is_one_command_with_two_features() {
        let get = [0x85, 0x07, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x78, 0];
        assert_eq!(ata_pass_through_16(&accessible_native_max()), get);
        let set = [0x85, 0x07, 0x20, 0, 1, 0, 0, 0x3a, 0x2f, 0, 0x60, 0, 0x38, 0x40, 0x78, 0];
        assert_eq!(ata_pass_through_16(&set_accessible_max(976_773_167)), set);
    }
}
