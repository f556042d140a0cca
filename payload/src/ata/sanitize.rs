//! Commands of the sanitize feature set (ACS-3, 4.17 and 7.36): B4h with a FEATURE for each, and a key in LBA against
//! accidents. They are accepted at once; the drive works on its own, over power cycles, and says how far it is.

pub use mule_types::technique::ata::{Action, Passes};

use super::command::{NON_DATA, Registers, Taskfile};

const SANITIZE_DEVICE: Taskfile = Taskfile { command: 0xb4, extended: true, ..NON_DATA };
/// "Cryp", "BkEr", and "OW" in LBA bits 47:32.
const CRYPTO_KEY: u64 = 0x4372_7970;
const BLOCK_KEY: u64 = 0x426b_4572;
const OVERWRITE_KEY: u64 = 0x4f57_0000_0000;
/// COUNT bit 4: a failed operation may be left by SANITIZE STATUS EXT; without it only by one that succeeds.
const FAILURE_MODE: u16 = 1 << 4;
/// COUNT bit 7 of OVERWRITE EXT: the pattern is inverted between passes.
const INVERT: u16 = 1 << 7;
/// COUNT bit 0 of SANITIZE STATUS EXT: leave the failed state.
const CLEAR_FAILED: u16 = 1;

/// The command that starts it, with the failure mode that lets a failed drive be brought back.
pub fn start(action: Action) -> Taskfile {
    let (features, lba, count) = match action {
        Action::CryptoScramble => (0x11, CRYPTO_KEY, 0),
        Action::BlockErase => (0x12, BLOCK_KEY, 0),
        Action::Overwrite { pattern, passes, invert } => {
            // Four bits: 0 stands for 16.
            let count = u16::from(passes.get() & 0xf) | if invert { INVERT } else { 0 };
            (0x14, OVERWRITE_KEY | u64::from(pattern), count)
        }
    };
    Taskfile { features, lba, count: count | FAILURE_MODE, ..SANITIZE_DEVICE }
}

/// SANITIZE STATUS EXT (0000h).
pub fn status() -> Taskfile {
    SANITIZE_DEVICE
}

/// SANITIZE STATUS EXT that leaves the failed state.
pub fn clear_failed() -> Taskfile {
    Taskfile { count: CLEAR_FAILED, ..SANITIZE_DEVICE }
}

/// What SANITIZE STATUS EXT says (ACS-3, 7.36.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// COUNT bit 15: the last operation succeeded. Some drives say so as well before the first.
    pub completed: bool,
    /// COUNT bit 14.
    pub in_progress: bool,
    /// COUNT bit 13: sanitize commands are refused until the next power-on.
    pub frozen: bool,
    /// COUNT bit 12: freezing is refused until the next power-on.
    pub antifreeze: bool,
    /// LBA bits 15:0: in 65,536ths of the whole; counts only while in progress.
    pub progress: u16,
}

impl Status {
    /// From the registers of a command that succeeded; `None` where COUNT was lost on the way
    /// (sense data of the fixed format).
    pub fn parse(registers: &Registers) -> Option<Self> {
        let count = registers.count?;
        let bit = |bit: u32| count >> bit & 1 == 1;
        let [low, high, ..] = registers.low_lba.to_le_bytes();
        Some(Self {
            completed: bit(15),
            in_progress: bit(14),
            frozen: bit(13),
            antifreeze: bit(12),
            progress: u16::from_le_bytes([low, high]),
        })
    }
}

/// Why a drive refused a sanitize command: LBA bits 7:0 (ACS-3, 7.36, error outputs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 00h.
    #[error("no reason given")]
    NotGiven,
    /// 01h: the last operation failed and the drive is in the failed state.
    #[error("the drive's last sanitize operation failed")]
    Failed,
    /// 02h.
    #[error("the drive does not support this command")]
    Unsupported,
    /// 03h.
    #[error("the drive's sanitize commands are frozen: switch its power off and on")]
    Frozen,
    /// 04h.
    #[error("the drive's antifreeze lock is set")]
    Antifreeze,
    /// Anything else.
    #[error("reason {0:#04x}")]
    Other(u8),
}

impl Refusal {
    /// From the registers of a command that failed.
    pub fn parse(registers: &Registers) -> Self {
        let [reason, ..] = registers.low_lba.to_le_bytes();
        match reason {
            0 => Self::NotGiven,
            1 => Self::Failed,
            2 => Self::Unsupported,
            3 => Self::Frozen,
            4 => Self::Antifreeze,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::cdb::ata_pass_through_16;

    /// The CDBs hdparm 9.65 sends for `--sanitize-status`, `-crypto-scramble`, `-block-erase` and `-overwrite
    /// hex:12345678` with 3 passes, seen at the ioctl. COUNT (byte 6) is ours: hdparm has no failure mode.
    #[test]
    fn the_commands_are_those_of_hdparm_with_the_failure_mode() {
        let overwrite = Action::Overwrite { pattern: 0x1234_5678, passes: Passes::new(3).unwrap(), invert: false };
        let expected = [
            (status(), 0x00, 0, [0, 0, 0, 0, 0, 0]),
            (start(Action::CryptoScramble), 0x11, 0x10, [0x43, 0x70, 0, 0x79, 0, 0x72]),
            (start(Action::BlockErase), 0x12, 0x10, [0x42, 0x72, 0, 0x45, 0, 0x6b]),
            (start(overwrite), 0x14, 0x13, [0x12, 0x78, 0x57, 0x56, 0x4f, 0x34]),
            (clear_failed(), 0x00, 0x01, [0, 0, 0, 0, 0, 0]),
        ];
        for (taskfile, feature, count, lba) in expected {
            let [a, b, c, d, e, f] = lba;
            let cdb = [0x85, 0x07, 0x20, 0, feature, 0, count, a, b, c, d, e, f, 0x40, 0xb4, 0];
            assert_eq!(ata_pass_through_16(&taskfile), cdb);
        }
    }

    #[test]
    fn sixteen_passes_are_zero() {
        let count = |passes, invert| start(Action::Overwrite { pattern: 0, passes, invert }).count;
        assert_eq!(count(Passes::new(16).unwrap(), true), 0x90);
        assert_eq!(count(Passes::ONE, false), 0x11);
    }

    fn registers(count: Option<u16>, low_lba: u32) -> Registers {
        Registers { error: 0, status: 0x50, device: 0x40, count, low_lba, lba: Some(low_lba.into()) }
    }

    #[test]
    fn the_status_is_in_count_and_lba() {
        let status = Status::parse(&registers(Some(0x4000), 0xff_8001)).unwrap();
        let running =
            Status { completed: false, in_progress: true, frozen: false, antifreeze: false, progress: 0x8001 };
        assert_eq!(status, running);
        assert!(Status::parse(&registers(Some(0x8000), 0)).unwrap().completed);
        assert!(Status::parse(&registers(Some(0x2000), 0)).unwrap().frozen);
        assert!(Status::parse(&registers(Some(0x1000), 0)).unwrap().antifreeze);
        assert_eq!(Status::parse(&registers(None, 0xffff)), None);
    }

    #[test]
    fn a_refusal_gives_its_reason() {
        let expected = [Refusal::NotGiven, Refusal::Failed, Refusal::Unsupported, Refusal::Frozen, Refusal::Antifreeze];
        for (reason, refusal) in (0..).zip(expected) {
            assert_eq!(Refusal::parse(&registers(None, reason)), refusal);
        }
        assert_eq!(Refusal::parse(&registers(None, 0x77)), Refusal::Other(0x77));
    }
}
