//! The SMART / Health Information log (02h; NVMe base specification 2.2, 5.1.12.1.3): 512 bytes.

use super::{AdminCommand, admin::SHORT, identify::celsius};
use crate::ata::Health;

/// Get Log Page (02h) of log 02h for the whole controller: 128 dwords.
pub fn health_log() -> AdminCommand {
    AdminCommand { opcode: 0x02, nsid: super::admin::ALL_NAMESPACES, cdw10: 127 << 16 | 0x02, cdw11: 0, timeout: SHORT }
}

/// What bits of the critical warning (byte 0) say.
const WARNINGS: [&str; 6] = [
    "spare blocks below the threshold",
    "temperature outside its thresholds",
    "reliability degraded",
    "read-only",
    "the backup of volatile memory failed",
    "persistent memory unreliable or read-only",
];
/// Bytes in a data unit: 1,000 blocks of 512 bytes.
const DATA_UNIT: u64 = 512_000;

/// What the log says, in the words that ATA drives have for it. A warning of the controller is a drive that does not pass.
/// Nothing where all bytes are the same: such a controller has not answered.
pub fn parse(log: &[u8; 512]) -> Health {
    let long = |at: usize| log[at..].first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    if log.iter().all(|byte| *byte == log[0]) {
        return Health::default();
    }
    let warned = |(bit, words): (usize, &&str)| (log[0] >> bit & 1 == 1).then(|| (*words).to_owned());
    Health {
        passed: Some(log[0] == 0),
        power_on_hours: long(128),
        power_cycles: long(112),
        media_errors: long(160),
        percentage_used: Some(u64::from(log[5])),
        available_spare: Some(u64::from(log[3])),
        temperature_celsius: celsius(u16::from_le_bytes([log[1], log[2]])),
        unsafe_shutdowns: long(144),
        bytes_written: long(48).map(|units| units.saturating_mul(DATA_UNIT)),
        warnings: WARNINGS.iter().enumerate().filter_map(warned).collect(),
        ..Health::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nvme-cli prints for these bytes: critical_warning 0x4, temperature 38 °C, available_spare 97 %,
    /// percentage_used 12 %, power_cycles 345, power_on_hours 6789, media_errors 2.
    #[test]
    fn the_log_is_read_as_nvme_cli_reads_it() {
        let mut log = [0; 512];
        (log[0], log[3], log[5]) = (4, 97, 12);
        log[1..3].copy_from_slice(&311_u16.to_le_bytes());
        log[112..120].copy_from_slice(&345_u64.to_le_bytes());
        log[128..136].copy_from_slice(&6789_u64.to_le_bytes());
        (log[48], log[144]) = (4, 9);
        log[160..168].copy_from_slice(&2_u64.to_le_bytes());
        let health = parse(&log);
        assert_eq!((health.passed, health.temperature_celsius), (Some(false), Some(38)));
        assert_eq!((health.available_spare, health.percentage_used), (Some(97), Some(12)));
        assert_eq!((health.power_cycles, health.power_on_hours, health.media_errors), (Some(345), Some(6789), Some(2)));
        assert_eq!((health.unsafe_shutdowns, health.bytes_written), (Some(9), Some(2_048_000)));
        assert_eq!(health.warnings, ["reliability degraded"]);
        assert_eq!((parse(&[0; 512]), parse(&[0xff; 512])), (Health::default(), Health::default()));
    }

    #[test]
    fn the_command_is_that_of_nvme_cli() {
        let AdminCommand { opcode, nsid, cdw10, cdw11, .. } = health_log();
        assert_eq!((opcode, nsid, cdw10, cdw11), (0x02, 0xffff_ffff, 0x007f_0002, 0));
    }
}
