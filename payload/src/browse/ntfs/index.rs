//! Folders: the index of names.

use super::{
    FIRST_FILE, ROOT,
    record::{NUMBER, kind, unfix},
    stream::Stream,
    volume::Ntfs,
};
use crate::browse::{
    BrowseError, Entry, EntryKind, Place,
    bytes::{index, u8_at, u16_at, u32_at, u64_at},
    name,
};
use std::ops::ControlFlow;

/// "$I30": the name of the index of names, in UTF-16.
const I30: [u8; 8] = *b"$\0I\x003\x000\0";
/// Windows makes index blocks of 4 KiB.
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 512..=64 << 10;
/// A bitmap for 64 Mi index blocks.
const MAX_BITMAP: u64 = 8 << 20;
/// Namespace of the 8.3 names that stand beside the long ones.
pub(in crate::browse) const DOS: u8 = 2;
const FOLDER: u32 = 0x1000_0000;
const REPARSE: u32 = 0x400;
/// Reparse tags of mount points (junctions) and symbolic links.
const LINKS: [u32; 2] = [0xA000_0003, 0xA000_000C];
/// Seconds from 1601 to 1970.
const EPOCH: i64 = 11_644_473_600;

/// Tells all names of a folder. The tree is not walked: every block that is in use is read once, so a damaged tree cannot
/// lead in circles.
pub(super) fn list(
    ntfs: &Ntfs<'_>,
    number: u64,
    each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<(), BrowseError> {
    let broken = || BrowseError::damaged(format!("the index of folder record {number} makes no sense"));
    let record = ntfs.record(number)?;
    let Some(Stream::Resident(root)) = ntfs.stream(&record, kind::INDEX_ROOT, &I30)? else {
        return Err(BrowseError::NotAFolder(format!("record {number}")));
    };
    let block = u64::from(u32_at(&root, 8).ok_or_else(broken)?);
    if entries(&root, 16, number, each).ok_or_else(broken)?.is_break() {
        return Ok(());
    }
    let Some(Stream::Runs { runs, size, .. }) = ntfs.stream(&record, kind::INDEX_ALLOCATION, &I30)? else {
        return Ok(());
    };
    if !BLOCK_SIZES.contains(&block) || !block.is_power_of_two() {
        return Err(broken());
    }
    let bitmap = match ntfs.stream(&record, kind::BITMAP, &I30)?.ok_or_else(broken)? {
        Stream::Resident(bits) => bits,
        Stream::Runs { runs, size, .. } if size <= MAX_BITMAP => ntfs.read_runs(&runs, 0, size)?,
        Stream::Runs { .. } => return Err(broken()),
    };
    // Without a bit in the bitmap a block is not in use.
    for at in 0..(size / block).min(bitmap.len() as u64 * 8) {
        let in_use = bitmap.get(index(at / 8)).is_some_and(|bits| bits >> (at % 8) & 1 == 1);
        if !in_use {
            continue;
        }
        let mut data = ntfs.read_runs(&runs, at * block, block)?;
        unfix(&mut data, *b"INDX").ok_or_else(broken)?;
        if entries(&data, 24, number, each).ok_or_else(broken)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// The entries behind an index header at `header`.
fn entries(
    data: &[u8],
    header: usize,
    folder: u64,
    each: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Option<ControlFlow<()>> {
    let (first, used) = (index(u32_at(data, header)?), index(u32_at(data, header + 4)?));
    let mut rest = data.get(header.checked_add(first)?..header.checked_add(used)?)?;
    loop {
        let (len, flags) = (usize::from(u16_at(rest, 8)?), u16_at(rest, 12)?);
        if flags & 2 != 0 {
            return Some(ControlFlow::Continue(()));
        }
        let entry = rest.get(..len).filter(|_| len >= 16)?;
        let (number, key) = (u64_at(entry, 0)? & NUMBER, entry.get(16..)?);
        let system = number < FIRST_FILE && folder == ROOT;
        if u8_at(key, 65)? != DOS && !system && each(named(number, key)?).is_break() {
            return Some(ControlFlow::Break(()));
        }
        rest = &rest[len..];
    }
}

/// A `$FILE_NAME` as an entry.
fn named(number: u64, key: &[u8]) -> Option<Entry> {
    let flags = u32_at(key, 56)?;
    let kind = match flags {
        // Other reparse points are files or folders whose contents Windows stores in its own way.
        _ if flags & REPARSE != 0 && LINKS.contains(&u32_at(key, 60)?) => EntryKind::Link,
        _ if flags & FOLDER != 0 => EntryKind::Folder,
        _ => EntryKind::File,
    };
    Some(Entry {
        name: file_name(key)?,
        kind,
        size: if kind == EntryKind::File { u64_at(key, 48)? } else { 0 },
        modified: Some(unix(u64_at(key, 16)?)),
        id: Some(number),
        place: Place::Ntfs(number),
    })
}

/// The name in a `$FILE_NAME`.
pub(in crate::browse) fn file_name(key: &[u8]) -> Option<String> {
    let units = key.get(66..66 + usize::from(u8_at(key, 64)?) * 2)?;
    Some(name::from_utf16(units.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit))))
}

/// Tenths of microseconds since 1601 as seconds since 1970.
fn unix(time: u64) -> i64 {
    i64::try_from(time / 10_000_000).map_or(0, |seconds| seconds - EPOCH)
}
