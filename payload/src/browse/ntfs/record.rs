//! MFT records: fixups and attributes.

use crate::browse::bytes::{index, u8_at, u16_at, u32_at, u64_at};

/// Types of attributes.
pub(in crate::browse) mod kind {
    pub(in crate::browse) const ATTRIBUTE_LIST: u32 = 0x20;
    pub(in crate::browse) const FILE_NAME: u32 = 0x30;
    pub(in crate::browse) const DATA: u32 = 0x80;
    pub(in crate::browse) const INDEX_ROOT: u32 = 0x90;
    pub(in crate::browse) const INDEX_ALLOCATION: u32 = 0xA0;
    pub(in crate::browse) const BITMAP: u32 = 0xB0;
    pub(in crate::browse) const REPARSE_POINT: u32 = 0xC0;
}

/// The lower 48 bits of a reference are the number of the record.
pub(super) const NUMBER: u64 = (1 << 48) - 1;

/// The end of each sector of a record was replaced; the replaced bytes stand in front.
const FIXUP_SECTOR: usize = 512;

/// A record whose fixups are undone.
#[derive(Debug, Clone)]
pub(in crate::browse) struct Record {
    data: Vec<u8>,
}

impl Record {
    /// None if it is no record in use, or if its sectors do not belong together.
    pub(in crate::browse) fn new(mut data: Vec<u8>) -> Option<Self> {
        unfix(&mut data, *b"FILE")?;
        let in_use = u16_at(&data, 22)? & 1 != 0;
        let used = index(u32_at(&data, 24)?);
        data.truncate(used);
        in_use.then_some(Self { data })
    }

    pub(in crate::browse) fn is_folder(&self) -> bool {
        u16_at(&self.data, 22).is_some_and(|flags| flags & 2 != 0)
    }

    /// The record this one continues; 0 if it is one of its own.
    pub(in crate::browse) fn base(&self) -> u64 {
        u64_at(&self.data, 32).unwrap_or(0) & NUMBER
    }

    /// All attributes that are whole.
    pub(in crate::browse) fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        let mut at = u16_at(&self.data, 20).map_or(usize::MAX, usize::from);
        std::iter::from_fn(move || {
            let rest = self.data.get(at..)?;
            let kind = u32_at(rest, 0).filter(|kind| *kind != u32::MAX)?;
            let len = index(u32_at(rest, 4)?);
            let data = rest.get(..len).filter(|data| data.len() >= 24)?;
            at += len;
            Some(Attribute { kind, data })
        })
    }
}

/// Part of a record.
#[derive(Debug, Clone, Copy)]
pub(in crate::browse) struct Attribute<'a> {
    pub(in crate::browse) kind: u32,
    data: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The name in UTF-16, as it is on the disk.
    pub(in crate::browse) fn name(&self) -> &'a [u8] {
        let found = || {
            let (len, at) = (usize::from(u8_at(self.data, 9)?) * 2, usize::from(u16_at(self.data, 10)?));
            self.data.get(at..at + len)
        };
        found().unwrap_or_default()
    }

    pub(super) fn flags(&self) -> u16 {
        u16_at(self.data, 12).unwrap_or(0)
    }

    /// The value, if it stands in the record.
    pub(in crate::browse) fn resident(&self) -> Option<&'a [u8]> {
        let (len, at) = (index(u32_at(self.data, 16)?), usize::from(u16_at(self.data, 20)?));
        (u8_at(self.data, 8)? == 0).then(|| self.data.get(at..at.checked_add(len)?))?
    }

    /// First cluster of this part of the value, the whole value's size and written size, and the coded runs.
    pub(super) fn non_resident(&self) -> Option<(u64, u64, u64, &'a [u8])> {
        let first = u64_at(self.data, 16).filter(|_| u8_at(self.data, 8) == Some(1))?;
        let runs = self.data.get(usize::from(u16_at(self.data, 32)?)..)?;
        Some((first, u64_at(self.data, 48)?, u64_at(self.data, 56)?, runs))
    }
}

/// Undoes the fixups of a record or an index block with this magic.
pub(super) fn unfix(data: &mut [u8], magic: [u8; 4]) -> Option<()> {
    if data.get(..4)? != magic {
        return None;
    }
    let (at, count) = (usize::from(u16_at(data, 4)?), usize::from(u16_at(data, 6)?));
    if count != data.len() / FIXUP_SECTOR + 1 {
        return None;
    }
    let mark = u16_at(data, at)?;
    for sector in 1..count {
        let original = u16_at(data, at + sector * 2)?;
        let end = sector * FIXUP_SECTOR - 2;
        if u16_at(data, end)? != mark {
            return None;
        }
        data.get_mut(end..end + 2)?.copy_from_slice(&original.to_le_bytes());
    }
    Some(())
}
