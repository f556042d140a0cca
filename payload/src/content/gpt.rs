//! One copy of a GUID partition table, with its bytes as they are. Source: UEFI 2.10, 5.3.
//!
//! The bytes are kept because a header may be longer than the fields that are known, up to a block, and an entry longer
//! than 128 bytes: whoever writes the table anew keeps what it does not know.

use super::doubt::{Doubt, field, guid, le32, le64, read};
use crate::blocks::ReadAt;
use std::ops::Range;

/// The fields that are known.
const HEADER: usize = 92;
/// The fields of an entry that are known; an entry is this long, or twice, four times, ... as long.
const ENTRY: u64 = 128;
/// More entries, or more bytes of them, are nobody's disk.
const MAX_ENTRIES: u64 = 1024;
const MAX_BYTES: u64 = 16 << 20;

/// A header whose checksums hold, and its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpt {
    /// The block it was found in.
    pub lba: u64,
    /// Where it says the other copy is.
    pub other: u64,
    pub first_usable: u64,
    pub last_usable: u64,
    /// Where its entries begin.
    pub table: u64,
    /// All of the header's block.
    header: Vec<u8>,
    entries: Vec<u8>,
    /// Bytes of an entry.
    entry: usize,
    logical: u64,
}

/// An entry in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counted from 1.
    pub number: u32,
    /// Its type's GUID in small letters.
    pub kind: String,
    pub first: u64,
    pub last: u64,
}

impl Gpt {
    /// The copy whose header is block `lba` of a disk with `logical` bytes per block; `None` if none is there whose
    /// checksums hold.
    pub fn read(disk: &dyn ReadAt, logical: u64, lba: u64) -> Option<Self> {
        Self::parse(disk, logical, lba).ok().flatten()
    }

    fn parse(disk: &dyn ReadAt, logical: u64, lba: u64) -> Result<Option<Self>, Doubt> {
        let what = "the GUID partition table";
        let (Some(offset), Ok(block)) = (lba.checked_mul(logical), usize::try_from(logical)) else { return Ok(None) };
        let header = read(disk, offset, block, what)?;
        let size = usize::try_from(le32(&header, 12)?).unwrap_or(usize::MAX);
        if !header.starts_with(b"EFI PART") || !(HEADER..=block).contains(&size) {
            return Ok(None);
        }
        let (count, entry) = (u64::from(le32(&header, 80)?), u64::from(le32(&header, 84)?));
        let sense = (1..=MAX_ENTRIES).contains(&count)
            && entry.is_power_of_two()
            && entry >= ENTRY
            && count * entry <= MAX_BYTES
            && le64(&header, 24)? == lba
            && header_sum(&header, size) == le32(&header, 16)?;
        let table = le64(&header, 72)?;
        let (Some(start), true) = (table.checked_mul(logical), sense) else { return Ok(None) };
        let entries = read(disk, start, usize::try_from(count * entry).unwrap_or(0), what)?;
        if crc32fast::hash(&entries) != le32(&header, 88)? {
            return Ok(None);
        }
        Ok(Some(Self {
            lba,
            other: le64(&header, 32)?,
            first_usable: le64(&header, 40)?,
            last_usable: le64(&header, 48)?,
            table,
            entries,
            entry: usize::try_from(entry).unwrap_or(HEADER),
            header,
            logical,
        }))
    }

    /// The entries in use.
    pub fn used(&self) -> impl Iterator<Item = Entry> + '_ {
        (1..).zip(self.entries.chunks_exact(self.entry)).filter_map(|(number, bytes)| {
            let kind: [u8; 16] = field(bytes, 0).ok().filter(|kind| *kind != [0; 16])?;
            Some(Entry { number, kind: guid(kind), first: le64(bytes, 32).ok()?, last: le64(bytes, 40).ok()? })
        })
    }

    /// Whether another copy has the same entries for the same disk.
    pub fn same(&self, other: &Self) -> bool {
        self.entries == other.entries && self.disk() == other.disk()
    }

    fn disk(&self) -> Option<[u8; 16]> {
        field(&self.header, 56).ok()
    }

    /// Bytes of the disk that the entries lie in.
    pub fn entries_at(&self) -> Range<u64> {
        let start = self.table.saturating_mul(self.logical);
        start..start.saturating_add(self.entries.len() as u64)
    }

    /// Blocks of the entries.
    pub fn blocks(&self) -> u64 {
        (self.entries.len() as u64).div_ceil(self.logical)
    }

    /// The blocks of its entries, the last one filled up with zeros.
    pub fn entry_blocks(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let block = self.header.len();
        self.entries.chunks(block).map(move |bytes| {
            let mut bytes = bytes.to_vec();
            bytes.resize(block, 0);
            bytes
        })
    }

    /// The header's block with other places in it, and its checksum anew.
    pub fn header(&self, lba: u64, other: u64, last_usable: u64, table: u64) -> Vec<u8> {
        let mut header = self.header.clone();
        for (at, value) in [(24, lba), (32, other), (48, last_usable), (72, table)] {
            if let Some(field) = header.get_mut(at..at + 8) {
                field.copy_from_slice(&value.to_le_bytes());
            }
        }
        let size = le32(&header, 12).ok().and_then(|size| usize::try_from(size).ok()).unwrap_or(HEADER);
        let sum = header_sum(&header, size);
        if let Some(field) = header.get_mut(16..20) {
            field.copy_from_slice(&sum.to_le_bytes());
        }
        header
    }
}

/// The checksum of a header of `size` bytes, its own field counted as zero.
fn header_sum(header: &[u8], size: usize) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let part = |range: Range<usize>| header.get(range).unwrap_or_default();
    for bytes in [part(0..16), &[0; 4], part(20..size)] {
        hasher.update(bytes);
    }
    hasher.finalize()
}
