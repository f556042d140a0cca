//! Files on ext2, ext3 and ext4 volumes.
//!
//! Source: the kernel's Documentation/filesystems/ext4 ("ext4 Data Structures and Algorithms"). Checksums of metadata are
//! not looked at, and the journal is not replayed; [`Files::note`] says so where it matters.

mod blocks;
mod volume;

use super::{
    BrowseError, Entry, EntryKind, Files, Kind, Out, Place,
    bytes::{u8_at, u16_at, u32_at},
    copy_run, name,
};
use blocks::Piece;
use std::ops::{ControlFlow, Range};
pub(super) use volume::Ext;
use volume::{Inode, ROOT};

/// ext4 with `large_dir` may have larger folders; nobody has.
const MAX_FOLDER: u64 = 1 << 30;

impl Files for Ext<'_> {
    fn kind(&self) -> Kind {
        Kind::Ext
    }

    fn root(&self) -> Entry {
        let (kind, place) = (EntryKind::Folder, Place::Ext(ROOT));
        Entry { name: "/".to_owned(), kind, size: 0, modified: None, id: Some(ROOT.into()), place }
    }

    fn note(&self) -> Option<String> {
        let what = "the journal of this file system was not replayed: what was changed last may be missing";
        self.needs_recovery().then(|| what.to_owned())
    }

    fn list(&self, folder: &Entry, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), BrowseError> {
        let inode = self.inode(number(folder)?)?;
        if inode.kind() != EntryKind::Folder {
            return Err(BrowseError::NotAFolder(folder.name.clone()));
        }
        readable(folder, &inode)?;
        if inode.is_inline() {
            let _ = inode.inline_entries().into_iter().try_for_each(|entries| self.entries(entries, each));
            return inode.inline().map(drop).ok_or_else(|| partly(folder));
        }
        if inode.size > MAX_FOLDER {
            return Err(BrowseError::damaged(format!("{}: a folder of {} bytes", folder.name, inode.size)));
        }
        let (mut result, mut block) = (Ok(()), Vec::new());
        self.pieces(&inode, &mut |piece| {
            let Piece::Data { at, .. } = piece else { return ControlFlow::Continue(()) };
            let mut start = at.start;
            while start < at.end {
                block.resize(usize::try_from(self.block_size()).unwrap_or(0), 0);
                if let Err(error) = self.volume().read_at(start, &mut block) {
                    result = Err(error.into());
                    return ControlFlow::Break(());
                }
                self.entries(&block, each)?;
                start += self.block_size();
            }
            ControlFlow::Continue(())
        })?;
        result
    }

    fn read(&self, file: &Entry, out: &mut dyn Out) -> Result<u64, BrowseError> {
        let inode = self.inode(number(file)?)?;
        if inode.kind() != EntryKind::File {
            return Err(BrowseError::NotAFile(file.name.clone()));
        }
        readable(file, &inode)?;
        if inode.is_inline() {
            let data = inode.inline().ok_or_else(|| partly(file))?;
            out.data(0, &data).map_err(BrowseError::Out)?;
            return Ok(inode.size);
        }
        let mut result = Ok(());
        self.pieces(&inode, &mut |piece| {
            let Piece::Data { offset, at } = piece else { return ControlFlow::Continue(()) };
            let len = (at.end - at.start).min(inode.size.saturating_sub(offset));
            result = copy_run(self.volume(), at.start, len, offset, out);
            if result.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        result.map(|()| inode.size)
    }

    fn places(&self, entry: &Entry, each: &mut dyn FnMut(Range<u64>) -> ControlFlow<()>) -> Result<(), BrowseError> {
        let inode = self.inode(number(entry)?)?;
        if each(inode.at.clone()).is_break() || inode.has_no_blocks() {
            return Ok(());
        }
        self.pieces(&inode, &mut |piece| match piece {
            Piece::Data { at, .. } | Piece::Map(at) => each(at),
        })
    }
}

impl Ext<'_> {
    /// The entries of a block of a folder. What makes no sense ends the block, not the folder.
    fn entries(&self, block: &[u8], each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut rest = block;
        while let (Some(inode), Some(len)) = (u32_at(rest, 0), u16_at(rest, 4)) {
            // In blocks of 64 KiB the whole block is written as 65535 or 0.
            let len = if matches!(len, 0 | 0xFFFF) && block.len() == 1 << 16 { rest.len() } else { usize::from(len) };
            let Some(entry) = rest.get(..len).filter(|_| len >= 8 && len % 4 == 0) else { break };
            if let Some(found) = self.entry(inode, entry) {
                each(found)?;
            }
            rest = &rest[len..];
        }
        ControlFlow::Continue(())
    }

    fn entry(&self, inode: u32, entry: &[u8]) -> Option<Entry> {
        let bytes = entry.get(8..8 + usize::from(u8_at(entry, 6)?))?;
        if inode == 0 || matches!(bytes, b"" | b"." | b"..") {
            return None;
        }
        let (kind, size, modified) = match self.inode(inode) {
            Ok(inode) => (inode.kind(), inode.size, Some(inode.modified)),
            // The name stays to be seen; reading it tells what is wrong.
            Err(_) => (EntryKind::Other, 0, None),
        };
        Some(Entry {
            name: name::from_bytes(bytes),
            kind,
            size: if kind == EntryKind::File { size } else { 0 },
            modified,
            id: Some(inode.into()),
            place: Place::Ext(inode),
        })
    }
}

fn readable(entry: &Entry, inode: &Inode) -> Result<(), BrowseError> {
    match inode.unreadable() {
        Some(how) => Err(BrowseError::Unsupported(format!("{}: {how}; it cannot be read here", entry.name))),
        None => Ok(()),
    }
}

fn partly(entry: &Entry) -> BrowseError {
    BrowseError::damaged(format!("{}: a part of its data in the inode (inline_data) is missing", entry.name))
}

fn number(entry: &Entry) -> Result<u32, BrowseError> {
    match entry.place {
        Place::Ext(number) => Ok(number),
        _ => Err(BrowseError::NotFound(entry.name.clone())),
    }
}
