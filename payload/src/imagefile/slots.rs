//! What could be read after all, into the slots that were left for it: through a write-ahead log (`ahead.rs`), so that a power cut
//! at any time loses no more than what was not on the medium yet.

use super::{
    ahead::{self, Record},
    codec::Decompressor,
    format::{GROUP, Part, SLOT, u32_at},
    index::Index,
    volumes::{VolumeError, Volumes},
    writer::{WriteError, Writer, hash_range, part_len},
};
use std::collections::{BTreeMap, BTreeSet};

/// More than any group's index with its record.
const INDEX: u64 = 64 << 10;

/// What the slots are to hold, as far as they do not yet.
#[derive(Debug)]
pub(super) struct Waiting {
    /// What lies in the log.
    filled: BTreeMap<u64, Filled>,
    /// What is to be zeros and is not.
    blank: BTreeSet<u64>,
    /// Indexes that do not fit what lies in their slots.
    stale: BTreeMap<usize, Index>,
    /// A sealed log could not be put in its place: only the next run can, and nothing may come behind the seal.
    sealed: bool,
    /// A log of so many bytes is put in its place.
    pub(super) enough: u64,
}

/// A frame in the log.
#[derive(Debug, Clone, Copy)]
struct Filled {
    at: u64,
    len: usize,
    hash: [u8; 32],
}

impl Default for Waiting {
    fn default() -> Self {
        let (filled, blank, stale) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { filled, blank, stale, sealed: false, enough: ahead::ENOUGH }
    }
}

impl Waiting {
    pub(super) fn stale(&mut self, index: Index) {
        self.stale.insert(index.group as usize, index);
    }
}

fn place(index: u64) -> (usize, usize) {
    let number = |n: u64| usize::try_from(n).unwrap_or_default();
    (number(index / GROUP), number(index % GROUP))
}

impl Writer {
    /// Frames that were not whole when they were written.
    pub fn slots(&self) -> impl Iterator<Item = u64> {
        self.slots.keys().copied()
    }

    /// What a slot is to hold.
    pub fn slot_content(&mut self, index: u64) -> Result<Vec<u8>, WriteError> {
        self.flush()?;
        let (slot, entry) = *self.slots.get(&index).ok_or(WriteError::Order("no such slot"))?;
        let plain = self.header.frame_len(index);
        if self.waiting.blank.contains(&index) {
            return Ok(vec![0; plain]);
        }
        let (at, len) = match self.waiting.filled.get(&index) {
            Some(filled) => (filled.at, filled.len),
            None => (slot, self.table.get(entry).map_err(WriteError::Table)?.0 as usize),
        };
        let mut bytes = vec![0; len];
        self.volumes.read(at, &mut bytes)?;
        let mut decompressor = Decompressor::new().map_err(WriteError::Codec)?;
        decompressor.unpack(&bytes, plain).map_err(WriteError::Codec)
    }

    /// A slot is to be zeros, whatever it holds: it is to be read again.
    pub fn blank_slot(&mut self, index: u64) -> Result<(), WriteError> {
        let zeros = self.slot_content(index)?.iter().all(|byte| *byte == 0);
        if !zeros {
            self.waiting.blank.insert(index);
        }
        Ok(())
    }

    /// Puts what could be read after all into a slot, behind the last frame.
    pub fn fill_slot(&mut self, index: u64, raw: &[u8], level: i32) -> Result<(), WriteError> {
        if self.next != self.header.frames() {
            return Err(WriteError::Order("a slot is filled before the last frame"));
        }
        let frame = self.compressor.compress(level, raw).map_err(WriteError::Codec)?;
        self.log(index, frame, *blake3::hash(raw).as_bytes())
    }

    fn log(&mut self, index: u64, frame: Vec<u8>, hash: [u8; 32]) -> Result<(), WriteError> {
        if self.waiting.sealed {
            return Err(WriteError::Order("a slot is filled behind a sealed log"));
        }
        self.flush()?;
        let (slot, _) = *self.slots.get(&index).ok_or(WriteError::Order("no such slot"))?;
        let (at, len) = (self.volumes.len() + ahead::BEFORE as u64, frame.len());
        self.log_record(slot, &Record { len: SLOT, bytes: frame })?;
        self.waiting.blank.remove(&index);
        self.waiting.filled.insert(index, Filled { at, len, hash });
        if self.log_size() >= self.waiting.enough { self.put_in_place() } else { Ok(()) }
    }

    /// Bytes of the log with what it still needs.
    fn log_size(&self) -> u64 {
        let groups: BTreeSet<_> = self.waiting.filled.keys().map(|index| place(*index).0).collect();
        self.volumes.len() - self.position + groups.len() as u64 * INDEX
    }

    fn log_record(&mut self, at: u64, record: &Record) -> Result<(), VolumeError> {
        let bytes = record.encode(at);
        self.volumes.append(&bytes, &[bytes.len()])
    }

    /// Takes in the whole records of a log that was not sealed, behind the last frame; where they end.
    pub(super) fn take_in_log(&mut self) -> Result<u64, WriteError> {
        let places: BTreeMap<u64, u64> = self.slots.iter().map(|(index, (at, _))| (*at, *index)).collect();
        let mut decompressor = Decompressor::new().map_err(WriteError::Codec)?;
        let mut at = self.position;
        while let Some((place, record)) = Record::read(&self.volumes, at)? {
            // The indexes at its end are made anew when it is sealed.
            let Some(index) = places.get(&place) else { break };
            let Ok(raw) = decompressor.unpack(&record.bytes, self.header.frame_len(*index)) else { break };
            let (within, len) = (at + ahead::BEFORE as u64, record.bytes.len());
            self.waiting.filled.insert(*index, Filled { at: within, len, hash: *blake3::hash(&raw).as_bytes() });
            at = within + (len + ahead::AFTER) as u64;
        }
        Ok(at)
    }

    /// Every slot holds what it is to hold.
    pub(super) fn settle(&mut self) -> Result<(), WriteError> {
        while let Some(index) = self.waiting.blank.first().copied() {
            let (frame, hash) = self.zero(self.header.frame_len(index))?;
            self.log(index, frame, hash)?;
        }
        self.put_in_place()
    }

    /// What the log holds, into its place.
    fn put_in_place(&mut self) -> Result<(), WriteError> {
        if self.waiting.sealed {
            return Err(WriteError::Order("a log is sealed twice"));
        }
        let groups = self.waiting.filled.keys().map(|index| place(*index).0);
        let groups: BTreeSet<_> = groups.chain(self.waiting.stale.keys().copied()).collect();
        if groups.is_empty() {
            return Ok(());
        }
        let mut indexes = Vec::new();
        for group in groups {
            let at = *self.index_at.get(group).ok_or(WriteError::Order("a group without an index"))?;
            let mut index = match self.waiting.stale.get(&group) {
                Some(index) => index.clone(),
                None => read_index(&self.volumes, at)?,
            };
            let first = group as u64 * GROUP;
            for (slot, filled) in self.waiting.filled.range(first..first + GROUP) {
                index.set_hash(*slot % GROUP, filled.hash);
            }
            let bytes = Part::Index.wrap(&index.encode());
            let record = Record { len: bytes.len(), bytes };
            self.log_record(at, &record)?;
            indexes.push((group, index.digest(), at, record));
        }
        let end = self.volumes.len();
        let seal = ahead::seal(self.position, &hash_range(&self.volumes, self.position, end)?);
        self.waiting.sealed = true;
        self.volumes.append(&seal, &[seal.len()])?;
        self.volumes.sync()?;
        // From here on the log says what a power cut can have torn.
        for (index, filled) in std::mem::take(&mut self.waiting.filled) {
            self.move_in(index, filled)?;
        }
        for (group, digest, at, record) in indexes {
            self.volumes.overwrite(at, &record.in_place())?;
            self.groups[group].0 = digest;
            self.dirty.insert(group);
            self.waiting.stale.remove(&group);
        }
        self.volumes.sync()?;
        self.volumes.cut(self.position)?;
        self.waiting.sealed = false;
        Ok(())
    }

    fn move_in(&mut self, index: u64, filled: Filled) -> Result<(), WriteError> {
        let (slot, entry) = *self.slots.get(&index).ok_or(WriteError::Order("no such slot"))?;
        let mut bytes = vec![0; filled.len];
        self.volumes.read(filled.at, &mut bytes)?;
        self.volumes.overwrite(slot, &Record { len: SLOT, bytes }.in_place())?;
        let plain = part_len(self.header.frame_len(index));
        self.table.set(entry, (part_len(filled.len), plain)).map_err(WriteError::Table)?;
        self.table.set(entry + 1, (part_len(SLOT - filled.len), 0)).map_err(WriteError::Table)
    }
}

fn read_index(volumes: &Volumes, at: u64) -> Result<Index, WriteError> {
    let mut head = [0; 8];
    volumes.read(at, &mut head)?;
    let len = (u32_at(&head, 4).unwrap_or_default() as usize).min(SLOT);
    let mut content = vec![0; len];
    volumes.read(at + 8, &mut content)?;
    Index::decode(&content).map_err(|reason| WriteError::Damaged { path: volumes.place(at).0.into(), at, reason })
}
