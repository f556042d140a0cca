//! ATA commands as taskfiles (ATA8-ACS, 7) and the registers a device returns.

/// How a command moves data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Not at all.
    NonData,
    /// From the device, by programmed I/O.
    PioIn,
    /// To the device, by programmed I/O.
    PioOut,
}

/// The registers of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taskfile {
    /// COMMAND.
    pub command: u8,
    /// FEATURE; only the low byte counts in a 28-bit command.
    pub features: u16,
    /// COUNT; the blocks of 512 bytes to be moved, where the command moves any.
    pub count: u16,
    /// LBA: 28 or 48 bits.
    pub lba: u64,
    /// Whether it is a 48-bit command.
    pub extended: bool,
    /// How data are moved.
    pub protocol: Protocol,
    /// Whether the answer is in the registers.
    pub wants_registers: bool,
}

impl Taskfile {
    /// DEVICE: bit 6 is LBA addressing; a 28-bit command keeps LBA bits 27:24 there and the bits 7 and 5 that were once
    /// always set.
    pub(crate) fn device(&self) -> u8 {
        if self.extended {
            return 0x40;
        }
        let [.., high, _, _, _, _] = self.lba.to_le_bytes();
        let addressed = if matches!(self.command, READ_NATIVE_MAX | SET_MAX) { 0x40 } else { 0 };
        0xa0 | addressed | (high & 0xf)
    }
}

/// What a device returned. `None` where the way it came does not carry that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// ERROR.
    pub error: u8,
    /// STATUS.
    pub status: u8,
    /// DEVICE.
    pub device: u8,
    /// COUNT.
    pub count: Option<u16>,
    /// LBA bits 23:0.
    pub low_lba: u32,
    /// All of LBA; without the DEVICE register's four bits in a 28-bit command.
    pub lba: Option<u64>,
}

impl Registers {
    /// STATUS says error (bit 0) or device fault (bit 5).
    pub fn failed(&self) -> bool {
        self.status & 0x21 != 0
    }

    /// ERROR says that the command was aborted: not supported, or not now.
    pub fn aborted(&self) -> bool {
        self.failed() && self.error & 0x04 != 0
    }

    /// LBA of a 28-bit command.
    pub fn lba28(&self) -> u32 {
        u32::from(self.device & 0xf) << 24 | self.low_lba
    }
}

const READ_NATIVE_MAX: u8 = 0xf8;
const SET_MAX: u8 = 0xf9;
/// The key in LBA bits 23:8 of every SMART command.
const SMART_KEY: u64 = 0xc2_4f00;

pub(super) const PIO_IN: Taskfile = Taskfile {
    command: 0,
    features: 0,
    count: 1,
    lba: 0,
    extended: false,
    protocol: Protocol::PioIn,
    wants_registers: false,
};
pub(super) const NON_DATA: Taskfile =
    Taskfile { count: 0, protocol: Protocol::NonData, wants_registers: true, ..PIO_IN };
/// One block of 512 bytes to the device.
pub(super) const PIO_OUT: Taskfile = Taskfile { protocol: Protocol::PioOut, ..PIO_IN };

/// IDENTIFY DEVICE (ECh).
pub fn identify_device() -> Taskfile {
    Taskfile { command: 0xec, ..PIO_IN }
}

/// SMART READ DATA (B0h/D0h).
pub fn smart_read_data() -> Taskfile {
    Taskfile { command: 0xb0, features: 0xd0, lba: SMART_KEY, ..PIO_IN }
}

/// SMART READ THRESHOLDS (B0h/D1h; ATA-3, obsolete since and still answered).
pub fn smart_read_thresholds() -> Taskfile {
    Taskfile { command: 0xb0, features: 0xd1, lba: SMART_KEY, ..PIO_IN }
}

/// SMART RETURN STATUS (B0h/DAh).
pub fn smart_return_status() -> Taskfile {
    Taskfile { command: 0xb0, features: 0xda, lba: SMART_KEY, ..NON_DATA }
}

/// STANDBY IMMEDIATE (E0h): the heads are parked and the disk stops; the next access starts it again.
pub fn standby_immediate() -> Taskfile {
    Taskfile { command: 0xe0, ..NON_DATA }
}

/// READ NATIVE MAX ADDRESS (F8h).
pub fn read_native_max() -> Taskfile {
    Taskfile { command: READ_NATIVE_MAX, ..NON_DATA }
}

/// READ NATIVE MAX ADDRESS EXT (27h).
pub fn read_native_max_ext() -> Taskfile {
    Taskfile { command: 0x27, extended: true, ..NON_DATA }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_register_carries_the_top_of_a_28_bit_lba() {
        assert_eq!(read_native_max().device(), 0xe0);
        assert_eq!(Taskfile { lba: 0x0a00_0000, ..read_native_max() }.device(), 0xea);
        assert_eq!(read_native_max_ext().device(), 0x40);
        let registers = Registers { error: 0, status: 0x50, device: 0xea, count: None, low_lba: 0x12_3456, lba: None };
        assert_eq!(registers.lba28(), 0x0a12_3456);
    }
}
