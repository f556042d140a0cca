//! ext2, ext3 and ext4. Source: the kernel's Documentation/filesystems/ext4.
//!
//! The map is the block bitmap of each group. It is believed when the file system is clean and has only features that
//! are handled, all checksums it has hold, each group's count and the superblock's count agree with the bits, and the
//! metadata that the descriptors name lie in blocks in use, as does all that any inode uses.

use super::{
    doubt::{Doubt, agree, ensure},
    map::{Bits, Counted, Layout, Lookup, Map},
};
use crate::blocks::ReadAt;
use std::ops::Range;

mod checksum;
mod group;
mod inodes;
mod superblock;

use group::{Groups, Location};
use superblock::Superblock;

/// The map.
pub(super) fn prove(volume: &dyn ReadAt, always: &[Range<u64>]) -> Result<Counted, Doubt> {
    let superblock = Superblock::read(volume)?;
    let len = superblock.blocks.checked_mul(superblock.block);
    ensure(len.is_some_and(|len| len <= volume.size()), || {
        Doubt::damaged("the file system is longer than its partition")
    })?;
    let layout = superblock.layout();
    let counted = Map::count(volume, layout, Box::new(superblock.clone()), always)?;
    let free = (layout.units - counted.used) * superblock.ratio;
    agree("free blocks in the bitmaps and in the superblock", free, superblock.free)?;
    metadata_in_use(volume, &superblock, &counted.map)?;
    inodes::in_use(volume, &superblock, &counted.map, counted.used.saturating_mul(superblock.ratio))?;
    Ok(counted)
}

impl Bits for Superblock {
    /// Puts the bitmaps of the groups side by side. A group's first bit is always the first of a byte.
    fn fill(&self, volume: &dyn ReadAt, units: Range<u64>, bits: &mut [u8]) -> Result<(), Doubt> {
        let mut groups = Groups::new(volume, self);
        let mut at = units.start;
        while at < units.end {
            let number = at / self.units_per_group;
            let start = number * self.units_per_group;
            let end = (start + self.units_per_group).min(units.end);
            let bitmap = groups.bitmap(number)?;
            let (Ok(from), Ok(to), Ok(len)) = (
                usize::try_from((at - start) / 8),
                usize::try_from((at - units.start) / 8),
                usize::try_from((end - at).div_ceil(8)),
            ) else {
                return Err(Doubt::Short { what: "a block bitmap" });
            };
            let source = bitmap.get(from..).and_then(|rest| rest.get(..len));
            let target = bits.get_mut(to..).and_then(|rest| rest.get_mut(..len));
            let (Some(source), Some(target)) = (source, target) else {
                return Err(Doubt::Short { what: "a block bitmap" });
            };
            target.copy_from_slice(source);
            at = end;
        }
        Ok(())
    }
}

/// Copies of superblock and descriptors lie at the start of a group; bitmaps and inode tables may lie in any.
fn metadata_in_use(volume: &dyn ReadAt, superblock: &Superblock, map: &Map) -> Result<(), Doubt> {
    let mut groups = Groups::new(volume, superblock);
    let mut lookup = Lookup::new(map, volume);
    for number in 0..superblock.groups {
        let descriptor = groups.descriptor(number)?;
        for Location { start, len } in groups.base(number).into_iter().chain(descriptor.metadata(superblock)) {
            let (first, end) = superblock.units_of(start, len)?;
            lookup.in_use(first..end, || format!("metadata of group {number} at block {start}"))?;
        }
    }
    Ok(())
}

impl Superblock {
    fn layout(&self) -> Layout {
        Layout { origin: self.first_block * self.block, unit: self.block * self.ratio, units: self.units }
    }

    /// The units that blocks lie in.
    fn units_of(&self, start: u64, len: u64) -> Result<(u64, u64), Doubt> {
        let end = start.checked_add(len).filter(|end| *end <= self.blocks && start >= self.first_block);
        let end =
            end.ok_or_else(|| Doubt::damaged(format!("something is said to be at block {start}, which there is not")))?;
        Ok(((start - self.first_block) / self.ratio, (end - self.first_block).div_ceil(self.ratio)))
    }
}

#[cfg(test)]
mod tests;
