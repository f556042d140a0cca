//! Reads a log in long strides and hands it out frame by frame. A stride that fails is read again sector by sector, so
//! that one bad sector hides nothing but itself.

use super::{
    JournalError,
    frame::{self, BadFrame, Frame, MAX_FRAME, SECTOR},
    medium::Medium,
};
use std::io;

/// Bytes read at once.
pub(super) const STRIDE: usize = 256 * 1024;

/// Sectors of a log that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The first, in bytes from the start of the log.
    pub first: u64,
    /// How many there are, as far as the log was read.
    pub sectors: u64,
    /// What the medium said at the first.
    pub error: String,
}

/// A stride of a medium.
pub(super) struct Reader<'a> {
    medium: &'a mut dyn Medium,
    /// Whether a sector that cannot be read is an error, or a place without a frame.
    strict: bool,
    /// The end of the last whole sector.
    end: u64,
    buf: Vec<u8>,
    start: u64,
    len: usize,
    /// Which sectors of the stride could not be read; empty where all could.
    bad: Vec<bool>,
    unreadable: Option<Unreadable>,
    /// Up to where unreadable sectors are counted: strides overlap.
    counted: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(medium: &'a mut dyn Medium, strict: bool) -> Self {
        let end = medium.len() / SECTOR as u64 * SECTOR as u64;
        Self {
            medium,
            strict,
            end,
            buf: vec![0; STRIDE],
            start: 0,
            len: 0,
            bad: Vec::new(),
            unreadable: None,
            counted: 0,
        }
    }

    /// The end of the last whole sector.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// What could not be read so far.
    pub(super) fn into_unreadable(self) -> Option<Unreadable> {
        self.unreadable
    }

    /// Whether the sector at `at` can be read and holds zeros alone.
    pub(super) fn is_blank(&mut self, at: u64) -> Result<bool, JournalError> {
        let (bytes, _) = self.bytes(at)?;
        Ok(bytes.get(..SECTOR) == Some(&[0; SECTOR][..]))
    }

    /// The frame at `at`, a multiple of [`SECTOR`]; behind the end of the medium all is blank.
    pub(super) fn frame(&mut self, at: u64) -> Result<Result<Frame, BadFrame>, JournalError> {
        if at >= self.end {
            return Ok(Err(BadFrame::Blank));
        }
        let (bytes, cut) = self.bytes(at)?;
        Ok(match frame::decode(bytes) {
            Err(_) if bytes.is_empty() => Err(BadFrame::Unreadable),
            // The checksum may lie in what cannot be read.
            Err(BadFrame::Checksum) if cut => Err(BadFrame::Unreadable),
            decoded => decoded,
        })
    }

    /// As much as a frame at `at` can have, up to the end of the medium or the first sector that cannot be read; and
    /// whether it is such a sector that cuts it.
    fn bytes(&mut self, at: u64) -> Result<(&[u8], bool), JournalError> {
        let want = usize::try_from(self.end.saturating_sub(at)).unwrap_or(MAX_FRAME).min(MAX_FRAME);
        if at < self.start || at + want as u64 > self.start + self.len as u64 {
            self.load(at)?;
        }
        let from = usize::try_from(at - self.start).unwrap_or_default();
        let mut sectors = from / SECTOR..(from + want) / SECTOR;
        let cut = sectors.find(|sector| self.bad.get(*sector) == Some(&true));
        let until = cut.map_or(from + want, |sector| sector * SECTOR);
        Ok((&self.buf[from..until], cut.is_some()))
    }

    /// Reads the stride that begins at `at`.
    fn load(&mut self, at: u64) -> Result<(), JournalError> {
        let len = usize::try_from(self.end - at).unwrap_or(STRIDE).min(STRIDE);
        (self.start, self.len) = (at, 0);
        self.bad.clear();
        if self.medium.read_at(at, &mut self.buf[..len]).is_err() {
            let sectors = self.buf[..len].chunks_mut(SECTOR);
            for (place, sector) in (at..).step_by(SECTOR).zip(sectors) {
                let result = self.medium.read_at(place, sector);
                self.bad.push(result.is_err());
                if let Err(error) = result {
                    if self.strict {
                        return Err(JournalError::unreadable(place, &error));
                    }
                    sector.fill(0);
                    count(&mut self.unreadable, &mut self.counted, place, &error);
                }
            }
        }
        self.len = len;
        Ok(())
    }
}

fn count(unreadable: &mut Option<Unreadable>, counted: &mut u64, place: u64, error: &io::Error) {
    if place < *counted {
        return;
    }
    *counted = place + SECTOR as u64;
    match unreadable {
        Some(known) => known.sectors += 1,
        None => *unreadable = Some(Unreadable { first: place, sectors: 1, error: error.to_string() }),
    }
}
