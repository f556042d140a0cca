//! Partition tables: MBR with logical partitions, GPT with blocks of 512 and 4096 bytes. Anything that does not fit
//! together makes the whole disk raw.

use super::{
    doubt::{Doubt, ensure, read},
    gpt::{Entry, Gpt},
    types,
};
use crate::blocks::ReadAt;
use mbrman::{MBRHeader, MBRPartitionEntry};
use std::{io, ops::Range};

/// More partitions than any system uses; a chain of logical partitions could otherwise be as long as the disk.
const MAX_PARTITIONS: u32 = 128;

/// What kind of table a disk has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Table {
    /// None: a file system, or nothing known, on the whole disk.
    None,
    Mbr,
    Gpt,
    /// There is one, and it cannot be relied on.
    Damaged(String),
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("no partition table"),
            Self::Mbr => f.write_str("MBR"),
            Self::Gpt => f.write_str("GPT"),
            Self::Damaged(reason) => write!(f, "damaged partition table ({reason})"),
        }
    }
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) number: u32,
    /// Bytes of the disk.
    pub(super) range: Range<u64>,
    /// Why the type alone forbids a map.
    pub(super) raw: Option<&'static str>,
}

/// A table and what it says.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) table: Table,
    pub(super) slices: Vec<Slice>,
    /// First byte behind all partitions and tables, except a GPT's second copy.
    pub(super) end: u64,
}

impl Found {
    /// Whether it is a boot record that names no partition.
    pub(super) fn is_empty_record(&self) -> bool {
        self.table == Table::Mbr && self.slices.is_empty()
    }
}

/// Reads the table of a disk with `logical` bytes per block. One that contradicts itself is damaged and has what it names
/// all the same, as far as other systems would find it; an error where it names nothing. `None` where there is none: no boot record, or one that is
/// the boot sector of a file system (`file_system`: one was recognised) with code where a table would be.
pub(super) fn find(disk: &dyn ReadAt, logical: u64, file_system: bool) -> Result<Option<Found>, Doubt> {
    strict(disk, logical, file_system).or_else(|doubt| {
        let slices = lenient::slices(disk, logical, file_system);
        if slices.is_empty() {
            return Err(doubt);
        }
        Ok(Some(Found { table: Table::Damaged(doubt.to_string()), slices, end: disk.size() }))
    })
}

fn strict(disk: &dyn ReadAt, logical: u64, file_system: bool) -> Result<Option<Found>, Doubt> {
    let (primary, backup) = headers(disk, logical);
    let mbr = match boot_record(disk, 0) {
        Err(Doubt::Damaged(_)) if file_system => None,
        other => other?,
    };
    let Some(mbr) = mbr else {
        // The second copy is all that is left of a GPT after the first MiB was overwritten.
        return match (primary, backup) {
            (None, None) => Ok(None),
            _ => Err(Doubt::damaged("a GUID partition table without a protective master boot record")),
        };
    };
    let protective = mbr.iter().any(|(_, entry)| entry.sys == 0xee);
    match (protective, primary.is_some() || backup.is_some()) {
        (true, true) => gpt(disk, logical, &mbr, primary, backup).map(Some),
        (true, false) => Err(Doubt::damaged(missing_gpt(disk, logical))),
        // Kernels, firmware and Windows go by the boot record then.
        (false, true) => {
            Err(Doubt::damaged("a master boot record, and beside it a GUID partition table of another time"))
        }
        (false, false) => mbr_partitions(disk, logical, &mbr).map(Some),
    }
}

fn missing_gpt(disk: &dyn ReadAt, logical: u64) -> String {
    let other = if logical == 512 { 4096 } else { 512 };
    match Gpt::read(disk, other, 1) {
        Some(_) => {
            format!("the GUID partition table was made for blocks of {other} bytes; this disk has {logical}")
        }
        _ => "a protective master boot record, but neither copy of the GUID partition table is whole".into(),
    }
}

/// A boot record, primary or of a logical partition: the fields are in the same places. `None` without its signature.
fn boot_record(disk: &dyn ReadAt, offset: u64) -> Result<Option<MBRHeader>, Doubt> {
    let sector = read(disk, offset, 512, "the boot record")?;
    if sector.get(510..) != Some(&[0x55, 0xaa]) {
        return Ok(None);
    }
    let record = MBRHeader::read_from(&mut io::Cursor::new(sector));
    record.map(Some).map_err(|error| Doubt::damaged(format!("the boot record at byte {offset}: {error}")))
}

/// Bytes of the disk an entry covers, its address counted from block `base`.
fn covered(entry: &MBRPartitionEntry, base: u64, logical: u64) -> Result<Range<u64>, Doubt> {
    let start = base.checked_add(u64::from(entry.starting_lba)).and_then(|block| block.checked_mul(logical));
    let len = u64::from(entry.sectors) * logical;
    start
        .and_then(|start| Some(start..start.checked_add(len)?))
        .ok_or_else(|| Doubt::damaged("a partition beyond every disk"))
}

fn slice(number: u32, entry: &MBRPartitionEntry, range: Range<u64>) -> Slice {
    Slice { number, range, raw: types::mbr(entry.sys) }
}

fn mbr_partitions(disk: &dyn ReadAt, logical: u64, mbr: &MBRHeader) -> Result<Found, Doubt> {
    let mut slices = Vec::new();
    // Ranges that must not overlap: partitions, the container, the boot record itself.
    let boot_record = 0..logical;
    let mut taken = vec![boot_record];
    let mut container = None;
    for (number, entry) in (1..).zip(mbr.iter().map(|(_, entry)| entry)) {
        if entry.is_unused() {
            ensure(entry.sectors == 0, || Doubt::damaged(format!("partition {number} has a size, but no type")))?;
            continue;
        }
        let range = covered(entry, 0, logical)?;
        taken.push(range.clone());
        if !entry.is_extended() {
            slices.push(slice(number, entry, range));
        } else if container.replace(range).is_some() {
            return Err(Doubt::damaged("two extended partitions"));
        }
    }
    within(&mut taken, &(0..disk.size()))?;
    let mut records = 0;
    if let Some(container) = container {
        let (partitions, end) = logical_partitions(disk, logical, &container)?;
        slices.extend(partitions);
        records = end;
    }
    // A dynamic disk keeps its database behind the last partition. An extended partition ends with what it holds.
    let dynamic = slices.iter().any(|slice| slice.raw.is_some());
    let last = slices.iter().map(|slice| slice.range.end.max(records)).max();
    let end = last.filter(|_| !dynamic).unwrap_or_else(|| disk.size());
    Ok(Found { table: Table::Mbr, slices, end })
}

/// The chain of boot records within an extended partition: the first entry is the partition, the second the next record.
/// Gives the partitions, and where the last of them and of the records ends.
fn logical_partitions(disk: &dyn ReadAt, logical: u64, container: &Range<u64>) -> Result<(Vec<Slice>, u64), Doubt> {
    let mut slices = Vec::new();
    let mut taken = Vec::new();
    let base = container.start / logical;
    let mut at = base;
    for number in 5..5 + MAX_PARTITIONS {
        let record = boot_record(disk, at.saturating_mul(logical))?;
        let Some(record) = record else {
            return Err(Doubt::damaged("the chain of logical partitions ends without an end"));
        };
        taken.push(at * logical..(at + 1) * logical);
        let [entry, next] = [&record.partition_1, &record.partition_2];
        if entry.is_used() {
            let range = covered(entry, at, logical)?;
            taken.push(range.clone());
            slices.push(slice(number, entry, range));
        }
        ensure(record.partition_3.is_unused() && record.partition_4.is_unused() && !entry.is_extended(), || {
            Doubt::damaged("a logical partition's boot record with more than one partition")
        })?;
        if next.is_unused() {
            within(&mut taken, container)?;
            return Ok((slices, taken.last().map_or(0, |range| range.end)));
        }
        ensure(next.is_extended() && next.starting_lba > 0, || {
            Doubt::damaged("the chain of logical partitions is broken")
        })?;
        at = base + u64::from(next.starting_lba);
    }
    Err(Doubt::damaged(format!("more than {MAX_PARTITIONS} logical partitions, or a chain without an end")))
}

/// Sorts the ranges; they must be disjoint, not empty and all within `bounds`.
fn within(ranges: &mut [Range<u64>], bounds: &Range<u64>) -> Result<(), Doubt> {
    ranges.sort_by_key(|range| range.start);
    let mut end = bounds.start;
    for range in ranges {
        ensure(range.start >= end, || Doubt::damaged("partitions overlap each other or a table"))?;
        ensure(range.end <= bounds.end && range.start < range.end, || {
            Doubt::damaged(format!("a partition from byte {} to {} on {} bytes", range.start, range.end, bounds.end))
        })?;
        end = range.end;
    }
    Ok(())
}

/// The primary copy and the backup: where the primary says, or in the last block. One that cannot be read is missing.
fn headers(disk: &dyn ReadAt, logical: u64) -> (Option<Gpt>, Option<Gpt>) {
    let last = (disk.size() / logical).saturating_sub(1);
    let primary = Gpt::read(disk, logical, 1);
    let named = primary.as_ref().map_or(last, |primary| primary.other);
    let backup = if named == 1 { None } else { Gpt::read(disk, logical, named) };
    (primary, backup.filter(|backup| backup.other == 1))
}

fn gpt(
    disk: &dyn ReadAt,
    logical: u64,
    mbr: &MBRHeader,
    primary: Option<Gpt>,
    backup: Option<Gpt>,
) -> Result<Found, Doubt> {
    if let (Some(one), Some(other)) = (&primary, &backup) {
        ensure(one.same(other), || Doubt::damaged("the two copies of the GUID partition table disagree"))?;
    }
    let only_backup = primary.is_none();
    let Some(table) = primary.or(backup) else { return Err(Doubt::damaged("no GUID partition table")) };
    let mut taken = vec![0..2 * logical, table.entries_at()];
    let mut slices = Vec::new();
    for entry in table.used() {
        let range = span(&entry, &table, logical)?;
        taken.push(range.clone());
        slices.push(Slice { number: entry.number, range, raw: types::gpt(&entry.kind) });
    }
    within(&mut taken, &(0..disk.size()))?;
    hybrid(mbr, logical, &slices)?;
    // Without the first copy the second, at the end, is the only one there is.
    let end = if only_backup { disk.size() } else { taken.last().map_or(0, |range| range.end) };
    Ok(Found { table: Table::Gpt, slices, end })
}

/// Bytes of a partition; both ends within what the header calls usable.
fn span(entry: &Entry, table: &Gpt, logical: u64) -> Result<Range<u64>, Doubt> {
    let Entry { first, last, .. } = *entry;
    let usable = table.first_usable <= first && first <= last && last <= table.last_usable;
    let start = first.checked_mul(logical);
    let end = last.checked_add(1).and_then(|end| end.checked_mul(logical));
    start
        .zip(end)
        .filter(|_| usable)
        .map(|(start, end)| start..end)
        .ok_or_else(|| Doubt::damaged(format!("a partition from block {first} to {last} outside of the usable blocks")))
}

/// What the boot record names besides the protective entry must be partitions of the table.
fn hybrid(mbr: &MBRHeader, logical: u64, slices: &[Slice]) -> Result<(), Doubt> {
    let mut named = mbr.iter().map(|(_, entry)| entry).filter(|entry| entry.is_used() && entry.sys != 0xee);
    named.try_for_each(|entry| {
        let range = covered(entry, 0, logical)?;
        ensure(slices.iter().any(|slice| slice.range == range), || {
            Doubt::damaged("the master boot record and the GUID partition table name different partitions")
        })
    })
}

mod lenient;

#[cfg(test)]
mod tests;
