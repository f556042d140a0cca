//! SMART (ATA8-ACS, 7.52); the attribute table as smartmontools knows it.

use super::{
    identify::sealed,
    taskfile::{Ended, Taskfile},
};
use crate::target::DataPhase;

/// The values that change, by the attributes' numbers.
#[derive(Debug)]
pub(super) struct Smart {
    pub(super) temperature: u64,
    pub(super) reallocated: u64,
    pub(super) pending: u64,
    pub(super) failing: bool,
}

impl Smart {
    pub(super) fn new() -> Self {
        Self { temperature: 31, reallocated: 0, pending: 0, failing: false }
    }

    /// Number, flags, threshold, raw value.
    fn rows(&self) -> [(u8, u16, u8, u64); 9] {
        [
            (5, 0x33, 36, self.reallocated),
            (9, 0x32, 0, 31_207),
            (12, 0x32, 0, 512),
            (187, 0x32, 0, 0),
            (194, 0x22, 0, self.temperature),
            (196, 0x32, 0, self.reallocated),
            (197, 0x12, 0, self.pending),
            (198, 0x10, 0, self.pending),
            (199, 0x3e, 0, 3),
        ]
    }

    pub(super) fn run(&self, task: Taskfile, data: &mut DataPhase<'_>) -> Ended {
        // The key that every command of the set carries.
        if task.lba >> 8 & 0xffff != 0xc24f {
            return Err(0);
        }
        match (task.features & 0xff, data) {
            (0xd0, DataPhase::In(buf)) => super::fill(
                buf,
                &self.page(|(number, flags, _, raw)| {
                    let [low, high] = flags.to_le_bytes();
                    let raw = raw.to_le_bytes();
                    [number, low, high, 100, 100, raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], 0]
                }),
            ),
            (0xd1, DataPhase::In(buf)) => super::fill(
                buf,
                &self.page(|(number, _, threshold, _)| [number, threshold, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ),
            (0xd8, DataPhase::None) => Ok((0, task.lba)),
            (0xda, DataPhase::None) => Ok((0, if self.failing { 0x2c_f400 } else { 0xc2_4f00 })),
            _ => Err(0),
        }
    }

    fn page(&self, row: impl Fn((u8, u16, u8, u64)) -> [u8; 12]) -> [u8; 512] {
        let mut words = [0_u16; 256];
        words[0] = 16;
        let bytes: Vec<u8> = self.rows().into_iter().flat_map(row).collect();
        for (word, two) in words[1..].iter_mut().zip(bytes.chunks(2)) {
            *word = u16::from_le_bytes([two[0], two[1]]);
        }
        sealed(&words)
    }
}
