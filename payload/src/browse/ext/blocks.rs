//! Where the blocks of a file lie: extent trees and block maps.

use super::volume::{Ext, Inode, is_extent_node};
use crate::browse::{
    BrowseError,
    bytes::{index, u16_at, u32_at},
};
use std::ops::{ControlFlow, Range};

/// The kernel's EXT4_MAX_EXTENT_DEPTH.
const MAX_DEPTH: u16 = 5;
/// Lengths above this are of extents that read as zeros.
const UNWRITTEN: u16 = 32768;

/// A part of a file, in bytes of the volume.
pub(super) enum Piece {
    /// Data; `offset` is in bytes of the file. Between the pieces are zeros.
    Data { offset: u64, at: Range<u64> },
    /// A block of the map or tree itself.
    Map(Range<u64>),
}

type Each<'e> = &'e mut dyn FnMut(Piece) -> ControlFlow<()>;

/// A walk through the map of one file. The data of a file cannot be more than the volume, nor can its map: so every walk
/// ends, whatever the blocks say.
struct Walk<'w, 'v> {
    ext: &'w Ext<'v>,
    each: Each<'w>,
    /// Blocks of data and of the map that may still come.
    left: u64,
    /// The first block of the file that has not been told.
    next: u64,
    /// Blocks of the file up to its end.
    end: u64,
}

enum Stop {
    Wanted,
    Failed(BrowseError),
}

impl Ext<'_> {
    /// Tells where a file lies, in the file's order.
    pub(super) fn pieces(&self, inode: &Inode, each: Each<'_>) -> Result<(), BrowseError> {
        let end = inode.size.div_ceil(self.block_size());
        let mut walk = Walk { ext: self, each, left: self.blocks(), next: 0, end };
        let done = if inode.has_extents() { walk.node(&inode.block, None) } else { walk.map(&inode.block) };
        match done {
            Ok(()) | Err(Stop::Wanted) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

fn damaged(what: &str) -> Stop {
    Stop::Failed(BrowseError::damaged(what))
}

impl Walk<'_, '_> {
    /// A node of an extent tree; `depth` is what it must have.
    fn node(&mut self, node: &[u8], depth: Option<u16>) -> Result<(), Stop> {
        let broken = || damaged("a tree of extents makes no sense");
        let (count, of) = (u16_at(node, 2).unwrap_or(0), u16_at(node, 6).unwrap_or(u16::MAX));
        let fits = 12 + usize::from(count) * 12 <= node.len();
        if !is_extent_node(node) || of > MAX_DEPTH || depth.is_some_and(|depth| depth != of) || !fits {
            return Err(broken());
        }
        for entry in node[12..].as_chunks::<12>().0.iter().take(count.into()) {
            let first = u64::from(u32_at(entry, 0).unwrap_or(0));
            if first < self.next {
                return Err(broken());
            }
            let low = |at| u64::from(u32_at(entry, at).unwrap_or(0));
            let high = |at| u64::from(u16_at(entry, at).unwrap_or(0));
            if of > 0 {
                let block = self.block(low(4) | high(8) << 32)?;
                self.node(&block, Some(of - 1))?;
                continue;
            }
            let len = u16_at(entry, 4).unwrap_or(0);
            let (len, written) = if len > UNWRITTEN { (len - UNWRITTEN, false) } else { (len, true) };
            if len == 0 {
                return Err(broken());
            }
            self.data(first, low(8) | high(6) << 32, len.into(), written)?;
        }
        Ok(())
    }

    /// The map of ext2 and ext3: 12 blocks, and blocks of numbers in one, two and three levels.
    fn map(&mut self, map: &[u8]) -> Result<(), Stop> {
        self.pointers(&map[..48], 0)?;
        for (level, pointer) in (1..).zip(map[48..].as_chunks::<4>().0) {
            self.pointers(pointer, level)?;
        }
        Ok(())
    }

    fn pointers(&mut self, pointers: &[u8], level: u32) -> Result<(), Stop> {
        let span = (self.ext.block_size() / 4).pow(level);
        // Neighbours are told together.
        let mut run: Option<(u64, u64, u64)> = None;
        for pointer in pointers.as_chunks::<4>().0 {
            let at = u64::from(u32::from_le_bytes(*pointer));
            if self.next >= self.end {
                break;
            }
            if at != 0 && level > 0 {
                let block = self.block(at)?;
                self.pointers(&block, level - 1)?;
                continue;
            }
            match &mut run {
                Some((_, start, len)) if at != 0 && *start + *len == at => *len += 1,
                _ => {
                    if let Some((first, start, len)) = run.take() {
                        self.data(first, start, len, true)?;
                    }
                    run = (at != 0).then_some((self.next, at, 1));
                }
            }
            self.next += span;
        }
        match run {
            Some((first, start, len)) => self.tell(first, start, len),
            None => Ok(()),
        }
    }

    fn data(&mut self, first: u64, at: u64, len: u64, written: bool) -> Result<(), Stop> {
        let next = self.next.max(first + len);
        self.next = next;
        if written { self.tell(first, at, len) } else { Ok(()) }
    }

    fn tell(&mut self, first: u64, at: u64, len: u64) -> Result<(), Stop> {
        self.spend(len)?;
        let at = self.ext.bytes(at, len).ok_or_else(|| damaged("a file leaves the volume"))?;
        let offset = first * self.ext.block_size();
        self.hand(Piece::Data { offset, at })
    }

    fn hand(&mut self, piece: Piece) -> Result<(), Stop> {
        if (self.each)(piece).is_break() { Err(Stop::Wanted) } else { Ok(()) }
    }

    /// A block of the map.
    fn block(&mut self, number: u64) -> Result<Vec<u8>, Stop> {
        self.spend(1)?;
        let at = self.ext.bytes(number, 1).ok_or_else(|| damaged("the map of a file leaves the volume"))?;
        let mut block = vec![0; index(self.ext.block_size())];
        self.ext.volume().read_at(at.start, &mut block).map_err(|error| Stop::Failed(error.into()))?;
        self.hand(Piece::Map(at))?;
        Ok(block)
    }

    fn spend(&mut self, blocks: u64) -> Result<(), Stop> {
        let left = self.left.checked_sub(blocks);
        self.left = left.ok_or_else(|| damaged("a file has more blocks than the volume"))?;
        Ok(())
    }
}
