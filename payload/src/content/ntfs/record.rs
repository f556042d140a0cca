//! File records: the rows of the master file table.

use crate::content::doubt::{Doubt, ensure, le8, le16, le32, le64};

/// Kinds of attributes.
pub(super) const LIST: u32 = 0x20;
pub(super) const FILE_NAME: u32 = 0x30;
pub(super) const VOLUME_NAME: u32 = 0x60;
pub(super) const VOLUME_INFORMATION: u32 = 0x70;
pub(super) const DATA: u32 = 0x80;
pub(super) const BITMAP: u32 = 0xb0;

const END: u32 = 0xffff_ffff;
const IN_USE: u16 = 1;
/// A record is written in strides of this size whose last two bytes are kept elsewhere, whatever the disk's blocks are.
const STRIDE: usize = 512;
/// The lower 48 bits of a reference are the record's number; the upper ones count how often it was reused.
const NUMBER: u64 = (1 << 48) - 1;

/// A record whose strides were all written together.
#[derive(Debug)]
pub(super) struct Record {
    bytes: Vec<u8>,
    used: usize,
}

/// Whether a record claims to be in use, without checking anything else.
pub(super) fn claims_use(bytes: &[u8]) -> bool {
    bytes.starts_with(b"FILE") && le16(bytes, 22).is_ok_and(|flags| flags & IN_USE != 0)
}

impl Record {
    /// Puts the last bytes of each stride back.
    pub(super) fn parse(mut bytes: Vec<u8>) -> Result<Self, Doubt> {
        let no = |what: &str| Doubt::damaged(format!("a file record {what}"));
        ensure(bytes.starts_with(b"FILE"), || no("without its signature"))?;
        let strides = bytes.len() / STRIDE;
        let (at, count) = (usize::from(le16(&bytes, 4)?), usize::from(le16(&bytes, 6)?));
        ensure(strides > 0 && count == strides + 1 && at + 2 * count <= STRIDE - 2, || {
            no("with a wrong update sequence")
        })?;
        let number = le16(&bytes, at)?;
        for stride in 1..=strides {
            let last = stride * STRIDE - 2;
            ensure(le16(&bytes, last)? == number, || no("of which only a part was written"))?;
            let real = le16(&bytes, at + 2 * stride)?;
            bytes[last..last + 2].copy_from_slice(&real.to_le_bytes());
        }
        let used = usize::try_from(le32(&bytes, 24)?).unwrap_or(usize::MAX);
        ensure(used <= bytes.len(), || no("longer than its place"))?;
        Ok(Self { bytes, used })
    }

    pub(super) fn in_use(&self) -> bool {
        claims_use(&self.bytes)
    }

    /// The record this one continues; itself has none then.
    pub(super) fn base(&self) -> Result<Option<u64>, Doubt> {
        Ok(Some(le64(&self.bytes, 32)? & NUMBER).filter(|_| self.bytes[32..40] != [0; 8]))
    }

    /// All of its attributes.
    pub(super) fn attributes(&self) -> Result<Vec<Attribute<'_>>, Doubt> {
        let mut found = Vec::new();
        let mut at = usize::from(le16(&self.bytes, 20)?);
        let record = &self.bytes[..self.used];
        loop {
            let kind = le32(record, at)?;
            if kind == END {
                return Ok(found);
            }
            let len = usize::try_from(le32(record, at + 4)?).unwrap_or(usize::MAX);
            let bytes = at.checked_add(len).and_then(|end| record.get(at..end));
            let bytes = bytes.filter(|bytes| bytes.len() >= 24 && len.is_multiple_of(8));
            let bytes = bytes.ok_or_else(|| Doubt::damaged("an attribute longer than its file record"))?;
            found.push(Attribute { kind, bytes });
            at += len;
        }
    }
}

/// What a record says of one aspect of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute<'a> {
    pub(super) kind: u32,
    bytes: &'a [u8],
}

/// Clusters that lie together in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// First cluster within the file.
    pub(super) at: u64,
    /// First cluster on the volume; nothing is stored of a hole.
    pub(super) cluster: Option<u64>,
    pub(super) len: u64,
}

/// Sizes in bytes, which only the first part of an attribute carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) data: u64,
    /// Behind it everything is zeros, whatever the clusters hold.
    pub(super) written: u64,
}

#[cfg(test)]
impl<'a> Attribute<'a> {
    pub(super) fn for_test(bytes: &'a [u8]) -> Self {
        Self { kind: DATA, bytes }
    }
}

impl Attribute<'_> {
    pub(super) fn is_resident(&self) -> bool {
        self.bytes.get(8) == Some(&0)
    }

    pub(super) fn is_named(&self) -> bool {
        self.bytes.get(9) != Some(&0)
    }

    /// The value of a resident one.
    pub(super) fn value(&self) -> Result<&[u8], Doubt> {
        let len = usize::try_from(le32(self.bytes, 16)?).unwrap_or(usize::MAX);
        let at = usize::from(le16(self.bytes, 20)?);
        let end = at.checked_add(len);
        let value = end.filter(|_| self.is_resident()).and_then(|end| self.bytes.get(at..end));
        value.ok_or_else(|| Doubt::damaged("a value longer than its attribute"))
    }

    /// The first cluster of the file this part of a nonresident one describes.
    pub(super) fn first(&self) -> Result<u64, Doubt> {
        le64(self.bytes, 16)
    }

    /// Of the first part.
    pub(super) fn sizes(&self) -> Result<Sizes, Doubt> {
        let sizes = Sizes { data: le64(self.bytes, 48)?, written: le64(self.bytes, 56)? };
        let sense = sizes.written <= sizes.data && sizes.data <= le64(self.bytes, 40)?;
        ensure(sense, || Doubt::damaged("the sizes of an attribute contradict each other"))?;
        Ok(sizes)
    }

    /// The runs of a nonresident one on a volume of so many clusters. Together they must be as long as the attribute says.
    pub(super) fn runs(&self, clusters: u64) -> Result<Vec<Run>, Doubt> {
        let no = || Doubt::damaged("the runs of an attribute make no sense");
        let (first, end) = (self.first()?, le64(self.bytes, 24)?.wrapping_add(1));
        let mut pairs = self.bytes.get(usize::from(le16(self.bytes, 32)?)..).ok_or_else(no)?;
        let (mut runs, mut at, mut cluster) = (Vec::new(), first, 0_i64);
        loop {
            let header = le8(pairs, 0)?;
            if header == 0 {
                break;
            }
            let (of_len, of_offset) = (usize::from(header & 0xf), usize::from(header >> 4));
            let numbers = pairs.get(1..1 + of_len + of_offset).ok_or_else(no)?;
            let (len, offset) = numbers.split_at(of_len);
            let len = signed(len).and_then(|len| u64::try_from(len).ok()).filter(|len| *len > 0).ok_or_else(no)?;
            let mut place = None;
            if !offset.is_empty() {
                cluster = signed(offset).and_then(|offset| cluster.checked_add(offset)).ok_or_else(no)?;
                let start = u64::try_from(cluster).map_err(|_| no())?;
                ensure(start.checked_add(len).is_some_and(|end| end <= clusters), no)?;
                place = Some(start);
            }
            runs.push(Run { at, cluster: place, len });
            at = at.checked_add(len).ok_or_else(no)?;
            pairs = &pairs[1 + of_len + of_offset..];
        }
        ensure(at == end, no)?;
        Ok(runs)
    }
}

/// A little-endian number of up to eight bytes in two's complement.
fn signed(bytes: &[u8]) -> Option<i64> {
    let last = *bytes.last()?;
    let mut wide = [if last & 0x80 == 0 { 0 } else { 0xff }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

/// An entry of an attribute list: the record that holds a part.
pub(super) struct Part {
    pub(super) kind: u32,
    pub(super) named: bool,
    pub(super) first: u64,
    pub(super) record: u64,
}

/// The entries of an attribute list.
pub(super) fn parts(list: &[u8]) -> Result<Vec<Part>, Doubt> {
    let mut found = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let len = usize::from(le16(rest, 4)?);
        ensure(len >= 26 && len <= rest.len(), || Doubt::damaged("an attribute list makes no sense"))?;
        found.push(Part {
            kind: le32(rest, 0)?,
            named: le8(rest, 6)? != 0,
            first: le64(rest, 8)?,
            record: le64(rest, 16)? & NUMBER,
        });
        rest = &rest[len..];
    }
    Ok(found)
}
