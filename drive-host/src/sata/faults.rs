//! Access to the medium, and what is wrong with it.

use super::{SataDisk, options::Word};
use crate::{
    file_disk::{Sense, failed},
    target::{Answer, DataPhase},
};

const UNRECOVERED_READ: Sense = (3, 0x11, 0);
const WRITE_ERROR: Sense = (3, 0x0c, 0);
const MEDIUM_FORMAT_CORRUPTED: Sense = (3, 0x31, 0);
/// What libata makes of an aborted read or write.
const ABORTED_COMMAND: Sense = (0xb, 0, 0);

impl SataDisk {
    /// An erasure begins: what some disks do badly from here on.
    pub(super) fn begin_erasure(&mut self) {
        (self.erase_was_begun, self.was_changed) = (true, true);
        self.capacity_is_lost = self.options.has(Word::CapacityZeroAfterErase);
    }

    /// SCSI commands that need the medium; `None` for another.
    pub(super) fn medium_command(&mut self, cdb: &[u8], data: &mut DataPhase<'_>) -> Option<Answer> {
        match *cdb.first()? {
            // READ CAPACITY (10) and (16).
            0x25 | 0x9e if self.capacity_is_lost => Some(failed(MEDIUM_FORMAT_CORRUPTED)),
            0x28 | 0x88 | 0x2a | 0x8a if cdb.len() >= 16 => Some(self.access(cdb, data)),
            _ => None,
        }
    }

    fn access(&mut self, cdb: &[u8], data: &mut DataPhase<'_>) -> Answer {
        (self.security.prepared, self.limits.native_was_read) = (false, false);
        if self.security.locked || self.sanitize.holds_the_medium() || self.security.erasing.is_some() {
            return failed(ABORTED_COMMAND);
        }
        if self.capacity_is_lost {
            return failed(MEDIUM_FORMAT_CORRUPTED);
        }
        let (first, sectors) = match self.disk.blocks_of(cdb) {
            Ok(range) => range,
            Err(sense) => return failed(sense),
        };
        let end = first + sectors;
        let writes = matches!(cdb[0], 0x2a | 0x8a);
        let broken = if writes { &self.unwritable } else { &self.bad };
        let stop = broken.range(first..end).next().copied();
        let mut answer = self.disk.access(first, stop.unwrap_or(end) - first, data);
        let moved = if answer.status == 0 { stop.unwrap_or(end) } else { first };
        if writes {
            self.remap(first, moved);
            if self.options.has(Word::Degrades) {
                self.health.wear(moved - first);
            }
        }
        if let (Some(lba), 0) = (stop, answer.status) {
            let sense = if writes { WRITE_ERROR } else { UNRECOVERED_READ };
            self.health.uncorrectable += u64::from(!writes);
            answer = Answer { transferred: answer.transferred, ..failed_at(sense, lba) };
        }
        answer
    }

    /// Bad sectors among those that were written get others in their place.
    pub(super) fn remap(&mut self, first: u64, end: u64) {
        let good: Vec<u64> = self.bad.range(first..end.max(first)).copied().collect();
        for lba in good {
            self.bad.remove(&lba);
            self.health.reallocated += 1;
            self.health.pending = self.health.pending.saturating_sub(1);
        }
    }

    /// DATA SET MANAGEMENT with TRIM (ACS-3, 7.6): ranges of eight bytes, LBA and count; the cells read as zeros.
    pub(super) fn trim(&mut self, ranges: &[u8]) -> bool {
        let visible = self.limits.visible;
        ranges.chunks_exact(8).all(|range| {
            let mut lba = [0; 8];
            lba[..6].copy_from_slice(&range[..6]);
            let (lba, count) = (u64::from_le_bytes(lba), u16::from_le_bytes([range[6], range[7]]));
            let fits = lba.checked_add(count.into()).is_some_and(|end| end <= visible);
            fits && self.disk.write_cells(lba, &vec![0; usize::from(count) * 512]).is_ok()
        })
    }
}

/// Fixed-format sense data whose INFORMATION field is the sector (SPC-5, section 4.4.3).
fn failed_at(sense: Sense, lba: u64) -> Answer {
    let mut answer = failed(sense);
    if let Ok(lba) = u32::try_from(lba) {
        answer.sense[0] |= 0x80;
        answer.sense[3..7].copy_from_slice(&lba.to_be_bytes());
    }
    answer
}
