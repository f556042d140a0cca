//! SMART (ATA8-ACS, 7.52): the numbers of attributes are those of smartmontools' drive database, entry DEFAULT.

use super::{
    SataDisk,
    identify::seal,
    options::{Options, Word},
    taskfile::{ABORTED, DONE, Ended, Registers, Taskfile},
};
use crate::target::DataPhase;
use anyhow::{Result, bail};

pub(super) const SMART: u8 = 0xb0;
/// FEATURES.
const READ_DATA: u8 = 0xd0;
const READ_THRESHOLDS: u8 = 0xd1;
const ENABLE: u8 = 0xd8;
const RETURN_STATUS: u8 = 0xda;
/// LBA bits 23:8 of every SMART command, and of RETURN STATUS where a threshold was crossed (7.52.8).
const KEY: u64 = 0xc24f;
const EXCEEDED: u64 = 0x2cf4;
/// Sectors written for each that wears out where the disk degrades.
const WEAR: u64 = 2048;
/// Reallocated sectors that cost a point of the normalised value.
const SECTORS_A_POINT: u64 = 32;
/// Below this the disk says that it fails.
const THRESHOLD: u8 = 10;

/// What attributes are made of.
#[derive(Debug)]
pub(super) struct Health {
    pub(super) temperature: u64,
    pub(super) reallocated: u64,
    pub(super) pending: u64,
    pub(super) uncorrectable: u64,
    pub(super) power_cycles: u64,
    /// Sectors written since one last wore out.
    written: u64,
}

impl Health {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            temperature: options.temperature,
            reallocated: options.reallocated,
            pending: options.pending + u64::try_from(options.bad.len()).unwrap_or(0),
            uncorrectable: 0,
            power_cycles: 1,
            written: 0,
        }
    }

    /// Counts what was written, where that wears the disk out.
    pub(super) fn wear(&mut self, sectors: u64) {
        self.written += sectors;
        self.reallocated += self.written / WEAR;
        self.written %= WEAR;
    }

    /// Number, flags (bit 0: failure is near below the threshold), raw value.
    fn attributes(&self) -> [(u8, u16, u64); 10] {
        [
            (5, 0x33, self.reallocated),
            (9, 0x32, 1234),
            (12, 0x32, self.power_cycles),
            (187, 0x32, self.uncorrectable),
            (188, 0x32, 0),
            (194, 0x22, self.temperature),
            (196, 0x32, self.reallocated),
            (197, 0x12, self.pending),
            (198, 0x10, self.pending),
            (199, 0x3e, 0),
        ]
    }
}

impl SataDisk {
    pub(super) fn smart_command(&mut self, task: Taskfile, data: &mut DataPhase<'_>) -> Ended {
        if task.lba >> 8 & 0xffff != KEY {
            return ABORTED;
        }
        match (task.feature(), data) {
            (READ_DATA, DataPhase::In(buf)) => super::fill_sector(buf, &self.smart_data()),
            (READ_THRESHOLDS, DataPhase::In(buf)) => super::fill_sector(buf, &self.thresholds()),
            (RETURN_STATUS, DataPhase::None) => {
                let key = if self.wear_value() < THRESHOLD { EXCEEDED } else { KEY };
                Ok(Registers { count: 0, lba: key << 8 })
            }
            (ENABLE, DataPhase::None) => DONE,
            _ => ABORTED,
        }
    }

    /// The normalised value of attribute 5.
    fn wear_value(&self) -> u8 {
        let lost = if self.options.has(Word::Failing) { 99 } else { self.health.reallocated / SECTORS_A_POINT };
        100 - u8::try_from(lost.min(99)).unwrap_or(99)
    }

    fn smart_data(&self) -> [u8; 512] {
        let mut bytes = [0; 512];
        bytes[0] = 16;
        for (row, (id, flags, raw)) in bytes[2..].chunks_mut(12).zip(self.health.attributes()) {
            let value = if id == 5 { self.wear_value() } else { 100 };
            row[0] = id;
            row[1..3].copy_from_slice(&flags.to_le_bytes());
            (row[3], row[4]) = (value, value);
            row[5..11].copy_from_slice(&raw.to_le_bytes()[..6]);
        }
        seal(&mut bytes);
        bytes
    }

    fn thresholds(&self) -> [u8; 512] {
        let mut bytes = [0; 512];
        bytes[0] = 16;
        for (row, (id, ..)) in bytes[2..].chunks_mut(12).zip(self.health.attributes()) {
            (row[0], row[1]) = (id, if id == 5 { THRESHOLD } else { 0 });
        }
        seal(&mut bytes);
        bytes
    }

    pub(super) fn set_number(&mut self, name: &str, value: u64) -> Result<()> {
        match name {
            "temperature" => self.health.temperature = value,
            "reallocated" => self.health.reallocated = value,
            "pending" => self.health.pending = value,
            _ => bail!("{name:?} is no number of a SATA disk; temperature, reallocated and pending are"),
        }
        Ok(())
    }
}
