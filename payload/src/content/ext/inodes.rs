//! Every block that an inode uses, to see that the bitmaps call it in use: data, blocks of maps and extent trees, blocks
//! of extended attributes. Directories, the journal and the file system's own files are inodes like any other.

use super::{
    group::{Descriptor, Groups},
    superblock::Superblock,
};
use crate::{
    blocks::ReadAt,
    content::{
        doubt::{Doubt, ensure, field, le16, le32, read, read_into},
        map::{Lookup, Map},
    },
};
use std::ops::Range;

/// The kernel's EXT4_MAX_EXTENT_DEPTH.
const MAX_DEPTH: u16 = 5;
/// Lengths above this are of extents that were never written; their blocks are in use all the same.
const UNWRITTEN: u64 = 32768;
/// Places that wait to be looked up together, in the bitmaps' order: so no order of files makes the bitmaps be read again
/// and again.
const WAITING: usize = 1 << 16;
/// Bytes of inodes read at once.
const PIECE: u64 = 1 << 20;

// Flags of an inode.
const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;

/// Fails unless all that inodes use is in use; `used` blocks are.
pub(super) fn in_use(volume: &dyn ReadAt, superblock: &Superblock, map: &Map, used: u64) -> Result<(), Doubt> {
    let mut walk = Walk { volume, superblock, lookup: Lookup::new(map, volume), waiting: Vec::new(), left: used };
    let mut groups = Groups::new(volume, superblock);
    for number in 0..superblock.groups {
        let descriptor = groups.descriptor(number)?;
        if let Some(bits) = groups.inode_bitmap(&descriptor)? {
            walk.group(number, &descriptor, &bits)?;
        }
    }
    walk.flush()
}

/// Units that an inode uses.
struct Place {
    units: Range<u64>,
    inode: u64,
}

struct Walk<'a> {
    volume: &'a dyn ReadAt,
    superblock: &'a Superblock,
    lookup: Lookup<'a>,
    waiting: Vec<Place>,
    /// Blocks that may still be named: each belongs to one inode.
    left: u64,
}

impl Walk<'_> {
    /// The inodes of a group that were ever used. Which are in use is said twice, by the bitmap and by their links: either
    /// is enough to look at one.
    fn group(&mut self, group: u64, descriptor: &Descriptor, bits: &[u8]) -> Result<(), Doubt> {
        let superblock = self.superblock;
        let (size, per_group) = (superblock.inode_size, superblock.inodes_per_group);
        let count = per_group - descriptor.never_used(superblock).min(per_group);
        let table = descriptor.inode_table().saturating_mul(superblock.block);
        let at_once = (PIECE / size).max(1);
        let mut bytes = Vec::new();
        for first in (0..count).step_by(usize::try_from(at_once).unwrap_or(1)) {
            let len = (count - first).min(at_once) * size;
            bytes.resize(usize::try_from(len).unwrap_or(0), 0);
            read_into(self.volume, table.saturating_add(first * size), &mut bytes, "a table of inodes")?;
            for (index, inode) in (first..).zip(bytes.chunks_exact(usize::try_from(size).unwrap_or(128))) {
                let (links, deleted) = (le16(inode, 0x1a)?, le32(inode, 0x14)?);
                if super::group::bit(bits, index) || (links > 0 && deleted == 0) {
                    self.inode(group * per_group + index + 1, inode)?;
                }
            }
        }
        Ok(())
    }

    fn inode(&mut self, number: u64, inode: &[u8]) -> Result<(), Doubt> {
        const DEVICES: [u16; 4] = [0x1, 0x2, 0x6, 0xc];
        const LINK: u16 = 0xa;
        let (kind, flags) = (le16(inode, 0)? >> 12, le32(inode, 0x20)?);
        let upper = if self.superblock.wide { u64::from(le16(inode, 0x76)?) << 32 } else { 0 };
        let attributes = u64::from(le32(inode, 0x68)?) | upper;
        if attributes != 0 {
            // Many inodes may have the same attributes in one block: it is not counted.
            self.wait(number, attributes, 1)?;
        }
        let extents = flags & EXTENTS != 0;
        let size = u64::from(le32(inode, 4)?) | u64::from(le32(inode, 0x6c)?) << 32;
        let short = kind == LINK && size < 60 && !extents;
        if DEVICES.contains(&kind) || flags & INLINE_DATA != 0 || short {
            return Ok(());
        }
        let map: [u8; 60] = field(inode, 0x28)?;
        if extents { self.node(number, &map, None) } else { self.block_map(number, &map) }
    }

    /// A node of an extent tree; `depth` is what it must have.
    fn node(&mut self, inode: u64, node: &[u8], depth: Option<u16>) -> Result<(), Doubt> {
        let (count, of) = (usize::from(le16(node, 2)?), le16(node, 6)?);
        let sense = le16(node, 0)? == 0xf30a
            && of <= MAX_DEPTH
            && depth.is_none_or(|depth| depth == of)
            && 12 + count * 12 <= node.len();
        ensure(sense, || Doubt::damaged(format!("the extent tree of inode {inode} makes no sense")))?;
        for entry in node[12..].as_chunks::<12>().0.iter().take(count) {
            let (low, high) = if of > 0 { (4, 8) } else { (8, 6) };
            let start = u64::from(le32(entry, low)?) | u64::from(le16(entry, high)?) << 32;
            if of > 0 {
                let block = self.block(inode, start)?;
                self.node(inode, &block, Some(of - 1))?;
            } else {
                let len = u64::from(le16(entry, 4)?);
                self.uses(inode, start, if len > UNWRITTEN { len - UNWRITTEN } else { len })?;
            }
        }
        Ok(())
    }

    /// The map of ext2 and ext3: 12 blocks, and blocks of numbers in one, two and three levels.
    fn block_map(&mut self, inode: u64, map: &[u8; 60]) -> Result<(), Doubt> {
        self.pointers(inode, &map[..48], 0)?;
        for (level, pointer) in (1..).zip(map[48..].as_chunks::<4>().0) {
            self.pointers(inode, pointer, level)?;
        }
        Ok(())
    }

    fn pointers(&mut self, inode: u64, pointers: &[u8], level: u32) -> Result<(), Doubt> {
        // Neighbours are looked up together.
        let (mut start, mut len) = (0, 0);
        for pointer in pointers.as_chunks::<4>().0 {
            let at = u64::from(u32::from_le_bytes(*pointer));
            if at == 0 {
                continue;
            }
            if level > 0 {
                let block = self.block(inode, at)?;
                self.pointers(inode, &block, level - 1)?;
            } else if len > 0 && at == start + len {
                len += 1;
            } else {
                self.uses(inode, start, len)?;
                (start, len) = (at, 1);
            }
        }
        self.uses(inode, start, len)
    }

    /// A block of a map or tree.
    fn block(&mut self, inode: u64, number: u64) -> Result<Vec<u8>, Doubt> {
        self.uses(inode, number, 1)?;
        let len = usize::try_from(self.superblock.block).unwrap_or(0);
        read(self.volume, number.saturating_mul(self.superblock.block), len, "the map of a file")
    }

    fn uses(&mut self, inode: u64, start: u64, len: u64) -> Result<(), Doubt> {
        let left = self.left.checked_sub(len);
        self.left = left.ok_or_else(|| Doubt::damaged("files use more blocks than are in use: some use the same"))?;
        if len == 0 { Ok(()) } else { self.wait(inode, start, len) }
    }

    fn wait(&mut self, inode: u64, start: u64, len: u64) -> Result<(), Doubt> {
        let (first, end) = self.superblock.units_of(start, len)?;
        self.waiting.push(Place { units: first..end, inode });
        if self.waiting.len() < WAITING { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Doubt> {
        self.waiting.sort_unstable_by_key(|place| place.units.start);
        let lookup = &mut self.lookup;
        self.waiting
            .drain(..)
            .try_for_each(|Place { units, inode }| lookup.in_use(units, || format!("a part of inode {inode}")))
    }
}
