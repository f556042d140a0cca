//! Partition tables.

use crate::blocks::{Cursor, ReadAt};
use gptman::GPT;
use mbrman::{MBR, MBRPartitionEntry};

/// What kind of table a disk has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Table {
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

/// Number, start and length in bytes.
type Place = (u32, u64, u64);

/// Most partitions that are listed.
const MOST: usize = 256;

/// The table and its partitions.
pub(super) fn read(disk: &dyn ReadAt, logical: u32) -> (Table, Vec<Place>) {
    let block = u64::from(logical);
    let mut first = vec![0; logical as usize];
    if disk.read_at(0, &mut first).is_err() || first[510..512] != [0x55, 0xaa] {
        return (Table::None, Vec::new());
    }
    let protective = (0..4).any(|entry| first[446 + 16 * entry + 4] == 0xee);
    let read = if protective { gpt(disk, block) } else { mbr(disk, logical) };
    match read {
        Ok((table, places)) => match fault(&places, disk.size()) {
            Some(reason) => (Table::Damaged(reason), Vec::new()),
            None => (table, places),
        },
        // A boot sector of a file system ends like a table.
        Err(_) if !protective => (Table::None, Vec::new()),
        Err(reason) => (Table::Damaged(reason), Vec::new()),
    }
}

fn gpt(disk: &dyn ReadAt, block: u64) -> Result<(Table, Vec<Place>), String> {
    let gpt = GPT::read_from(&mut Cursor::new(disk), block).map_err(|error| error.to_string())?;
    let used = gpt.iter().filter(|(_, entry)| entry.is_used()).take(MOST);
    let place = |(number, entry): (u32, &gptman::GPTPartitionEntry)| {
        let blocks = entry.ending_lba.checked_sub(entry.starting_lba)?.checked_add(1)?;
        Some((number, entry.starting_lba.checked_mul(block)?, blocks.checked_mul(block)?))
    };
    let places: Option<Vec<_>> = used.map(place).collect();
    Ok((Table::Gpt, places.ok_or("a partition ends before it begins")?))
}

fn mbr(disk: &dyn ReadAt, logical: u32) -> Result<(Table, Vec<Place>), String> {
    let mbr = MBR::read_from(&mut Cursor::new(disk), logical).map_err(|error| error.to_string())?;
    let block = u64::from(logical);
    let used = mbr.iter().filter(|(_, entry)| entry.is_used() && !entry.is_extended()).take(MOST);
    let place = |(number, entry): (usize, &MBRPartitionEntry)| {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        (number, u64::from(entry.starting_lba) * block, u64::from(entry.sectors) * block)
    };
    let places: Vec<_> = used.map(place).collect();
    if places.is_empty() { Err("it has no partition".into()) } else { Ok((Table::Mbr, places)) }
}

/// What is wrong with the places, if anything.
fn fault(places: &[Place], size: u64) -> Option<String> {
    let mut sorted: Vec<_> = places.to_vec();
    sorted.sort_by_key(|(_, start, _)| *start);
    let mut end = 0;
    for (number, start, len) in sorted {
        if start < end || len == 0 {
            return Some(format!("partition {number} overlaps another"));
        }
        end = start.checked_add(len)?;
        if end > size {
            return Some(format!("partition {number} ends at byte {end}, behind the end of the disk at {size}"));
        }
    }
    None
}
