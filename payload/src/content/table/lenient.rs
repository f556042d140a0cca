//! What a damaged table names all the same: enough to look at files, never enough to leave a block out. The rules are
//! those of the kernel and libblkid (block/partitions/msdos.c, efi.c): entries that make no sense are passed over, what
//! reaches beyond the end of the disk is cut off.

use super::{MAX_PARTITIONS, Slice};
use crate::{
    blocks::ReadAt,
    content::{
        doubt::{le32, read},
        gpt::Gpt,
    },
};
use std::ops::Range;

/// An entry of a boot record.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: u8,
    start: u64,
    len: u64,
}

impl Entry {
    fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }
}

/// Partitions of whichever table is whole enough; none where there is none. A GPT that no protective entry announces is
/// seen by nobody where a file system lies on the whole disk (`file_system`).
pub(super) fn slices(disk: &dyn ReadAt, logical: u64, file_system: bool) -> Vec<Slice> {
    let record = entries(disk, 0);
    let protective = record.iter().flatten().any(|entry| entry.kind == 0xee);
    let of_record = || boot_record(disk, logical, &record);
    if record.iter().flatten().next().is_some() && !protective {
        return of_record();
    }
    if file_system && !protective {
        return Vec::new();
    }
    // A table made for blocks of another size lies where such blocks are.
    let other = if logical == 512 { 4096 } else { 512 };
    let found = [logical, other].into_iter().find_map(|block| {
        let last = (disk.size() / block).saturating_sub(1);
        Some((block, Gpt::read(disk, block, 1).or_else(|| Gpt::read(disk, block, last))?))
    });
    match found {
        Some((block, table)) => {
            let one = |entry: crate::content::gpt::Entry| {
                let len = (entry.last.checked_add(1)?).checked_sub(entry.first)?;
                slice(disk, block, entry.number, entry.first, len)
            };
            table.used().filter_map(one).collect()
        }
        None => of_record(),
    }
}

/// A partition as far as it lies on the disk.
fn slice(disk: &dyn ReadAt, block: u64, number: u32, start: u64, len: u64) -> Option<Slice> {
    let start = start.checked_mul(block).filter(|start| *start > 0)?;
    let end = len.checked_mul(block).and_then(|len| start.checked_add(len))?.min(disk.size());
    let range: Range<u64> = start..end;
    (!range.is_empty()).then_some(Slice { number, range, raw: None })
}

/// The entries of a boot record; none where it is no boot record: flags that are neither active nor not are code.
fn entries(disk: &dyn ReadAt, offset: u64) -> [Option<Entry>; 4] {
    let Ok(sector) = read(disk, offset, 512, "the boot record") else { return [None; 4] };
    let table = &sector[446..510];
    let known = sector[510..] == [0x55, 0xaa] && table.as_chunks::<16>().0.iter().all(|entry| entry[0] & 0x7f == 0);
    let mut found = [None; 4];
    for (slot, entry) in found.iter_mut().zip(table.as_chunks::<16>().0).filter(|_| known) {
        let number = |at| le32(entry, at).map_or(0, u64::from);
        let (start, len) = (number(8), number(12));
        *slot = (entry[4] != 0 && len > 0).then_some(Entry { kind: entry[4], start, len });
    }
    found
}

fn boot_record(disk: &dyn ReadAt, logical: u64, record: &[Option<Entry>; 4]) -> Vec<Slice> {
    let mut found = Vec::new();
    let mut logicals = Vec::new();
    for (number, entry) in (1..).zip(record).filter_map(|(number, entry)| Some((number, (*entry)?))) {
        if entry.is_extended() {
            chain(disk, logical, entry, &mut logicals);
        } else if entry.kind != 0xee {
            found.extend(slice(disk, logical, number, entry.start, entry.len));
        }
    }
    found.extend((5..).zip(logicals).map(|(number, slice)| Slice { number, ..slice }));
    found
}

/// The logical partitions of an extended one, as far as their chain leads; the numbers come later.
fn chain(disk: &dyn ReadAt, logical: u64, container: Entry, found: &mut Vec<Slice>) {
    let mut at = container.start;
    let mut seen = vec![at];
    for _ in 0..MAX_PARTITIONS {
        let Some(offset) = at.checked_mul(logical) else { return };
        let record = entries(disk, offset);
        let partitions = record.iter().flatten().filter(|entry| !entry.is_extended());
        found.extend(partitions.filter_map(|entry| slice(disk, logical, 0, at.checked_add(entry.start)?, entry.len)));
        let Some(next) = record.iter().flatten().find(|entry| entry.is_extended() && entry.start > 0) else { return };
        at = container.start.saturating_add(next.start);
        if seen.contains(&at) {
            return;
        }
        seen.push(at);
    }
}
