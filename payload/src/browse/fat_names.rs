//! Entries of FAT folders: 8.3 names and long names (Microsoft "FAT: General Overview of On-Disk Format" 1.03).

use super::{
    Entry, EntryKind, Place,
    bytes::{u8_at, u16_at, u32_at},
    fat_volume::Chain,
    name,
};

const FOLDER: u8 = 0x10;
const LABEL: u8 = 0x08;
const LONG: u8 = 0x0F;

/// Code page 437 above ASCII: what a PC writes into 8.3 names unless told otherwise.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}";

/// What one 32-byte entry means.
pub(super) enum Parsed {
    /// Nothing of its own.
    Nothing,
    /// The folder ends here.
    End,
    /// A name.
    Entry(Entry),
}

/// Puts long names together.
#[derive(Default)]
pub(super) struct FatNames {
    /// FAT32, where entries have room for all of a cluster's number.
    wide: bool,
    units: Vec<u16>,
    /// The part that must come next, and the checksum all parts carry.
    next: u8,
    checksum: u8,
}

impl FatNames {
    pub(super) fn new(wide: bool) -> Self {
        Self { wide, ..Self::default() }
    }

    /// Forgets the parts of a long name.
    fn forget(&mut self) {
        *self = Self::new(self.wide);
    }

    pub(super) fn entry(&mut self, raw: &[u8; 32]) -> Parsed {
        match (raw[0], raw[11]) {
            (0, _) => return Parsed::End,
            (0xE5, _) => self.forget(),
            (_, attributes) if attributes & 0x3F == LONG => self.long(raw),
            (_, attributes) if attributes & LABEL != 0 => self.forget(),
            (b'.', _) if raw[..11] == *b".          " || raw[..11] == *b"..         " => self.forget(),
            _ => {
                let long = self.take_long(raw);
                if let Some(entry) = short(raw, long, self.wide) {
                    return Parsed::Entry(entry);
                }
            }
        }
        Parsed::Nothing
    }

    /// Parts come from the last to the first; the last has bit 6 set.
    fn long(&mut self, raw: &[u8; 32]) {
        let part = raw[0] & 0x3F;
        if raw[0] & 0x40 != 0 {
            *self = Self { wide: self.wide, units: Vec::new(), next: part, checksum: raw[13] };
        }
        if part == 0 || part > 20 || part != self.next || raw[13] != self.checksum {
            self.forget();
            return;
        }
        self.next -= 1;
        let mut units: Vec<u16> = [1..11, 14..26, 28..32]
            .into_iter()
            .flat_map(|range| raw[range].as_chunks::<2>().0)
            .map(|unit| u16::from_le_bytes(*unit))
            .take_while(|unit| *unit != 0)
            .collect();
        units.append(&mut self.units);
        self.units = units;
    }

    fn take_long(&mut self, raw: &[u8; 32]) -> Option<String> {
        let sum = raw[..11].iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        let done = std::mem::replace(self, Self::new(self.wide));
        (!done.units.is_empty() && done.next == 0 && done.checksum == sum).then(|| name::from_utf16(done.units))
    }
}

fn short(raw: &[u8; 32], long: Option<String>, wide: bool) -> Option<Entry> {
    let folder = raw[11] & FOLDER != 0;
    // FAT12 and FAT16 keep other things in the upper word: a handle of OS/2's attributes, access rights of DR-DOS.
    let upper = if wide { u16_at(raw, 20)? } else { 0 };
    let first = u32::from(upper) << 16 | u32::from(u16_at(raw, 26)?);
    let size = u64::from(u32_at(raw, 28)?);
    let chain = match folder {
        true => Chain::folder(first),
        false => Chain::Clusters { first, contiguous: false, size: Some(size), valid: u64::MAX },
    };
    Some(Entry {
        name: long.unwrap_or_else(|| short_name(raw)),
        kind: if folder { EntryKind::Folder } else { EntryKind::File },
        size: if folder { 0 } else { size },
        modified: timestamp(u16_at(raw, 24)?, u16_at(raw, 22)?),
        id: Some(u64::from(first)),
        place: Place::Fat(chain),
    })
}

/// Bits 3 and 4 of byte 12 say that base and extension are shown in small letters.
fn short_name(raw: &[u8; 32]) -> String {
    let case = u8_at(raw, 12).unwrap_or(0);
    let text = |bytes: &[u8], small: bool| -> Vec<char> {
        let len = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
        let decode = |byte: &u8| match byte {
            0..0x80 => char::from(*byte),
            _ => CP437.chars().nth(usize::from(byte - 0x80)).unwrap_or('%'),
        };
        let fold = |c: char| c.to_lowercase().next().filter(|_| small).unwrap_or(c);
        bytes[..len].iter().map(decode).map(fold).collect()
    };
    let mut base = [0; 8];
    base.copy_from_slice(&raw[..8]);
    // 0xE5 means "deleted", so names that begin with it are written with 5.
    if base[0] == 5 {
        base[0] = 0xE5;
    }
    let mut name = text(&base, case & 0x08 != 0);
    let extension = text(&raw[8..11], case & 0x10 != 0);
    if !extension.is_empty() {
        name.push('.');
        name.extend(extension);
    }
    name::from_chars(name)
}

/// Date and time in the format of DOS, as seconds since 1970; none if there is no such day.
pub(super) fn timestamp(date: u16, time: u16) -> Option<i64> {
    let (year, month, day) = (i64::from(date >> 9) + 1980, i64::from(date >> 5 & 0xF), i64::from(date & 0x1F));
    if !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = i64::from(time >> 11) * 3600 + i64::from(time >> 5 & 0x3F) * 60 + i64::from(time & 0x1F) * 2;
    Some(days * 86400 + seconds)
}
