//! Which bytes of an image say something about its disk: not those that were free, from the allocation map in the file, and
//! not those that could not be read.

use super::{
    format::{FRAME, GROUP, Mode, Part},
    manifest::Manifest,
    reader::{ReadError, Reader, skippable},
    unreadable::unreadable,
    writer::hash_range,
};
use crate::{engine::extents::Ranges, job::issue::hex};
use std::ops::Range;

/// The smallest logical block.
const BLOCK: usize = 512;

/// The allocation map of one group at a time, each proved by the manifest's BLAKE3 of the group's part of the file before it
/// is believed: what it calls free is not compared with anything.
#[derive(Debug)]
pub struct InUse<'a> {
    reader: &'a Reader,
    manifest: &'a Manifest,
    /// What could not be read.
    bad: Ranges,
    group: Option<u64>,
    /// Bytes of the disk, ascending and apart.
    used: Vec<Range<u64>>,
}

impl<'a> InUse<'a> {
    /// Finds out what the image lacks.
    pub fn new(reader: &'a Reader, manifest: &'a Manifest) -> Result<Self, ReadError> {
        let bad = unreadable(reader, manifest)?;
        Ok(Self { reader, manifest, bad, group: None, used: Vec::new() })
    }

    /// Blanks what of a frame was not in use when the image was made, or could not be read; how many bytes were read.
    pub fn blank_the_rest(&mut self, index: u64, data: &mut [u8]) -> Result<u64, ReadError> {
        let (start, len) = (index * FRAME as u64, data.len());
        let within = |range: &Range<u64>| {
            let place = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(len).min(len);
            place(range.start)..place(range.end)
        };
        let mut says = vec![false; len / BLOCK];
        let mut mark = |range: Range<usize>, value: bool| {
            if let Some(part) = says.get_mut(range.start / BLOCK..range.end / BLOCK) {
                part.fill(value);
            }
        };
        match self.reader.header().mode {
            Mode::Raw => mark(0..len, true),
            Mode::UsedBlock => {
                self.load(index / GROUP)?;
                let first = self.used.partition_point(|range| range.end <= start);
                let used = self.used[first..].iter().take_while(|range| range.start < start + len as u64);
                used.for_each(|range| mark(within(range), true));
            }
        }
        let first = self.bad.as_slice().partition_point(|area| area.start + area.len <= start);
        let bad = self.bad.as_slice()[first..].iter().take_while(|area| area.start < start + len as u64);
        bad.for_each(|area| mark(within(&(area.start..area.start + area.len)), false));
        data.chunks_mut(BLOCK).zip(&says).filter(|(_, says)| !**says).for_each(|(block, _)| block.fill(0));
        Ok((says.iter().filter(|says| **says).count() * BLOCK) as u64)
    }

    /// Which bytes of the disk in a frame were in use.
    pub fn ranges(&mut self, index: u64) -> Result<Vec<Range<u64>>, ReadError> {
        let start = index * FRAME as u64;
        let end = start + self.reader.header().frame_len(index) as u64;
        if self.reader.header().mode == Mode::Raw {
            return Ok(std::iter::once(start..end).collect());
        }
        self.load(index / GROUP)?;
        let first = self.used.partition_point(|range| range.end <= start);
        let used = self.used[first..].iter().take_while(|range| range.start < end);
        Ok(used.map(|range| range.start.max(start)..range.end.min(end)).collect())
    }

    fn load(&mut self, group: u64) -> Result<(), ReadError> {
        if self.group == Some(group) {
            return Ok(());
        }
        let number = usize::try_from(group).unwrap_or(usize::MAX);
        let (place, volumes) = (self.reader.groups().get(number), &self.reader.volumes);
        let failed = |reason: String| {
            let (path, offset) = volumes.place(place.map_or(0, |place| place.index_at));
            ReadError::Index { group, path: path.into(), offset, reason }
        };
        let place = place.ok_or_else(|| failed("it is missing".into()))?;
        let listed = self.manifest.groups.get(number).map(|group| group.file.as_str()).unwrap_or_default();
        if hex(&hash_range(volumes, place.start, place.end)?) != listed {
            return Err(failed("its part of the file is not the one that the manifest proves".into()));
        }
        let (_, index) = skippable(volumes, place.index_at)?.ok_or_else(|| failed("it is missing".into()))?;
        let at = place.index_at + 8 + index.len() as u64;
        let text = match skippable(volumes, at)? {
            Some((Part::Used, text)) => String::from_utf8(text).map_err(|error| failed(error.to_string()))?,
            _ => return Err(failed("it has no allocation map".into())),
        };
        self.used = used_of(&text).ok_or_else(|| failed("its allocation map cannot be read".into()))?;
        self.group = Some(group);
        Ok(())
    }
}

/// The ranges in use of a map's lines, `0xPOS  0xSIZE  +`; nothing where they do not ascend.
fn used_of(text: &str) -> Option<Vec<Range<u64>>> {
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let mut used: Vec<Range<u64>> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (start, len) = (number(words.next()?)?, number(words.next()?)?);
        let end = start.checked_add(len)?;
        if words.next()? == "+" {
            if used.last().is_some_and(|last| last.end > start) {
                return None;
            }
            used.push(start..end);
        }
    }
    Some(used)
}

#[cfg(test)]
mod tests {
    use super::used_of;

    #[test]
    fn a_map_is_read_and_nonsense_is_not() {
        let text = "0x0  0x1000  +\n0x1000  0x3000  ?\n0x4000  0x200  +\n";
        assert_eq!(used_of(text), Some(vec![0..0x1000, 0x4000..0x4200]));
        assert_eq!(used_of(""), Some(vec![]));
        for text in ["x", "0x0", "0x0 0x1", "0 1 +", "0x4000 0x200 +\n0x0 0x1000 +", "0xFFFFFFFFFFFFFFFF 0x2 +"] {
            assert_eq!(used_of(text), None, "{text}");
        }
    }
}
