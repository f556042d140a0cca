//! The labels users give their file systems. They are read even where the file system is damaged: a store is found by its
//! label.

use crate::{
    blocks::ReadAt,
    content::{
        doubt::{Window, le8, le16, le32, text, utf16},
        ntfs,
        probe::Kind,
    },
};

/// The label, or nothing. `head` is the volume's start.
pub(super) fn label(volume: &dyn ReadAt, head: &[u8], kind: Kind) -> String {
    let found = match kind {
        Kind::Ext => head.get(1024 + 120..1024 + 136).map(text),
        Kind::Fat => fat(volume, head),
        Kind::Exfat => exfat(volume, head),
        Kind::Ntfs => ntfs::label(volume),
        _ => None,
    };
    found.unwrap_or_default()
}

/// Most entries of a root directory that are looked at; labels are among the first.
const ENTRIES: u64 = 128;

/// Looks through a root directory up to its end.
fn find(volume: &dyn ReadAt, root: u64, fits: impl Fn(&[u8; 32]) -> bool) -> Option<[u8; 32]> {
    let mut window = Window::new(volume, "a directory");
    let entries = (0..ENTRIES).map_while(|number| window.get::<32>(root.checked_add(number * 32)?).ok());
    entries.take_while(|entry| entry[0] != 0).find(fits)
}

/// The entry with the volume label in the root directory (Microsoft FAT specification, 6.3), else the boot sector's.
fn fat(volume: &dyn ReadAt, head: &[u8]) -> Option<String> {
    let word = |at| le16(head, at).ok().map(u64::from);
    let (sector, reserved, copies) = (word(11)?, word(14)?, u64::from(le8(head, 16).ok()?));
    let short = word(22)?;
    let wide = short == 0;
    let per_copy = if wide { u64::from(le32(head, 36).ok()?) } else { short };
    let cluster = if wide { u64::from(le32(head, 44).ok()?).saturating_sub(2) } else { 0 };
    let root = (reserved + copies * per_copy + cluster * u64::from(le8(head, 13).ok()?)) * sector;
    let entry = find(volume, root, |entry| entry[0] != 0xe5 && entry[11] & 0x3f == 0x08);
    if let Some(entry) = entry {
        return Some(text(&entry[..11]));
    }
    let boot = text(head.get(if wide { 71..82 } else { 43..54 })?);
    (boot != "NO NAME").then_some(boot)
}

/// The label entry of the root directory (exFAT specification, 7.3).
fn exfat(volume: &dyn ReadAt, head: &[u8]) -> Option<String> {
    let (sector, cluster) = (le8(head, 108).ok()?, le8(head, 109).ok()?);
    if sector > 12 || cluster > 25 {
        return None;
    }
    let heap = u64::from(le32(head, 88).ok()?) << sector;
    let root = u64::from(le32(head, 96).ok()?).saturating_sub(2) << (sector + cluster);
    let entry = find(volume, heap.checked_add(root)?, |entry| entry[0] == 0x83)?;
    Some(utf16(&entry[2..2 + 2 * usize::from(entry[1].min(11))]))
}
