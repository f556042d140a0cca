//! Command descriptor blocks, built as bytes.

use crate::ata::command::{Protocol, Taskfile};

/// INQUIRY (SPC-4, 6.4) for standard data; `len` is the allocation length.
pub fn inquiry(len: u16) -> [u8; 6] {
    let [high, low] = len.to_be_bytes();
    [0x12, 0, 0, high, low, 0]
}

/// INQUIRY for a page of vital product data.
pub fn vital_product_data(page: u8, len: u16) -> [u8; 6] {
    let [high, low] = len.to_be_bytes();
    [0x12, 1, page, high, low, 0]
}

/// Values of the PROTOCOL field (SAT-3, 12.2.2, table 151).
fn protocol(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::NonData => 3,
        Protocol::PioIn => 4,
        Protocol::PioOut => 5,
    }
}

/// Byte 2: CK_COND, T_DIR, BYT_BLOK, T_LENGTH (SAT-3, 12.2.2). The length of a data phase is the COUNT field, in blocks.
fn transfer(taskfile: &Taskfile) -> u8 {
    let check_condition = u8::from(taskfile.wants_registers) << 5;
    match taskfile.protocol {
        Protocol::NonData => check_condition,
        Protocol::PioIn => check_condition | 1 << 3 | 1 << 2 | 2,
        Protocol::PioOut => check_condition | 1 << 2 | 2,
    }
}

/// ATA PASS-THROUGH (16) (SAT-3, 12.2.3).
pub fn ata_pass_through_16(taskfile: &Taskfile) -> [u8; 16] {
    let [lba0, lba1, lba2, lba3, lba4, lba5, ..] = taskfile.lba.to_le_bytes();
    let [features, features_high] = taskfile.features.to_le_bytes();
    let [count, count_high] = taskfile.count.to_le_bytes();
    let kind = protocol(taskfile.protocol) << 1 | u8::from(taskfile.extended);
    let (flags, device) = (transfer(taskfile), taskfile.device());
    if taskfile.extended {
        let lba = [lba3, lba0, lba4, lba1, lba5, lba2];
        let head = [0x85, kind, flags, features_high, features, count_high, count];
        [
            head[0],
            head[1],
            head[2],
            head[3],
            head[4],
            head[5],
            head[6],
            lba[0],
            lba[1],
            lba[2],
            lba[3],
            lba[4],
            lba[5],
            device,
            taskfile.command,
            0,
        ]
    } else {
        [0x85, kind, flags, 0, features, 0, count, 0, lba0, 0, lba1, 0, lba2, device, taskfile.command, 0]
    }
}

/// ATA PASS-THROUGH (12) (SAT-3, 12.2.2); `None` for a 48-bit command, which it cannot carry. A1h is BLANK to optical
/// drives: only for a device that is known to be a disk.
pub fn ata_pass_through_12(taskfile: &Taskfile) -> Option<[u8; 12]> {
    if taskfile.extended {
        return None;
    }
    let [lba0, lba1, lba2, ..] = taskfile.lba.to_le_bytes();
    let [features, _] = taskfile.features.to_le_bytes();
    let [count, _] = taskfile.count.to_le_bytes();
    let (kind, flags) = (protocol(taskfile.protocol) << 1, transfer(taskfile));
    Some([0xa1, kind, flags, features, count, lba0, lba1, lba2, taskfile.device(), taskfile.command, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ata::command;

    #[test]
    fn inquiries_have_their_bytes() {
        assert_eq!(inquiry(36), [0x12, 0, 0, 0, 36, 0]);
        assert_eq!(vital_product_data(0x89, 572), [0x12, 1, 0x89, 2, 0x3c, 0]);
    }

    #[test]
    fn identify_is_passed_through_as_the_standard_lays_it_out() {
        let taskfile = command::identify_device();
        let long = [0x85, 0x08, 0x0e, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xa0, 0xec, 0];
        assert_eq!(ata_pass_through_16(&taskfile), long);
        assert_eq!(ata_pass_through_12(&taskfile), Some([0xa1, 0x08, 0x0e, 0, 1, 0, 0, 0, 0xa0, 0xec, 0, 0]));
    }

    #[test]
    fn smart_carries_its_key_in_the_lba_and_return_status_asks_for_registers() {
        let long = [0x85, 0x06, 0x20, 0, 0xda, 0, 0, 0, 0, 0, 0x4f, 0, 0xc2, 0xa0, 0xb0, 0];
        assert_eq!(ata_pass_through_16(&command::smart_return_status()), long);
        let short = [0xa1, 0x08, 0x0e, 0xd0, 1, 0, 0x4f, 0xc2, 0xa0, 0xb0, 0, 0];
        assert_eq!(ata_pass_through_12(&command::smart_read_data()), Some(short));
    }

    #[test]
    fn a_48_bit_command_spreads_its_lba() {
        let mut taskfile = command::read_native_max_ext();
        taskfile.lba = 0x0605_0403_0201;
        taskfile.features = 0xf1f0;
        taskfile.count = 0xc1c0;
        let expected = [0x85, 0x07, 0x20, 0xf1, 0xf0, 0xc1, 0xc0, 4, 1, 5, 2, 6, 3, 0x40, 0x27, 0];
        assert_eq!(ata_pass_through_16(&taskfile), expected);
        assert_eq!(ata_pass_through_12(&taskfile), None);
    }
}
