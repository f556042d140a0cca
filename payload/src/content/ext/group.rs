//! Group descriptors and bitmaps.

use super::{
    checksum::{crc16, crc32c},
    superblock::{Security, Superblock},
};
use crate::{
    blocks::ReadAt,
    content::doubt::{Doubt, agree, ensure, le16, le32, read},
};

/// The bitmap of inodes and their table were never written: none is in use.
const INODE_UNINIT: u16 = 0x1;
/// The bitmap of blocks was never written: only the group's own metadata are in use.
const BLOCK_UNINIT: u16 = 0x2;

/// Blocks that lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) start: u64,
    pub(super) len: u64,
}

/// What is needed of a descriptor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptor {
    block_bitmap: u64,
    inode_bitmap: u64,
    inode_table: u64,
    free: u64,
    flags: u16,
    bitmap_sum: u32,
    inode_bitmap_sum: u32,
    never_used: u32,
}

impl Descriptor {
    /// The block at which the group's inodes begin.
    pub(super) fn inode_table(&self) -> u64 {
        self.inode_table
    }

    /// Inodes at the end of the table that never were in use. Without checksums the field means nothing.
    pub(super) fn never_used(&self, superblock: &Superblock) -> u64 {
        if superblock.security == Security::None { 0 } else { self.never_used.into() }
    }

    /// Where it says the group's bitmaps and inodes are.
    pub(super) fn metadata(&self, superblock: &Superblock) -> [Location; 3] {
        [
            Location { start: self.block_bitmap, len: 1 },
            Location { start: self.inode_bitmap, len: 1 },
            Location { start: self.inode_table, len: superblock.inode_blocks },
        ]
    }
}

/// Reads descriptors and bitmaps; keeps the block of descriptors last read.
pub(super) struct Groups<'a> {
    volume: &'a dyn ReadAt,
    superblock: &'a Superblock,
    held: Option<(u64, Vec<u8>)>,
}

impl<'a> Groups<'a> {
    pub(super) fn new(volume: &'a dyn ReadAt, superblock: &'a Superblock) -> Self {
        Self { volume, superblock, held: None }
    }

    /// Where the `number`th block of descriptors is.
    fn descriptors_at(&self, number: u64) -> u64 {
        let superblock = self.superblock;
        if superblock.first_meta.is_none_or(|first| number < first) {
            // Behind the first superblock; with blocks of 1 KiB that is block 1.
            return superblock.first_block.max(u64::from(superblock.block == 1024)) + 1 + number;
        }
        let group = number * superblock.per_block();
        superblock.start_of(group) + u64::from(superblock.has_copy(group))
    }

    pub(super) fn descriptor(&mut self, group: u64) -> Result<Descriptor, Doubt> {
        let number = group / self.superblock.per_block();
        if self.held.as_ref().is_none_or(|(held, _)| *held != number) {
            let offset = self.descriptors_at(number).saturating_mul(self.superblock.block);
            let len = usize::try_from(self.superblock.block).unwrap_or(0);
            self.held = Some((number, read(self.volume, offset, len, "the group descriptors")?));
        }
        let block = self.held.as_ref().map(|(_, block)| block.as_slice()).unwrap_or_default();
        let len = usize::try_from(self.superblock.descriptor).unwrap_or(0);
        let at = usize::try_from(group % self.superblock.per_block()).unwrap_or(0) * len;
        let bytes = block.get(at..at + len).ok_or(Doubt::Short { what: "the group descriptors" })?;
        checked(bytes, group, self.superblock.security)?;
        let wide = len >= 64;
        let number = |low: usize, high: usize| {
            let upper = if wide { le32(bytes, high)? } else { 0 };
            Ok::<u64, Doubt>(u64::from(le32(bytes, low)?) | u64::from(upper) << 32)
        };
        let short = |low: usize, high: usize| {
            let upper = if wide { le16(bytes, high)? } else { 0 };
            Ok::<u32, Doubt>(u32::from(le16(bytes, low)?) | u32::from(upper) << 16)
        };
        Ok(Descriptor {
            block_bitmap: number(0x0, 0x20)?,
            inode_bitmap: number(0x4, 0x24)?,
            inode_table: number(0x8, 0x28)?,
            free: short(0xc, 0x2c)?.into(),
            flags: le16(bytes, 0x12)?,
            bitmap_sum: short(0x18, 0x38)?,
            inode_bitmap_sum: short(0x1a, 0x3a)?,
            never_used: short(0x1c, 0x32)?,
        })
    }

    /// The bits of a group's units, whose count agrees with the descriptor's.
    pub(super) fn bitmap(&mut self, group: u64) -> Result<Vec<u8>, Doubt> {
        let superblock = self.superblock;
        let descriptor = self.descriptor(group)?;
        let start = group * superblock.units_per_group;
        let units = superblock.units_per_group.min(superblock.units.saturating_sub(start));
        // Without checksums the flag means nothing (kernel, ext4_has_group_desc_csum).
        let unwritten = superblock.security != Security::None && descriptor.flags & BLOCK_UNINIT != 0;
        let bits = if unwritten { self.unwritten(group, &descriptor)? } else { self.written(&descriptor)? };
        let used = (0..units).filter(|unit| bit(&bits, *unit)).count() as u64;
        agree("free blocks in a group's bitmap and descriptor", units - used, descriptor.free)?;
        Ok(bits)
    }

    fn written(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Doubt> {
        let len = self.superblock.units_per_group / 8;
        self.checked_bitmap(descriptor.block_bitmap, len, descriptor.bitmap_sum, "a block bitmap and its checksum")
    }

    /// Which of a group's inodes are in use; `None` where none ever was.
    pub(super) fn inode_bitmap(&self, descriptor: &Descriptor) -> Result<Option<Vec<u8>>, Doubt> {
        if self.superblock.security != Security::None && descriptor.flags & INODE_UNINIT != 0 {
            return Ok(None);
        }
        let (len, sum) = (self.superblock.inodes_per_group.div_ceil(8), descriptor.inode_bitmap_sum);
        self.checked_bitmap(descriptor.inode_bitmap, len, sum, "an inode bitmap and its checksum").map(Some)
    }

    fn checked_bitmap(&self, at: u64, len: u64, expected: u32, what: &'static str) -> Result<Vec<u8>, Doubt> {
        let superblock = self.superblock;
        ensure(at < superblock.blocks, || Doubt::damaged("a bitmap behind the last block"))?;
        let bits =
            read(self.volume, at.saturating_mul(superblock.block), usize::try_from(len).unwrap_or(0), "a bitmap")?;
        if let Security::Everything(seed) = superblock.security {
            let whole = crc32c(seed, &bits);
            // Short descriptors have room for half of it.
            let sum = if superblock.descriptor >= 64 { whole } else { whole & 0xffff };
            agree(what, sum, expected)?;
        }
        Ok(bits)
    }

    /// What the kernel would write (ext4_init_block_bitmap): copies of superblock and descriptors, and those of the
    /// group's bitmaps and inodes that lie in it.
    fn unwritten(&self, group: u64, descriptor: &Descriptor) -> Result<Vec<u8>, Doubt> {
        let superblock = self.superblock;
        let mut bits = vec![0; usize::try_from(superblock.units_per_group / 8).unwrap_or(0)];
        let first = superblock.start_of(group);
        let end = (first + superblock.units_per_group * superblock.ratio).min(superblock.blocks);
        for Location { start, len } in self.base(group).into_iter().chain(descriptor.metadata(superblock)) {
            let (start, stop) = (start.max(first), start.saturating_add(len).min(end));
            if start >= stop {
                continue;
            }
            for unit in (start - first) / superblock.ratio..(stop - first).div_ceil(superblock.ratio) {
                if let Some(byte) = usize::try_from(unit / 8).ok().and_then(|at| bits.get_mut(at)) {
                    *byte |= 1 << (unit % 8);
                }
            }
        }
        Ok(bits)
    }

    /// The copies of superblock and descriptors at the start of a group, if it has any.
    pub(super) fn base(&self, group: u64) -> Option<Location> {
        let superblock = self.superblock;
        let (start, len) = (superblock.start_of(group), self.base_len(group));
        // The last group may be shorter than what others begin with.
        let len = len.min(superblock.blocks.saturating_sub(start));
        (len > 0).then_some(Location { start, len })
    }

    fn base_len(&self, group: u64) -> u64 {
        let superblock = self.superblock;
        let (per_block, copy) = (superblock.per_block(), superblock.has_copy(group));
        let meta = superblock.first_meta.filter(|first| group / per_block >= *first);
        if meta.is_some() {
            let place = group % per_block;
            let descriptors = place == 0 || place == 1 || place == per_block - 1;
            return u64::from(copy) + u64::from(descriptors);
        }
        let all = superblock.groups.div_ceil(per_block);
        let descriptors = superblock.first_meta.unwrap_or(all) + superblock.reserved_descriptors;
        if copy { 1 + descriptors } else { 0 }
    }
}

pub(super) fn bit(bits: &[u8], unit: u64) -> bool {
    let byte = usize::try_from(unit / 8).ok().and_then(|at| bits.get(at));
    byte.is_some_and(|byte| byte >> (unit % 8) & 1 == 1)
}

/// Fails unless the descriptor's checksum holds.
fn checked(bytes: &[u8], group: u64, security: Security) -> Result<(), Doubt> {
    const SUM: usize = 0x1e;
    let number = u32::try_from(group).unwrap_or(u32::MAX).to_le_bytes();
    let (before, after) = (bytes.get(..SUM).unwrap_or_default(), bytes.get(SUM + 2..).unwrap_or_default());
    let sum = match security {
        Security::None => return Ok(()),
        Security::Descriptors(seed) => crc16(crc16(crc16(seed, &number), before), after),
        Security::Everything(seed) => {
            let sum = [&number[..], before, &[0, 0], after].into_iter().fold(seed, crc32c);
            let [low, high, ..] = sum.to_le_bytes();
            u16::from_le_bytes([low, high])
        }
    };
    agree("a group descriptor and its checksum", sum, le16(bytes, SUM)?)
}
