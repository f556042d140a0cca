//! The superblock, group descriptors and inodes.

use crate::{
    blocks::ReadAt,
    browse::{
        BrowseError, EntryKind,
        bytes::{array, index, u8_at, u16_at, u32_at},
    },
};
use std::ops::Range;

/// The inode of the top folder.
pub(super) const ROOT: u32 = 2;

/// Incompatible features.
mod feature {
    pub(super) const RECOVER: u32 = 0x4;
    pub(super) const META_BG: u32 = 0x10;
    pub(super) const BITS_64: u32 = 0x80;
    /// filetype, recover, meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, largedir, inline_data, encrypt, casefold.
    /// Not: compression, journal devices, dirdata, and what comes after.
    pub(super) const KNOWN: u32 = 0x3_E7D6;
}

/// Flags of an inode.
mod flag {
    pub(super) const COMPRESSED: u32 = 0x4;
    pub(super) const ENCRYPTED: u32 = 0x800;
    pub(super) const EXTENTS: u32 = 0x8_0000;
    pub(super) const EA_INODE: u32 = 0x20_0000;
    pub(super) const INLINE_DATA: u32 = 0x1000_0000;
}

/// An open volume.
pub(in crate::browse) struct Ext<'a> {
    volume: &'a dyn ReadAt,
    block_size: u64,
    blocks: u64,
    first_block: u64,
    per_group: u64,
    inodes: u32,
    inodes_per_group: u32,
    inode_size: u64,
    descriptor: u64,
    incompatible: u32,
    first_meta_group: u64,
    supers: Supers,
}

/// Which groups have a copy of the superblock.
enum Supers {
    All,
    /// 0, 1 and the powers of 3, 5 and 7.
    Sparse,
    /// The first group and these.
    Two([u32; 2]),
}

impl Supers {
    fn has(&self, group: u64) -> bool {
        let power = |base: u64| std::iter::successors(Some(base), |n| n.checked_mul(base)).find(|n| *n >= group);
        match self {
            Self::All => true,
            Self::Sparse => group <= 1 || [3, 5, 7].into_iter().any(|base| power(base) == Some(group)),
            Self::Two(groups) => group == 0 || groups.iter().any(|n| u64::from(*n) == group),
        }
    }
}

impl<'a> Ext<'a> {
    pub(in crate::browse) fn open(volume: &'a dyn ReadAt) -> Result<Self, BrowseError> {
        let mut sb = [0; 1024];
        volume.read_at(1024, &mut sb)?;
        let incompatible = u32_at(&sb, 0x60).unwrap_or(u32::MAX);
        let unknown = incompatible & !feature::KNOWN;
        if unknown != 0 {
            return Err(BrowseError::Unsupported(format!("the file system uses features unknown here ({unknown:#x})")));
        }
        Self::parse(volume, &sb, incompatible).ok_or_else(|| BrowseError::damaged("the superblock contradicts itself"))
    }

    fn parse(volume: &'a dyn ReadAt, sb: &[u8], incompatible: u32) -> Option<Self> {
        let log = u32_at(sb, 0x18).filter(|log| *log <= 6)?;
        let block_size = 1024 << log;
        let wide = incompatible & feature::BITS_64 != 0;
        let high = if wide { u64::from(u32_at(sb, 0x150)?) } else { 0 };
        let old = u32_at(sb, 0x4C)? == 0;
        let inode_size = if old { 128 } else { u64::from(u16_at(sb, 0x58)?) };
        let descriptor = if wide { u64::from(u16_at(sb, 0xFE)?) } else { 32 };
        let per_group = u64::from(u32_at(sb, 0x20)?);
        let sane = (128..=block_size).contains(&inode_size)
            && inode_size.is_power_of_two()
            && (32..=1024).contains(&descriptor)
            && descriptor.is_power_of_two()
            && (8..=1 << 19).contains(&per_group);
        let backups = [u32_at(sb, 0x24C)?, u32_at(sb, 0x250)?];
        let supers = match (u32_at(sb, 0x5C)? & 0x200, u32_at(sb, 0x64)? & 1) {
            (0, 0) => Supers::All,
            (0, _) => Supers::Sparse,
            _ => Supers::Two(backups),
        };
        sane.then_some(Self {
            volume,
            block_size,
            // The superblock may promise more than there is.
            blocks: (u64::from(u32_at(sb, 4)?) | high << 32).min(volume.size() / block_size),
            first_block: u64::from(u32_at(sb, 0x14)?),
            per_group,
            inodes: u32_at(sb, 0)?,
            inodes_per_group: u32_at(sb, 0x28).filter(|n| *n > 0)?,
            inode_size,
            descriptor,
            incompatible,
            first_meta_group: u64::from(u32_at(sb, 0x104)?),
            supers,
        })
    }

    pub(super) fn volume(&self) -> &'a dyn ReadAt {
        self.volume
    }

    pub(super) fn block_size(&self) -> u64 {
        self.block_size
    }

    /// How many blocks the volume has.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) fn needs_recovery(&self) -> bool {
        self.incompatible & feature::RECOVER != 0
    }

    /// Bytes of blocks, if the volume has them.
    pub(super) fn bytes(&self, block: u64, count: u64) -> Option<Range<u64>> {
        let end = block.checked_add(count).filter(|end| block > 0 && *end <= self.blocks)?;
        Some(block * self.block_size..end * self.block_size)
    }

    /// Where the descriptor of a group lies (ext4_group_desc, descriptor_loc in the kernel).
    fn descriptor_at(&self, group: u64) -> Option<u64> {
        let per_block = self.block_size / self.descriptor;
        let meta = group / per_block;
        let block = if self.incompatible & feature::META_BG == 0 || meta < self.first_meta_group {
            // Behind the superblock, which is in block 1 where blocks have 1 KiB, whatever the first block is (bigalloc).
            u64::from(self.block_size == 1024) + 1 + meta
        } else {
            let first = meta * per_block;
            let extra = u64::from(self.block_size == 1024 && meta == 0 && self.first_block == 0);
            first.checked_mul(self.per_group)? + self.first_block + extra + u64::from(self.supers.has(first))
        };
        Some(self.bytes(block, 1)?.start + group % per_block * self.descriptor)
    }

    pub(super) fn inode(&self, number: u32) -> Result<Inode, BrowseError> {
        let missing = || BrowseError::damaged(format!("there is no valid inode {number}"));
        let before = number.checked_sub(1).filter(|_| number <= self.inodes).ok_or_else(missing)?;
        let (group, within) = (before / self.inodes_per_group, before % self.inodes_per_group);
        let mut descriptor = [0; 64];
        let len = index(self.descriptor.min(64));
        let at = self.descriptor_at(group.into()).ok_or_else(missing)?;
        self.volume.read_at(at, &mut descriptor[..len])?;
        let table = |at| u32_at(&descriptor, at).map_or(0, u64::from);
        let table = self.bytes(table(8) | table(0x28) << 32, 1).ok_or_else(missing)?.start;
        let at = table + u64::from(within) * self.inode_size;
        // Larger ones are made by nobody; what would lie behind this is missing then.
        let mut raw = vec![0; index(self.inode_size.min(4096))];
        self.volume.read_at(at, &mut raw)?;
        Inode::parse(&raw, at..at + self.inode_size).ok_or_else(missing)
    }
}

/// What is needed of an inode.
pub(super) struct Inode {
    /// Its own place on the volume.
    pub(super) at: Range<u64>,
    mode: u16,
    flags: u32,
    pub(super) size: u64,
    /// Seconds since 1970.
    pub(super) modified: i64,
    /// The block map, the extent tree, a short link's target or data.
    pub(super) block: [u8; 60],
    /// What of the data in the inode does not fit there: the value of an attribute.
    rest: Option<Vec<u8>>,
}

/// The value of the attribute `system.data` in the inode (ext4_xattr_ibody_header, ext4_xattr_entry).
fn inline_rest(raw: &[u8]) -> Option<Vec<u8>> {
    const SYSTEM: u8 = 7;
    let header = 128 + usize::from(u16_at(raw, 0x80)?);
    if u32_at(raw, header)? != 0xEA02_0000 {
        return None;
    }
    let values = header + 4;
    let mut at = values;
    while u32_at(raw, at)? != 0 {
        let (len, space) = (usize::from(u8_at(raw, at)?), u8_at(raw, at + 1)?);
        let name = raw.get(at + 16..at + 16 + len)?;
        if space == SYSTEM && name == b"data" && u32_at(raw, at + 4)? == 0 {
            let start = values + usize::from(u16_at(raw, at + 2)?);
            return Some(raw.get(start..start.checked_add(index(u32_at(raw, at + 8)?))?)?.to_vec());
        }
        at += 16 + len.next_multiple_of(4);
    }
    None
}

impl Inode {
    fn parse(raw: &[u8], at: Range<u64>) -> Option<Self> {
        let mode = u16_at(raw, 0).filter(|mode| *mode != 0)?;
        let seconds = i64::from(i32::from_le_bytes(array(raw, 0x10)?));
        // Two more bits of the seconds, where the inode is long enough for them.
        let extra = u16_at(raw, 0x80).filter(|extra| *extra >= 12).and_then(|_| u32_at(raw, 0x88)).unwrap_or(0);
        let flags = u32_at(raw, 0x20)?;
        Some(Self {
            at,
            mode,
            flags,
            size: u64::from(u32_at(raw, 4)?) | u64::from(u32_at(raw, 0x6C)?) << 32,
            modified: seconds + (i64::from(extra & 3) << 32),
            block: array(raw, 0x28)?,
            rest: inline_rest(raw).filter(|_| flags & flag::INLINE_DATA != 0),
        })
    }

    pub(super) fn kind(&self) -> EntryKind {
        match self.mode >> 12 {
            0x8 => EntryKind::File,
            0x4 => EntryKind::Folder,
            0xA => EntryKind::Link,
            _ => EntryKind::Other,
        }
    }

    pub(super) fn has_extents(&self) -> bool {
        self.flags & flag::EXTENTS != 0
    }

    pub(super) fn is_inline(&self) -> bool {
        self.flags & flag::INLINE_DATA != 0
    }

    /// The data in the inode, if they are all there.
    pub(super) fn inline(&self) -> Option<Vec<u8>> {
        let first = self.block.iter().chain(self.rest.iter().flatten());
        let len = index(self.size);
        let data: Vec<u8> = first.take(len).copied().collect();
        (data.len() == len).then_some(data)
    }

    /// The entries of a folder in the inode: behind the number of the folder above, and in the attribute.
    pub(super) fn inline_entries(&self) -> [&[u8]; 2] {
        [&self.block[4..], self.rest.as_deref().unwrap_or_default()]
    }

    /// Why the data mean nothing here.
    pub(super) fn unreadable(&self) -> Option<&'static str> {
        let ways = [
            (flag::ENCRYPTED, "encrypted (fscrypt)"),
            (flag::COMPRESSED, "compressed (e2compr)"),
            (flag::EA_INODE, "the value of an attribute"),
        ];
        ways.into_iter().find(|(flag, _)| self.flags & flag != 0).map(|(_, how)| how)
    }

    /// Devices, pipes, short links and data in the inode.
    pub(super) fn has_no_blocks(&self) -> bool {
        match self.kind() {
            EntryKind::Other => true,
            EntryKind::Link => self.size < 60 && !self.has_extents(),
            EntryKind::File | EntryKind::Folder => self.is_inline(),
        }
    }
}

/// The extent header and entries need no more than this of a block's start.
pub(super) fn is_extent_node(node: &[u8]) -> bool {
    u8_at(node, 0) == Some(0x0A) && u8_at(node, 1) == Some(0xF3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_superblocks_are_in_powers() {
        let with: Vec<u64> = (0..130).filter(|group| Supers::Sparse.has(*group)).collect();
        assert_eq!(with, [0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
        assert!(Supers::Two([4, 9]).has(9) && !Supers::Two([4, 9]).has(3) && Supers::All.has(12));
    }
}
