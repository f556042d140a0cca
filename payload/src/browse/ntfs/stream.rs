//! Values of attributes that lie outside of their record: runs of clusters.

use super::{
    record::{Attribute, NUMBER, Record, kind},
    volume::Ntfs,
};
use crate::browse::{
    BrowseError,
    bytes::{index, u8_at, u16_at, u32_at, u64_at},
};

/// Flags of an attribute.
pub(super) const COMPRESSED: u16 = 0x00FF;
pub(super) const ENCRYPTED: u16 = 0x4000;

/// The most runs of one value: 24 MiB of memory.
const MAX_RUNS: usize = 1 << 20;
/// Windows stops at 256 KiB for a list of attributes.
const MAX_LIST: u64 = 256 << 10;

/// Clusters that follow each other; a hole has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::browse) struct Run {
    /// First cluster within the value.
    pub(in crate::browse) vcn: u64,
    /// First cluster on the volume.
    pub(in crate::browse) lcn: Option<u64>,
    /// How many.
    pub(in crate::browse) len: u64,
}

/// The value of an attribute.
pub(super) enum Stream {
    Resident(Vec<u8>),
    /// `size` bytes, of which `written` were written; the rest are zeros.
    Runs {
        runs: Vec<Run>,
        size: u64,
        written: u64,
        flags: u16,
    },
}

impl Attribute<'_> {
    /// The runs of this part of a value; none if the value stands in the record or the coding is wrong.
    ///
    /// `clusters` is how many the volume has.
    pub(in crate::browse) fn runs(&self, clusters: u64) -> Option<Vec<Run>> {
        let (mut vcn, _, _, mut coded) = self.non_resident()?;
        let (mut runs, mut lcn) = (Vec::new(), 0_u64);
        while let Some(sizes) = u8_at(coded, 0).filter(|sizes| *sizes != 0) {
            let (len_bytes, lcn_bytes) = (usize::from(sizes & 0xF), usize::from(sizes >> 4));
            let len = number(coded.get(1..1 + len_bytes)?)?;
            let step = number(coded.get(1 + len_bytes..1 + len_bytes + lcn_bytes)?)?;
            let len = u64::try_from(len).ok().filter(|len| *len > 0)?;
            let place = if lcn_bytes == 0 {
                None
            } else {
                lcn = lcn.checked_add_signed(step)?;
                lcn.checked_add(len).filter(|end| *end <= clusters)?;
                Some(lcn)
            };
            runs.push(Run { vcn, lcn: place, len });
            // Sizes of files are signed 64-bit numbers of bytes; clusters have at least 256 of them.
            vcn = vcn.checked_add(len).filter(|end| *end < 1 << 55)?;
            coded = &coded[1 + len_bytes + lcn_bytes..];
        }
        Some(runs)
    }
}

/// A signed number of up to 8 bytes.
fn number(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut all = [if negative { 0xFF } else { 0 }; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}

impl Ntfs<'_> {
    /// The value of an attribute, put together from all records it is spread over.
    pub(super) fn stream(&self, base: &Record, kind: u32, name: &[u8]) -> Result<Option<Stream>, BrowseError> {
        let mut parts = Parts { ntfs: self, kind, name, runs: Vec::new(), resident: None, sizes: None };
        parts.take(base)?;
        let list = base.attributes().find(|attribute| attribute.kind == kind::ATTRIBUTE_LIST);
        if let Some(list) = list.filter(|_| kind != kind::ATTRIBUTE_LIST) {
            let mut seen = Vec::new();
            for number in self.listed(&list, kind)? {
                if !seen.contains(&number) {
                    seen.push(number);
                    parts.take_extension(number)?;
                }
            }
        }
        parts.finish()
    }

    /// The extension records that a list of attributes names for one type, in order, neighbours once.
    fn listed(&self, list: &Attribute<'_>, kind: u32) -> Result<Vec<u64>, BrowseError> {
        let bytes = match list.resident() {
            Some(bytes) => bytes.to_vec(),
            None => {
                let runs = list.runs(self.clusters()).ok_or_else(broken_runs)?;
                let size = list.non_resident().map_or(0, |(_, size, ..)| size);
                self.read_runs(&runs, 0, size.min(MAX_LIST))?
            }
        };
        let mut numbers = Vec::new();
        let mut rest = &bytes[..];
        while let (Some(of), Some(len), Some(reference)) = (u32_at(rest, 0), u16_at(rest, 4), u64_at(rest, 16)) {
            if of == kind && numbers.last() != Some(&(reference & NUMBER)) {
                numbers.push(reference & NUMBER);
            }
            rest = rest.get(usize::from(len)..).filter(|_| len >= 24).unwrap_or_default();
        }
        Ok(numbers)
    }

    /// `len` bytes of a value from `offset`; holes are zeros.
    pub(super) fn read_runs(&self, runs: &[Run], offset: u64, len: u64) -> Result<Vec<u8>, BrowseError> {
        let mut buf = vec![0; index(len)];
        for run in &runs[runs.partition_point(|run| self.bytes(run.vcn + run.len) <= offset)..] {
            let (start, end) = (self.bytes(run.vcn).max(offset), self.bytes(run.vcn + run.len).min(offset + len));
            if start >= end {
                break;
            }
            if let Some(lcn) = run.lcn {
                let part = &mut buf[index(start - offset)..index(end - offset)];
                self.volume().read_at(self.bytes(lcn) + (start - self.bytes(run.vcn)), part)?;
            }
        }
        Ok(buf)
    }
}

/// A value that is being put together.
struct Parts<'a, 'n> {
    ntfs: &'a Ntfs<'n>,
    kind: u32,
    name: &'a [u8],
    runs: Vec<Run>,
    resident: Option<Vec<u8>>,
    /// Size, written size and flags, from the part that begins the value.
    sizes: Option<(u64, u64, u16)>,
}

impl Parts<'_, '_> {
    fn take(&mut self, record: &Record) -> Result<(), BrowseError> {
        for attribute in record.attributes().filter(|a| a.kind == self.kind && a.name() == self.name) {
            if let Some(value) = attribute.resident() {
                self.resident.get_or_insert_with(|| value.to_vec());
                continue;
            }
            let (first, size, written, _) = attribute.non_resident().ok_or_else(broken_runs)?;
            if first == 0 {
                self.sizes = Some((size, written, attribute.flags()));
            }
            self.runs.extend(attribute.runs(self.ntfs.clusters()).ok_or_else(broken_runs)?);
            if self.runs.len() > MAX_RUNS {
                return Err(BrowseError::Unsupported(format!("a file in more than {MAX_RUNS} pieces")));
            }
        }
        Ok(())
    }

    /// The base record itself is in the list, too; its attributes were taken already.
    fn take_extension(&mut self, number: u64) -> Result<(), BrowseError> {
        let record = self.ntfs.record(number)?;
        if record.base() != 0 { self.take(&record) } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Option<Stream>, BrowseError> {
        if let Some(value) = self.resident {
            return Ok(Some(Stream::Resident(value)));
        }
        let Some((size, written, flags)) = self.sizes else { return Ok(None) };
        self.runs.sort_unstable_by_key(|run| run.vcn);
        let stored =
            self.runs.iter().filter(|run| run.lcn.is_some()).try_fold(0_u64, |sum, run| sum.checked_add(run.len));
        if stored.is_none_or(|stored| stored > self.ntfs.clusters()) {
            return Err(BrowseError::damaged("a file has more clusters than the volume"));
        }
        let mut end = 0;
        for run in &self.runs {
            if run.vcn != end {
                return Err(BrowseError::damaged("the parts of a file overlap or one of them is missing"));
            }
            end += run.len;
        }
        if size > self.ntfs.bytes(end) {
            return Err(BrowseError::damaged("a file is larger than its clusters"));
        }
        Ok(Some(Stream::Runs { runs: self.runs, size, written, flags }))
    }
}

fn broken_runs() -> BrowseError {
    BrowseError::damaged("a list of clusters that makes no sense or leaves the volume")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_signed_and_short() {
        assert_eq!(number(&[]), Some(0));
        assert_eq!(number(&[0xFF]), Some(-1));
        assert_eq!(number(&[0x00, 0x80, 0x00]), Some(0x8000));
        assert_eq!(number(&[0; 9]), None);
    }
}
