//! What a disk writes over its own cells.

use crate::file_disk::FileDisk;
use std::ops::Range;

/// Sectors written at once.
const CHUNK: u64 = 256;
const SECTOR: usize = 512;

/// What cells are filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fill {
    /// These bytes over and over.
    Pattern([u8; 4]),
    /// What a changed key makes of the cells: noise that this number chooses.
    Noise(u64),
}

impl Fill {
    fn next(&mut self, chunk: &mut [u8]) {
        match self {
            Self::Pattern(bytes) => chunk.chunks_mut(4).for_each(|four| four.copy_from_slice(&bytes[..four.len()])),
            Self::Noise(state) => chunk.chunks_mut(8).for_each(|eight| {
                eight.copy_from_slice(&xorshift(state).to_le_bytes()[..eight.len()]);
            }),
        }
    }
}

/// Marsaglia, "Xorshift RNGs" (2003): 64 bits, shifts 13, 7, 17. The state is never 0.
fn xorshift(state: &mut u64) -> u64 {
    *state |= u64::from(*state == 0);
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Noise of a disk's own: another for each serial number and each change of its key.
pub(crate) fn noise(serial: &str, changes: u64) -> Fill {
    Fill::Noise(serial.bytes().fold(changes, |n, b| n << 8 ^ n >> 3 ^ u64::from(b)))
}

/// Fills sectors, whatever the initiator can address. `false` where the file could not be written.
pub(crate) fn fill(disk: &FileDisk, serial: &str, sectors: Range<u64>, mut fill: Fill) -> bool {
    let mut chunk = vec![0; SECTOR * usize::try_from(CHUNK).unwrap_or(1)];
    for first in sectors.clone().step_by(usize::try_from(CHUNK).unwrap_or(1)) {
        let len = SECTOR * usize::try_from(CHUNK.min(sectors.end - first)).unwrap_or(1);
        fill.next(&mut chunk[..len]);
        if let Err(error) = disk.write_cells(first, &chunk[..len]) {
            eprintln!("drive-host: {serial}: the cells cannot be written: {error}");
            return false;
        }
    }
    true
}
