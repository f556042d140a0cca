//! What a drive held must not look whole while it is overwritten: its partition table and the heads and ends of its partitions
//! become zeros, on the medium, before anything else is written. A job that was cut leaves a drive without a table that anybody
//! reads, never an old table over new content.

use super::look::Shared;
use crate::{
    content::{self, Gpt},
    drive::DataPlane,
    engine::{
        extents::Ranges,
        pattern::Pattern,
        sweep::{self, End, Found, Limits, Mode, Observer},
    },
};

/// Both ends of the drive: boot sector, MBR, both copies of a GPT with its table.
const END: u64 = 1 << 20;
/// Both ends of each partition: the superblocks of ext (1 KiB), Btrfs (64 KiB), XFS, FAT, NTFS with its copy in the last block,
/// LVM, LUKS, RAID at the start or the end.
const PART: u64 = 128 << 10;

/// The ranges within the first `bytes` of the drive, which are all to be overwritten. Where the drive does not answer meanwhile, nothing
/// is to be written: a request that never came home may still be under way.
pub(super) fn ranges(plane: &mut dyn DataPlane, bytes: u64, limits: Limits) -> Result<Ranges, String> {
    let geometry = plane.geometry();
    let unit = u64::from(geometry.logical());
    let mut found = Ranges::default();
    let mut ends = |start: u64, end: u64, len: u64| {
        for (from, to) in [(start, end.min(start.saturating_add(len))), (start.max(end.saturating_sub(len)), end)] {
            // What lies behind is not this job's to write.
            let (from, to) = (from / unit * unit, to.min(bytes) / unit * unit);
            if from < to {
                found.insert(from, to - from);
            }
        }
    };
    ends(0, bytes.min(geometry.bytes()), END);
    let disk = Shared::new(plane, limits.hang);
    // A table that cannot be read is none that anybody would go by.
    for volume in &content::outline(&disk, geometry.logical()).volumes {
        ends(volume.start, volume.start.saturating_add(volume.len), PART);
    }
    // Each copy of a GPT by itself: tools go by either, also where another table stands before it.
    let last = (geometry.bytes() / unit).saturating_sub(1);
    for gpt in [1, last].into_iter().filter_map(|lba| Gpt::read(&disk, unit, lba)) {
        for entry in gpt.used() {
            ends(entry.first.saturating_mul(unit), entry.last.saturating_add(1).saturating_mul(unit), PART);
        }
    }
    if disk.is_silent() {
        return Err(format!("no answer from the drive for {} s; nothing was written", limits.hang.as_secs()));
    }
    Ok(found)
}

/// Makes them zeros, flushed.
pub(super) fn make(
    plane: &mut dyn DataPlane,
    ranges: &Ranges,
    limits: Limits,
    observer: &mut dyn Observer,
) -> Result<(), End> {
    let mut quiet = Quiet(observer);
    match sweep::sweep(plane, Mode::Write, Pattern::Byte(0), ranges, limits, &mut quiet) {
        (found, End::Complete) if found.places() > 0 => return Err(End::TooManyBad),
        (_, End::Complete) => {}
        (_, end) => return Err(end),
    }
    plane.flush().map_err(End::Failed)
}

/// These bytes are none of the content's: they do not count as progress.
struct Quiet<'a>(&'a mut dyn Observer);

impl Observer for Quiet<'_> {
    fn advanced(&mut self, _bytes: u64) {}

    fn checkpoint(&mut self, _offset: u64, _found: &Found) {}

    fn stop(&self) -> bool {
        self.0.stop()
    }
}
