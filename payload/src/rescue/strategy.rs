//! GNU ddrescue's order (manual, "Algorithm"): copy what nobody tried, trim the failed areas from both edges, scrape what is left sector by
//! sector, try bad sectors again. Good areas come before bad ones, and every sector that can be read is read.

use super::map::{Area, Map, Status};
use std::io;

/// Bytes of one read while large areas are copied.
const CHUNK: usize = 64 * 1024;
/// Reads between two looks at the map for those who keep it.
const TELL_EVERY: u32 = 64;

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Something in the range cannot be read.
    Bad,
    /// The drive does not answer any more.
    Gone(String),
}

/// What is read.
pub trait Medium {
    /// Fills all of `buf` from `offset`, both multiples of the block.
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Trouble>;

    /// The logical block in bytes.
    fn block(&self) -> u32;
}

/// Where it goes.
pub trait Sink {
    /// These bytes could be read.
    fn recovered(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// The map changed; called now and then, and at the end.
    fn changed(&mut self, map: &Map);

    /// Whether to stop now.
    fn stop(&self) -> bool;
}

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How often bad sectors are tried again at the end.
    pub retries: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self { retries: 1 }
    }
}

/// How it ended.
#[derive(Debug)]
pub enum End {
    /// Everything was tried; what is not finished is bad.
    Complete,
    Stopped,
    Gone(String),
    /// What was read could not be kept.
    Sink(io::Error),
}

struct Rescue<'a> {
    map: &'a mut Map,
    medium: &'a mut dyn Medium,
    sink: &'a mut dyn Sink,
    buf: Vec<u8>,
    reads: u32,
}

/// Reads what the map has not as finished.
pub fn rescue(map: &mut Map, medium: &mut dyn Medium, sink: &mut dyn Sink, settings: &Settings) -> End {
    let mut rescue = Rescue { map, medium, sink, buf: vec![0; CHUNK], reads: 0 };
    let end = rescue.run(settings).map_or_else(|end| end, |()| End::Complete);
    rescue.sink.changed(rescue.map);
    end
}

impl Rescue<'_> {
    fn run(&mut self, settings: &Settings) -> Result<(), End> {
        self.copy()?;
        self.trim()?;
        self.scrape()?;
        for retry in 0..settings.retries {
            self.retry(retry % 2 == 0)?;
        }
        Ok(())
    }

    fn block(&self) -> u64 {
        u64::from(self.medium.block()).max(1)
    }

    /// Whether a range could be read; it is kept and marked.
    fn read(&mut self, start: u64, len: u64, failed: Status) -> Result<bool, End> {
        if self.sink.stop() {
            return Err(End::Stopped);
        }
        let len_bytes = usize::try_from(len).unwrap_or(self.buf.len()).min(self.buf.len());
        let result = self.medium.read(start, &mut self.buf[..len_bytes]);
        let good = match result {
            Ok(()) => {
                self.sink.recovered(start, &self.buf[..len_bytes]).map_err(End::Sink)?;
                true
            }
            Err(Trouble::Bad) => false,
            Err(Trouble::Gone(reason)) => return Err(End::Gone(reason)),
        };
        self.map.set(start, len, if good { Status::Finished } else { failed });
        self.reads += 1;
        if self.reads.is_multiple_of(TELL_EVERY) {
            self.sink.changed(self.map);
        }
        Ok(good)
    }

    /// What nobody tried, from the end to the start: the far side of a bad place is approached from behind.
    fn copy(&mut self) -> Result<(), End> {
        for area in self.map.of(Status::NonTried).into_iter().rev() {
            let mut end = area.end();
            while end > area.start {
                // Cut at whole chunks, so that every read is aligned.
                let start = ((end - 1) / CHUNK as u64 * CHUNK as u64).max(area.start);
                self.read(start, end - start, Status::NonTrimmed)?;
                end = start;
            }
        }
        Ok(())
    }

    /// From both edges of a failed area to the first bad sector.
    fn trim(&mut self) -> Result<(), End> {
        let block = self.block();
        for area in self.map.of(Status::NonTrimmed) {
            let (mut start, mut end) = (area.start, area.end());
            while start < end {
                let len = block.min(end - start);
                start += len;
                if !self.read(start - len, len, Status::Bad)? {
                    break;
                }
            }
            while end > start {
                let len = block.min(end - start);
                end -= len;
                if !self.read(end, len, Status::Bad)? {
                    break;
                }
            }
            self.map.set(start, end - start, Status::NonScraped);
        }
        Ok(())
    }

    /// Each sector between two bad ones.
    fn scrape(&mut self) -> Result<(), End> {
        for area in self.map.of(Status::NonScraped) {
            self.sectors(area, true)?;
        }
        Ok(())
    }

    fn retry(&mut self, backwards: bool) -> Result<(), End> {
        let mut areas = self.map.of(Status::Bad);
        if backwards {
            areas.reverse();
        }
        areas.into_iter().try_for_each(|area| self.sectors(area, !backwards))
    }

    fn sectors(&mut self, area: Area, forwards: bool) -> Result<(), End> {
        let block = self.block();
        let count = area.len.div_ceil(block);
        for number in 0..count {
            let number = if forwards { number } else { count - 1 - number };
            let start = area.start + number * block;
            self.read(start, block.min(area.end() - start), Status::Bad)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
