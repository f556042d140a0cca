//! An NVMe drive: how it formats and sanitizes itself, fails or lies. Its cells are a file, in which each namespace has its
//! part. No transport carries it to a guest; it serves tests in process.

mod options;
mod pages;
mod sanitize;

use crate::{
    cells::{self, Fill},
    file_disk::FileDisk,
    target::DataPhase,
};
use anyhow::{Context, Result};
use options::{Options, Word};
use sanitize::{History, State};
use std::time::{Duration, Instant};

/// Status code type in bits 10:8, status code in bits 7:0 (base specification 2.0, 3.3.3.2.1).
pub type Status = u16;

const SUCCESS: Status = 0;
const INVALID_OPCODE: Status = 0x001;
const INVALID_FIELD: Status = 0x002;
const INVALID_NAMESPACE: Status = 0x00b;
const SANITIZE_FAILED: Status = 0x01c;
const SANITIZE_IN_PROGRESS: Status = 0x01d;
const OUT_OF_RANGE: Status = 0x080;
const INVALID_LOG_PAGE: Status = 0x109;
const INVALID_FORMAT: Status = 0x10a;
const UNRECOVERED: Status = 0x281;

const SECTOR: u64 = 512;
const ALL_NAMESPACES: u32 = 0xffff_ffff;

/// What a submission queue entry says (base specification 2.0, figure 87).
#[derive(Debug, Clone, Copy)]
struct Entry {
    opcode: u8,
    nsid: u32,
    /// Command dwords 10 to 12.
    words: [u32; 3],
}

impl Entry {
    fn new(entry: &[u8; 64]) -> Self {
        let word = |number: usize| entry[4 * number..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Self { opcode: entry[0], nsid: word(1), words: [word(10), word(11), word(12)] }
    }
}

/// A modelled NVMe drive.
#[derive(Debug)]
pub struct NvmeDisk {
    options: Options,
    disk: FileDisk,
    state: State,
    history: History,
    /// How often the keys were changed.
    scrambles: u64,
    /// A command that erases was taken since the program started.
    was_erased: bool,
    resized: bool,
    /// Time that never passed, see [`NvmeDisk::pass_time`].
    skew: Duration,
}

impl NvmeDisk {
    /// `SERIAL=PATH` and words behind it, with commas between.
    ///
    /// | Word | The drive |
    /// |---|---|
    /// | `no-format`, `no-crypto-format` | knows no FORMAT NVM, or not by deleting its keys |
    /// | `reaches-all` | formats all its namespaces when it formats one |
    /// | `no-sanitize`, `no-overwrite`, `no-crypto` | knows no SANITIZE, or not these |
    /// | `namespaces=N` | has so many (1), each a like part of the cells |
    /// | `unallocated=N` | manages namespaces, and has N sectors at the end that belong to none |
    /// | `managed` | manages namespaces and does not say how much belongs to none |
    /// | `detached` | has its last namespace attached to no controller |
    /// | `sanitize-seconds=N` | needs so long for it (2) |
    /// | `erased-ones` | reads as ones after a block erase, else as zeros |
    /// | `sanitize-fails` | fails at the end of that time |
    /// | `sanitize-ignored` | takes the command and does nothing |
    /// | `sanitize-claimed` | … and says at once that it is done |
    /// | `sanitize-forgotten` | knows of no operation when it ended |
    /// | `sanitize-erases-nothing` | shows progress and ends well, and changes no cell |
    /// | `sanitize-of-another` | says at its end that it was another operation |
    /// | `format-erases-nothing`, `format-resizes` | takes FORMAT NVM and keeps the data, or changes the size |
    /// | `wrong-serial=TEXT` | is called that after the first command that erases |
    /// | `temperature=C` | is so warm (35) |
    ///
    /// # Errors
    /// Where a word is unknown, or the file cannot be read.
    pub fn from_text(text: &str) -> Result<Self> {
        let options = Options::parse(text)?;
        let disk = FileDisk::open(&options.serial, &options.path)
            .with_context(|| format!("opening {}", options.path.display()))?;
        Ok(Self {
            options,
            disk,
            state: State::Idle,
            history: History::default(),
            scrambles: 0,
            was_erased: false,
            resized: false,
            skew: Duration::ZERO,
        })
    }

    /// Runs an admin command, given as it stands in a submission queue.
    pub fn admin(&mut self, entry: &[u8; 64], data: DataPhase<'_>) -> Status {
        self.settle();
        let entry = Entry::new(entry);
        let sent = match entry.opcode {
            0x06 => self.identify(&entry),
            0x02 => self.log(&entry),
            0x80 => return self.format(&entry).err().unwrap_or(SUCCESS),
            0x84 => return self.sanitize(&entry).err().unwrap_or(SUCCESS),
            _ => Err(INVALID_OPCODE),
        };
        match (sent, data) {
            (Ok(page), DataPhase::In(buf)) => {
                let len = page.len().min(buf.len());
                buf[..len].copy_from_slice(&page[..len]);
                SUCCESS
            }
            (Ok(_), _) => INVALID_FIELD,
            (Err(status), _) => status,
        }
    }

    /// Runs a command of the NVM command set: flush, write, read.
    pub fn io(&mut self, entry: &[u8; 64], data: DataPhase<'_>) -> Status {
        self.settle();
        self.blocks(&Entry::new(entry), data).err().unwrap_or(SUCCESS)
    }

    /// The supply is taken away and comes back: what was going on starts again.
    pub fn power_cycle(&mut self) {
        self.settle();
        let now = self.now();
        if let State::Running { since, .. } = &mut self.state {
            *since = now;
        }
    }

    /// Lets time pass for the drive alone, so that a test need not wait.
    pub fn pass_time(&mut self, time: Duration) {
        self.skew += time;
        self.settle();
    }

    fn now(&self) -> Instant {
        Instant::now() + self.skew
    }

    fn has(&self, word: Word) -> bool {
        self.options.has(word)
    }

    fn manages(&self) -> bool {
        self.has(Word::Detached) || self.has(Word::Managed) || self.options.unallocated.is_some()
    }

    /// Sectors of no namespace.
    fn unallocated(&self) -> u64 {
        self.options.unallocated.unwrap_or(0).min(self.disk.blocks())
    }

    /// How many namespaces can be used: the first ones.
    fn active(&self) -> u32 {
        self.options.namespaces - u32::from(self.has(Word::Detached))
    }

    /// First sector and number of sectors of a namespace.
    fn namespace(&self, nsid: u32) -> Result<(u64, u64), Status> {
        let each = (self.disk.blocks() - self.unallocated()) / u64::from(self.options.namespaces);
        match nsid {
            0 => Err(INVALID_NAMESPACE),
            nsid if nsid > self.active() => Err(INVALID_NAMESPACE),
            nsid => Ok((u64::from(nsid - 1) * each, each)),
        }
    }

    fn blocks(&mut self, entry: &Entry, mut data: DataPhase<'_>) -> Result<(), Status> {
        let (first, size) = self.namespace(entry.nsid)?;
        self.obstacle()?;
        let [low, high, length] = entry.words;
        let (lba, blocks) = (u64::from(high) << 32 | u64::from(low), u64::from(length & 0xffff) + 1);
        match (entry.opcode, &data) {
            (0, _) => return Ok(()),
            (1, DataPhase::Out(_)) => self.history.untouched = false,
            (2, DataPhase::In(_)) => {}
            (1 | 2, _) => return Err(INVALID_FIELD),
            _ => return Err(INVALID_OPCODE),
        }
        if lba.checked_add(blocks).is_none_or(|end| end > size) {
            return Err(OUT_OF_RANGE);
        }
        match self.disk.access(first + lba, blocks, &mut data).status {
            0 => Ok(()),
            _ => Err(UNRECOVERED),
        }
    }

    /// FORMAT NVM (base specification 2.0, 5.14): the one format there is, with a secure erase of the data or the keys.
    fn format(&mut self, entry: &Entry) -> Result<(), Status> {
        if self.has(Word::NoFormat) {
            return Err(INVALID_OPCODE);
        }
        self.obstacle()?;
        let reached = match entry.nsid {
            ALL_NAMESPACES => (0, self.disk.blocks() - self.unallocated()),
            _ if self.has(Word::ReachesAll) => {
                self.namespace(entry.nsid).map(|_| (0, self.disk.blocks() - self.unallocated()))?
            }
            nsid => self.namespace(nsid)?,
        };
        let fill = match entry.words[0] {
            word if word & 0x1ff != 0 => return Err(INVALID_FORMAT),
            word => match word >> 9 & 0b111 {
                0 => None,
                1 => Some(Fill::Pattern([0; 4])),
                2 if !self.has(Word::NoCryptoFormat) => Some(self.scrambled()),
                _ => return Err(INVALID_FIELD),
            },
        };
        self.was_erased = true;
        self.resized = self.has(Word::FormatResizes);
        match fill {
            Some(fill) if !self.has(Word::FormatErasesNothing) && !self.fill(reached, fill) => Err(UNRECOVERED),
            _ => Ok(()),
        }
    }

    /// What deleted keys make of the cells.
    fn scrambled(&mut self) -> Fill {
        self.scrambles += 1;
        cells::noise(&self.options.serial, self.scrambles)
    }

    fn fill(&self, (first, sectors): (u64, u64), fill: Fill) -> bool {
        cells::fill(&self.disk, &self.options.serial, first..first + sectors, fill)
    }
}

#[cfg(test)]
mod tests;
