//! General purpose logs (ACS-3, 7.24, READ LOG EXT): the directory, and the statistics that say how hot the disk may get.

use super::{
    SataDisk,
    taskfile::{ABORTED, Ended, Taskfile},
};
use crate::target::DataPhase;

pub(super) const READ_LOG_EXT: u8 = 0x2f;
const DIRECTORY: u8 = 0x00;
const STATISTICS: u8 = 0x04;
/// Pages of the statistics log: the list of pages, and Temperature Statistics.
const PAGES: [u8; 2] = [0x00, 0x05];
/// A statistic that is there and valid.
const VALID: u8 = 0xc0;

impl SataDisk {
    /// One sector of a log; nothing of a disk without a limit.
    pub(super) fn read_log(&self, task: Taskfile, data: &mut DataPhase<'_>) -> Ended {
        let [log, page, _, _, high, ..] = task.lba.to_le_bytes();
        let sector = match (self.options.temperature_limit, log, page, high) {
            (None, ..) => None,
            (Some(_), DIRECTORY, 0, 0) => Some(directory()),
            (Some(_), STATISTICS, 0, 0) => Some(list()),
            (Some(limit), STATISTICS, 5, 0) => Some(self.temperatures(limit)),
            _ => None,
        };
        match (sector, data, task.count) {
            (Some(sector), DataPhase::In(buf), 1) => super::fill_sector(buf, &sector),
            _ => ABORTED,
        }
    }

    /// Page 05h: the temperature now, the highest, and the limits.
    fn temperatures(&self, limit: i8) -> [u8; 512] {
        let now = i8::try_from(self.health.temperature).unwrap_or(i8::MAX);
        let mut page = [0; 512];
        (page[0], page[2]) = (1, 5);
        for (at, celsius) in [(8, now), (32, now), (88, limit), (104, 0)] {
            page[at] = celsius.cast_unsigned();
            page[at + 7] = VALID;
        }
        page
    }
}

fn directory() -> [u8; 512] {
    let mut sector = [0; 512];
    sector[0] = 1;
    // The statistics log has pages up to 05h.
    sector[usize::from(STATISTICS) * 2] = 6;
    sector
}

fn list() -> [u8; 512] {
    let mut sector = [0; 512];
    (sector[0], sector[8]) = (1, 2);
    sector[9..9 + PAGES.len()].copy_from_slice(&PAGES);
    sector
}
