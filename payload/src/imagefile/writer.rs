//! Writing an image, frame after frame, so that a power cut costs seconds and the result is the same bytes.

use super::{
    ahead::Record,
    codec::Compressor,
    constant::{Constants, Run},
    format::{FRAME, GROUP, Header, Mode, Part, SLOT},
    index::{self, Index, State},
    slots::Waiting,
    table::Growing,
    volumes::{VolumeError, Volumes},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io,
    num::NonZeroU64,
    ops::Range,
    path::{Path, PathBuf},
};

/// Small parts are gathered until there is this much to write.
const GATHER: usize = 1 << 20;
/// Why an image is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error("{path} is of another disk, or no unfinished image at all", path = .0.display())]
    Another(PathBuf),
    #[error("{path}: the unfinished image is damaged at byte {at}: {reason}", path = path.display())]
    Damaged { path: PathBuf, at: u64, reason: String },
    /// What an unfinished image holds is not what an image that is begun now would hold.
    #[error("the unfinished image cannot be gone on with: {0}")]
    Anew(String),
    #[error("{0}")]
    Stopped(String),
    #[error("a frame could not be compressed: {0}")]
    Codec(io::Error),
    #[error("the seek table could not be kept beside the image: {0}")]
    Table(#[from] io::Error),
    #[error("a fault of this program: {0}")]
    Order(&'static str),
}

/// A frame to be written.
#[derive(Debug)]
pub enum Entry {
    Data {
        bytes: Vec<u8>,
        hash: [u8; 32],
    },
    /// All of it has this value.
    Same(u8),
    Zero,
    Free,
    InBase {
        hash: [u8; 32],
    },
    /// Some of it could not be read yet.
    Slot,
}

/// A finished image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub root: [u8; 32],
    /// Each group's index digest, and the BLAKE3 of its bytes in the file.
    pub groups: Vec<([u8; 32], [u8; 32])>,
    /// BLAKE3 of what lies behind the groups.
    pub tail: [u8; 32],
    pub files: Vec<(PathBuf, u64)>,
}

/// An image that is being written.
#[derive(Debug)]
pub struct Writer {
    pub(super) volumes: Volumes,
    pub(super) header: Header,
    pub(super) next: u64,
    /// Bytes so far, those that are not written yet too.
    pub(super) position: u64,
    /// What is there already is taken in: nothing is written.
    pub(super) taking_in: bool,
    pub(super) pending: Vec<u8>,
    pub(super) parts: Vec<usize>,
    /// Compressed and plain size of every frame so far.
    pub(super) table: Growing,
    pub(super) index: Index,
    used: Vec<Range<u64>>,
    pub(super) hasher: blake3::Hasher,
    pub(super) group_start: Vec<u64>,
    pub(super) index_at: Vec<u64>,
    pub(super) groups: Vec<([u8; 32], [u8; 32])>,
    pub(super) slots: BTreeMap<u64, (u64, usize)>,
    /// Groups whose bytes were changed after they were hashed.
    pub(super) dirty: BTreeSet<usize>,
    pub(super) constants: Constants,
    /// The run that the next frames may go on with; it is written when it ends.
    run: Option<Run>,
    pub(super) compressor: Compressor,
    pub(super) waiting: Waiting,
}

impl Writer {
    /// Begins an image; files of that name must not be there. `limit` is the largest file.
    pub fn create(path: &Path, limit: Option<NonZeroU64>, header: Header) -> Result<Self, WriteError> {
        let mut writer = Self::on(path, Volumes::create(path, limit)?, header);
        writer.begin()?;
        // What the image is of is on the medium before anything else of it.
        writer.pause()?;
        Ok(writer)
    }

    /// The header.
    pub(super) fn begin(&mut self) -> Result<(), WriteError> {
        let bytes = self.header.encode();
        self.table.push((part_len(bytes.len()), 0));
        self.put(&bytes)?;
        self.group_start.push(self.position);
        Ok(())
    }

    pub(super) fn on(path: &Path, volumes: Volumes, header: Header) -> Self {
        Self {
            volumes,
            header,
            next: 0,
            position: 0,
            taking_in: false,
            pending: Vec::new(),
            parts: Vec::new(),
            table: Growing::new(path),
            index: Index::default(),
            used: Vec::new(),
            hasher: blake3::Hasher::new(),
            group_start: Vec::new(),
            index_at: Vec::new(),
            groups: Vec::new(),
            slots: BTreeMap::new(),
            dirty: BTreeSet::new(),
            constants: Constants::default(),
            run: None,
            compressor: Compressor::new(),
            waiting: Waiting::default(),
        }
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.pending.extend_from_slice(bytes);
        self.parts.push(bytes.len());
        self.position += bytes.len() as u64;
        if self.pending.len() >= GATHER && !self.taking_in { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        let result = self.volumes.append(&self.pending, &self.parts);
        self.pending.clear();
        self.parts.clear();
        Ok(result?)
    }

    /// What stands for so many zeros in a slot, and their BLAKE3.
    pub(super) fn zero(&mut self, len: usize) -> Result<(Vec<u8>, [u8; 32]), WriteError> {
        let bytes = self.compressor.compress(1, &vec![0; len]).map_err(WriteError::Codec)?;
        Ok((bytes, self.constants.hash(Run { value: 0, bytes: len })))
    }

    /// Adds the next frame; `used` is which of it is in use, for the allocation map of a used-block image.
    pub fn append(&mut self, entry: Entry, used: &[Range<u64>]) -> Result<(), WriteError> {
        self.append_run(entry, 1, used)
    }

    /// Adds the next `frames` frames of one group, which are all `entry`; only runs can be more than one.
    pub fn append_run(&mut self, entry: Entry, frames: u16, used: &[Range<u64>]) -> Result<(), WriteError> {
        let group = self.next / GROUP;
        let end = self.next + u64::from(frames);
        if frames == 0 || end > group * GROUP + self.header.group_len(group) {
            return Err(WriteError::Order("a frame behind the last"));
        }
        let (state, value) = match entry {
            Entry::Same(0) | Entry::Zero => (State::Zero, 0),
            Entry::Free => (State::Free, 0),
            Entry::Same(value) => (State::Data, value),
            _ if frames > 1 => return Err(WriteError::Order("a run of what is not the same")),
            Entry::Data { bytes, hash } => {
                self.frame(&bytes, self.header.frame_len(self.next), hash)?;
                return self.advance(1, used);
            }
            Entry::InBase { hash } => {
                self.end_run()?;
                self.index.push(State::InBase, hash, 1);
                return self.advance(1, used);
            }
            Entry::Slot => {
                self.slot(self.header.frame_len(self.next))?;
                return self.advance(1, used);
            }
        };
        self.same(state, value, frames)?;
        self.advance(frames, used)
    }

    /// Goes on with the run, or begins one.
    fn same(&mut self, state: State, value: u8, frames: u16) -> Result<(), WriteError> {
        if self.run.is_some_and(|run| run.value != value) {
            self.end_run()?;
        }
        let last = self.header.frame_len(self.next + u64::from(frames) - 1);
        let bytes = FRAME * usize::from(frames - 1) + last;
        self.run.get_or_insert(Run { value, bytes: 0 }).bytes += bytes;
        self.index_run(state, value, frames);
        Ok(())
    }

    /// A run in the index; the disk's last frame may be shorter than the others.
    pub(super) fn index_run(&mut self, state: State, value: u8, frames: u16) {
        let last = self.header.frame_len(self.next + u64::from(frames) - 1);
        for (bytes, frames) in [(FRAME, frames - 1), (last, 1)] {
            if frames > 0 {
                self.index.push(state, self.constants.hash(Run { value, bytes }), frames);
            }
        }
    }

    fn end_run(&mut self) -> Result<(), WriteError> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let bytes = self.constants.frame(run);
        self.table.push((part_len(bytes.len()), part_len(run.bytes)));
        self.hasher.update(&bytes);
        self.put(&bytes)
    }

    pub(super) fn advance(&mut self, frames: u16, used: &[Range<u64>]) -> Result<(), WriteError> {
        for range in used {
            match self.used.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => self.used.push(range.clone()),
            }
        }
        self.next += u64::from(frames);
        let group = (self.next - 1) / GROUP;
        if self.index.len() == self.header.group_len(group) { self.end_group(group) } else { Ok(()) }
    }

    fn frame(&mut self, bytes: &[u8], len: usize, hash: [u8; 32]) -> Result<(), WriteError> {
        self.end_run()?;
        self.index.push(State::Data, hash, 1);
        self.table.push((part_len(bytes.len()), part_len(len)));
        self.hasher.update(bytes);
        self.put(bytes)
    }

    fn slot(&mut self, len: usize) -> Result<(), WriteError> {
        self.end_run()?;
        let (bytes, hash) = self.zero(len)?;
        self.slots.insert(self.next, (self.position(), self.table.len()));
        self.index.push(State::Slot, hash, 1);
        let padded = Record { len: SLOT, bytes: bytes.clone() }.in_place();
        self.table.push((part_len(bytes.len()), part_len(len)));
        self.table.push((part_len(SLOT - bytes.len()), 0));
        self.dirty.insert(self.groups.len());
        self.put(&padded)
    }

    fn end_group(&mut self, group: u64) -> Result<(), WriteError> {
        self.end_run()?;
        let mut index = std::mem::take(&mut self.index);
        index.group = u32::try_from(group).map_err(|_| WriteError::Order("too many groups"))?;
        let bytes = Part::Index.wrap(&index.encode());
        self.index_at.push(self.position());
        self.table.push((part_len(bytes.len()), 0));
        self.hasher.update(&bytes);
        self.put(&bytes)?;
        if self.header.mode == Mode::UsedBlock {
            let bytes = Part::Used.wrap(self.map_lines(group).as_bytes());
            self.table.push((part_len(bytes.len()), 0));
            self.hasher.update(&bytes);
            self.put(&bytes)?;
        }
        self.used.clear();
        let hash = std::mem::take(&mut self.hasher).finalize();
        self.groups.push((index.digest(), *hash.as_bytes()));
        self.group_start.push(self.position());
        Ok(())
    }

    /// The group's lines of the allocation map.
    fn map_lines(&self, group: u64) -> String {
        let mut text = String::new();
        let mut at = group * GROUP * FRAME as u64;
        let end = (at + GROUP * FRAME as u64).min(self.header.disk_bytes);
        let mut line = |start: u64, end: u64, status: char| {
            if end > start {
                // Writing into a String cannot fail.
                let _ = writeln!(text, "0x{start:X}  0x{:X}  {status}", end - start);
            }
        };
        for range in &self.used {
            line(at, range.start, '?');
            line(range.start, range.end, '+');
            at = range.end;
        }
        line(at, end, '?');
        text
    }

    /// Ends the image: the bad-sector map where there is one, and the seek table. All of it is on the medium then.
    pub fn finish(mut self, bad: Option<&str>) -> Result<Finished, WriteError> {
        if self.next != self.header.frames() {
            return Err(WriteError::Order("the image is not complete"));
        }
        self.flush()?;
        self.settle()?;
        let mut tail = blake3::Hasher::new();
        if let Some(text) = bad {
            let bytes = Part::Bad.wrap(text.as_bytes());
            self.table.push((part_len(bytes.len()), 0));
            tail.update(&bytes);
            self.put(&bytes)?;
        }
        self.flush()?;
        self.volumes.keep_together(self.table.bytes())?;
        let volumes = &mut self.volumes;
        self.table.write(|piece| {
            tail.update(piece);
            Ok::<_, WriteError>(volumes.append(piece, &[])?)
        })?;
        self.volumes.sync()?;
        for group in std::mem::take(&mut self.dirty) {
            self.groups[group].1 = hash_range(&self.volumes, self.group_start[group], self.group_start[group + 1])?;
        }
        let digests: Vec<_> = self.groups.iter().map(|(digest, _)| *digest).collect();
        Ok(Finished {
            root: index::root(&digests),
            groups: self.groups,
            tail: *tail.finalize().as_bytes(),
            files: self.volumes.files().map(|(path, len)| (path.to_owned(), len)).collect(),
        })
    }

    /// Puts what is written on the medium, so that an end at any time is no loss.
    pub fn pause(&mut self) -> Result<(), WriteError> {
        self.flush()?;
        Ok(self.volumes.sync()?)
    }
}

/// Bytes of a part, for the seek table.
pub(super) fn part_len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// BLAKE3 of a range of the file.
pub(super) fn hash_range(volumes: &Volumes, start: u64, end: u64) -> Result<[u8; 32], VolumeError> {
    let mut hasher = blake3::Hasher::new();
    let mut buf = vec![0; usize::try_from(end.saturating_sub(start)).unwrap_or(GATHER).min(GATHER)];
    let mut at = start;
    while at < end {
        let len = usize::try_from(end - at).unwrap_or(GATHER).min(GATHER);
        volumes.read(at, &mut buf[..len])?;
        hasher.update(&buf[..len]);
        at += len as u64;
    }
    Ok(*hasher.finalize().as_bytes())
}
