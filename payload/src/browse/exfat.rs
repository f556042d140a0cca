//! Entry sets of exFAT folders (Microsoft "exFAT file system specification" 1.00, sections 6 and 7).

use super::{
    Entry, EntryKind, Place,
    bytes::{u8_at, u16_at, u32_at, u64_at},
    fat_names::{Parsed, timestamp},
    fat_volume::Chain,
    name,
};

const FILE: u8 = 0x85;
const STREAM: u8 = 0xC0;
const NAME: u8 = 0xC1;
const FOLDER: u16 = 0x10;

/// Puts the entries of a set together: the file, its stream, its name in pieces of 15.
#[derive(Default)]
pub(super) struct ExfatNames {
    /// Entries of the set still to come.
    left: u8,
    attributes: u16,
    modified: Option<i64>,
    name_len: usize,
    units: Vec<u16>,
    chain: Option<(Chain, u64)>,
}

impl ExfatNames {
    pub(super) fn entry(&mut self, raw: &[u8; 32]) -> Parsed {
        match raw[0] {
            0 => return Parsed::End,
            FILE => self.begin(raw),
            STREAM if self.left > 0 => self.stream(raw),
            NAME if self.left > 0 => {
                self.units.extend(raw[2..].as_chunks::<2>().0.iter().map(|u| u16::from_le_bytes(*u)))
            }
            // Vendor extensions and others belong to the set, too.
            kind if kind >= 0xC0 && self.left > 0 => {}
            _ => *self = Self::default(),
        }
        if raw[0] == FILE || self.left == 0 {
            return Parsed::Nothing;
        }
        self.left -= 1;
        if self.left > 0 {
            return Parsed::Nothing;
        }
        match std::mem::take(self).finish() {
            Some(entry) => Parsed::Entry(entry),
            None => Parsed::Nothing,
        }
    }

    fn begin(&mut self, raw: &[u8; 32]) {
        let count = u8_at(raw, 1).filter(|count| (2..=18).contains(count)).unwrap_or(0);
        let time = u32_at(raw, 12).unwrap_or(0);
        let halves = [time >> 16, time & 0xFFFF].map(|half| u16::try_from(half).unwrap_or(0));
        // Quarters of an hour east of UTC in 7 bits, if bit 7 is set.
        let zone = i64::from(raw[23] & 0x3F) - i64::from(raw[23] & 0x40);
        let east = if raw[23] & 0x80 != 0 { zone * 900 } else { 0 };
        *self = Self {
            left: count,
            attributes: u16_at(raw, 4).unwrap_or(0),
            modified: timestamp(halves[0], halves[1]).map(|local| local - east),
            ..Self::default()
        };
    }

    fn stream(&mut self, raw: &[u8; 32]) {
        self.name_len = usize::from(raw[3]);
        let (Some(valid), Some(first), Some(size)) = (u64_at(raw, 8), u32_at(raw, 20), u64_at(raw, 24)) else { return };
        // Bit 0: there are clusters. Bit 1: they are contiguous.
        let size = if raw[1] & 1 != 0 { size } else { 0 };
        self.chain = Some((Chain::Clusters { first, contiguous: raw[1] & 2 != 0, size: Some(size), valid }, size));
    }

    fn finish(mut self) -> Option<Entry> {
        let (chain, size) = self.chain?;
        self.units.truncate(self.name_len);
        let folder = self.attributes & FOLDER != 0;
        Some(Entry {
            name: name::from_utf16(self.units),
            kind: if folder { EntryKind::Folder } else { EntryKind::File },
            size: if folder { 0 } else { size },
            modified: self.modified,
            id: chain.first().map(u64::from),
            place: Place::Fat(chain),
        })
    }
}
