//! Which areas of a disk were read, in the words and the text form of GNU ddrescue (manual, "Mapfile structure").

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

/// Largest mapfile that is read, in bytes: a million areas.
const MAX: usize = 48 << 20;

/// What is known of an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `?`: nobody has tried it.
    NonTried,
    /// `*`: reading it as a whole failed.
    NonTrimmed,
    /// `/`: its edges are known to be bad.
    NonScraped,
    /// `-`: bad sectors.
    Bad,
    /// `+`: read.
    Finished,
}

const LETTERS: &[(char, Status)] = &[
    ('?', Status::NonTried),
    ('*', Status::NonTrimmed),
    ('/', Status::NonScraped),
    ('-', Status::Bad),
    ('+', Status::Finished),
];

impl Status {
    pub fn letter(self) -> char {
        LETTERS.iter().find(|(_, status)| *status == self).map_or('?', |(letter, _)| *letter)
    }

    fn of(word: &str) -> Option<Self> {
        LETTERS.iter().find(|(letter, _)| word.chars().eq([*letter])).map(|(_, status)| *status)
    }
}

/// A run of bytes with one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub start: u64,
    pub len: u64,
    pub status: Status,
}

impl Area {
    pub fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// Why a mapfile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("line {line} of the mapfile: {reason}")]
    Line { line: usize, reason: String },
    #[error("the mapfile covers {found} bytes, the disk has {expected}")]
    Size { found: u64, expected: u64 },
    #[error("the mapfile is too large")]
    TooLarge,
}

/// A disk's areas, without gaps, neighbours of different status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    size: u64,
    /// Start of each area with its status; it ends where the next begins.
    areas: BTreeMap<u64, Status>,
}

impl Map {
    /// A disk of which nothing was tried.
    pub fn new(size: u64) -> Self {
        Self { size, areas: BTreeMap::from([(0, Status::NonTried)]) }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// All areas in order.
    pub fn areas(&self) -> impl DoubleEndedIterator<Item = Area> + '_ {
        self.areas.iter().map(|(start, status)| {
            let end = self.areas.range(start + 1..).next().map_or(self.size, |(next, _)| *next);
            Area { start: *start, len: end - start, status: *status }
        })
    }

    /// The areas of one status.
    pub fn of(&self, status: Status) -> Vec<Area> {
        self.areas().filter(|area| area.status == status).collect()
    }

    /// Bytes of one status.
    pub fn bytes(&self, status: Status) -> u64 {
        self.areas().filter(|area| area.status == status).map(|area| area.len).sum()
    }

    pub fn is_finished(&self) -> bool {
        self.areas.values().all(|status| *status == Status::Finished)
    }

    /// The status of a byte.
    pub fn at(&self, offset: u64) -> Status {
        self.areas.range(..=offset).next_back().map_or(Status::NonTried, |(_, status)| *status)
    }

    /// Sets the status of a range, cut at the end of the disk.
    pub fn set(&mut self, start: u64, len: u64, status: Status) {
        let end = start.saturating_add(len).min(self.size);
        if start >= end {
            return;
        }
        let behind = self.at(end);
        let inside: Vec<_> = self.areas.range(start..end).map(|(at, _)| *at).collect();
        inside.iter().for_each(|at| {
            self.areas.remove(at);
        });
        if end < self.size {
            self.areas.insert(end, behind);
            if behind == status {
                self.areas.remove(&end);
            }
        }
        let before = self.areas.range(..start).next_back().map(|(_, status)| *status);
        if before != Some(status) {
            self.areas.insert(start, status);
        }
    }

    /// The text form; `ddrescue` and `ddrescuelog` read it.
    pub fn text(&self) -> String {
        let mut text = String::from("# Mapfile. Written by mule\n# current_pos  current_status  current_pass\n");
        let status = if self.is_finished() || !self.areas.values().any(|s| *s != Status::Finished && *s != Status::Bad)
        {
            '+'
        } else {
            '?'
        };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "0x00000000     {status}               1\n#      pos        size  status");
        for area in self.areas() {
            let _ = writeln!(text, "0x{:08X}  0x{:08X}  {}", area.start, area.len, area.status.letter());
        }
        text
    }

    /// Reads the text form; it must cover `size` bytes without a gap.
    pub fn parse(text: &str, size: u64) -> Result<Self, MapError> {
        if text.len() > MAX {
            return Err(MapError::TooLarge);
        }
        let mut map = Self { size, areas: BTreeMap::new() };
        let mut next = 0;
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty());
        // The first line is where ddrescue stands, which decides nothing.
        for (line, words) in lines.skip(1) {
            let bad = |reason: &str| MapError::Line { line, reason: reason.into() };
            let words: Vec<_> = words.split_whitespace().collect();
            let [start, len, status] = words[..] else { return Err(bad("not position, size and status")) };
            let (Some(start), Some(len)) = (number(start), number(len)) else { return Err(bad("not a number")) };
            let status = Status::of(status).ok_or_else(|| bad("an unknown status"))?;
            if start != next || len == 0 {
                return Err(bad("the areas do not follow one another"));
            }
            next = start.checked_add(len).ok_or_else(|| bad("beyond any disk"))?;
            if next > size {
                return Err(MapError::Size { found: next, expected: size });
            }
            if map.areas.values().next_back() != Some(&status) {
                map.areas.insert(start, status);
            }
        }
        if next == size { Ok(map) } else { Err(MapError::Size { found: next, expected: size }) }
    }

    /// Writes it so that a power cut leaves the old or the new one.
    pub fn save(&self, path: &Path) -> Result<(), MapError> {
        let failed = |source| MapError::Io { path: path.into(), source };
        crate::files::replace(path, self.text().as_bytes()).map_err(failed)
    }

    /// Reads it back.
    pub fn load(path: &Path, size: u64) -> Result<Self, MapError> {
        let failed = |source| MapError::Io { path: path.into(), source };
        let bytes = crate::files::read(path, MAX as u64).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => MapError::TooLarge,
            _ => failed(source),
        })?;
        Self::parse(&String::from_utf8_lossy(&bytes), size)
    }
}

/// Decimal, or hexadecimal with 0x.
fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
