//! The state of a drive as a certificate reports it: only what was really read.

use super::smart::Attribute;
use serde::{Deserialize, Serialize};

/// Counters of a drive, in the words ATA has for them; `None` where the drive did not report one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// The drive's own verdict: no threshold was crossed.
    pub passed: Option<bool>,
    /// Sectors replaced by spare ones (5).
    pub reallocated: Option<u64>,
    /// Attempts to replace sectors (196).
    pub reallocation_events: Option<u64>,
    /// Sectors that could not be read and wait for a write (197).
    pub pending: Option<u64>,
    /// Sectors found unreadable in an offline scan (198).
    pub uncorrectable: Option<u64>,
    /// Errors the host was told of (187).
    pub reported_uncorrectable: Option<u64>,
    /// Commands that timed out (188).
    pub command_timeouts: Option<u64>,
    /// Transfer errors on the cable (199).
    pub crc_errors: Option<u64>,
    /// Hours powered on (9).
    pub power_on_hours: Option<u64>,
    /// Times switched on (12).
    pub power_cycles: Option<u64>,
    /// Temperature in degrees Celsius (194, else 190).
    pub temperature_celsius: Option<u64>,
    /// Unrecovered data integrity errors of an NVMe drive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_errors: Option<u64>,
    /// How much of its life an NVMe drive has used, in percent; more than 100 is possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage_used: Option<u64>,
    /// Spare blocks an NVMe drive has left, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_spare: Option<u64>,
    /// Times an NVMe drive lost its power without being told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsafe_shutdowns: Option<u64>,
    /// Bytes the host wrote to an NVMe drive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_written: Option<u64>,
    /// What an NVMe controller warns of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Attributes below the threshold that predicts failure.
    pub failing_attributes: Vec<u8>,
}

/// An attribute, the bits of its raw value that count, and where the number goes. Where two rows fill one field, the
/// first that the drive has wins.
type Row = (u8, u32, fn(&mut Health) -> &mut Option<u64>);

const ROWS: &[Row] = &[
    (5, 16, |health| &mut health.reallocated),
    (196, 16, |health| &mut health.reallocation_events),
    (197, 48, |health| &mut health.pending),
    (198, 48, |health| &mut health.uncorrectable),
    (187, 48, |health| &mut health.reported_uncorrectable),
    (188, 16, |health| &mut health.command_timeouts),
    (199, 48, |health| &mut health.crc_errors),
    (9, 24, |health| &mut health.power_on_hours),
    (12, 48, |health| &mut health.power_cycles),
    (194, 8, |health| &mut health.temperature_celsius),
    (190, 8, |health| &mut health.temperature_celsius),
];

impl Health {
    /// Health from the attribute table.
    pub fn from_attributes(attributes: &[Attribute]) -> Self {
        let mut health = Self::default();
        for (id, bits, field) in ROWS {
            if let Some(attribute) = attributes.iter().find(|attribute| attribute.id == *id) {
                let _ = field(&mut health).get_or_insert(attribute.raw & ((1 << bits) - 1));
            }
        }
        health
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(id: u8, raw: u64) -> Attribute {
        Attribute { id, flags: 0, value: 100, worst: 100, raw }
    }

    #[test]
    fn counters_take_the_bits_that_count() {
        let health = Health::from_attributes(&[
            attribute(9, 0x1234_0000_5678),
            attribute(5, 0x0001_0000_0007),
            attribute(190, 0x0000_2d12_0021),
            attribute(194, 0x002d_0012_0022),
            attribute(197, 3),
        ]);
        assert_eq!((health.power_on_hours, health.reallocated), (Some(0x5678), Some(7)));
        assert_eq!((health.temperature_celsius, health.pending), (Some(0x22), Some(3)));
        assert_eq!((health.passed, health.crc_errors, health.uncorrectable), (None, None, None));
        assert_eq!(Health::from_attributes(&[attribute(190, 0x21)]).temperature_celsius, Some(0x21));
    }
}
