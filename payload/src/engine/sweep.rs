//! One sweep over a drive: write a pattern, or read it back and compare. There is no other loop over blocks.
//!
//! Several requests are in flight at once. A piece that fails with a media error is cut up until single physical blocks
//! are left; those that fail again are defects, everything around them is done. The *watermark* is the address before
//! which nothing is outstanding; at a checkpoint the drive's cache is flushed first, so that all before it is on the medium.

use super::{
    extents::Ranges,
    kinds::Kinds,
    pattern::{Pattern, is_all},
};
use crate::drive::{AlignedBuf, Completion, DataPlane, IoError, IoErrorKind, Op, Request};
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// Bytes of one request: a multiple of every pattern's period and of every block size, so that the buffers of a constant
/// pass are filled once.
pub const CHUNK: usize = 3 * 512 * 1024;
/// A failed piece is cut into about this many.
const SPLIT: u64 = 16;
/// How often a single bad block is tried again.
const RETRIES: u8 = 1;

/// What a sweep does with the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Put it on the drive.
    Write,
    /// Read the drive and compare.
    Compare,
    /// Read the drive, tell what kind of data it holds, and look for blocks that hold the pattern: those must not.
    Inspect,
}

/// Limits of a sweep, and of waiting for a drive that works alone.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many requests to keep in flight, where the drive takes as many.
    pub depth: usize,
    /// Time between checkpoints.
    pub checkpoint: Duration,
    /// How long nothing may complete before the drive counts as hung. The kernel's own error handling of a SATA drive
    /// (30 s a command, resets and retries) ends well before.
    pub hang: Duration,
    /// How many separate bad places end the sweep: a dying drive is not ground through for days.
    pub bad_places: usize,
    /// How many bytes that can't be read or written end the sweep. A place may be long, and each block of it takes seconds.
    pub bad_bytes: u64,
    /// The longest time between two questions to a drive that works alone.
    pub patience: Duration,
    /// Bytes of memory for what is known of the content of a drive that is cloned: with 32 MiB, 16 bytes for each MiB of up to 2 TiB,
    /// and for 16 MiB together of 20 TB.
    pub hashes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 4,
            checkpoint: Duration::from_secs(4),
            hang: Duration::from_secs(600),
            bad_places: 1000,
            bad_bytes: 4 << 20,
            patience: Duration::from_secs(5),
            hashes: 32 << 20,
        }
    }
}

/// What a sweep found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Bytes written, or read back and equal.
    pub bytes: u64,
    /// Places that could not be written.
    pub unwritable: Ranges,
    /// Places that could not be read.
    pub unreadable: Ranges,
    /// Places that held something else; those that held the pattern, where it must be gone.
    pub different: Ranges,
    /// What an inspection met.
    pub kinds: Kinds,
}

impl Found {
    /// Number of separate bad places.
    pub fn places(&self) -> usize {
        [&self.unwritable, &self.unreadable, &self.different].iter().map(|r| r.as_slice().len()).sum()
    }

    /// Whether that is a drive to be given up.
    fn exceeds(&self, limits: &Limits) -> bool {
        self.places() > limits.bad_places || self.unwritable.bytes() + self.unreadable.bytes() > limits.bad_bytes
    }
}

/// Why a sweep ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every block of the range was dealt with; the bad ones are listed.
    Complete,
    /// The observer asked for it.
    Stopped,
    /// The drive failed as a whole.
    Failed(IoError),
    /// More bad places than [`Limits::bad_places`], or larger ones than [`Limits::bad_bytes`].
    TooManyBad,
}

/// Whom a sweep tells; called on the drive's own thread.
pub trait Observer {
    /// `bytes` more have been dealt with.
    fn advanced(&mut self, bytes: u64);

    /// Everything before `offset` is on the medium (or compared), but for what `found` lists.
    fn checkpoint(&mut self, offset: u64, found: &Found);

    /// Whether to stop now.
    fn stop(&self) -> bool;
}

#[derive(Debug, Clone, Copy)]
struct Piece {
    offset: u64,
    len: u64,
    tries: u8,
}

/// A buffer and, in a constant pass, the phase of the pattern that fills it.
struct PoolBuffer {
    buf: AlignedBuf,
    phase: Option<u64>,
}

struct Sweep<'a> {
    plane: &'a mut dyn DataPlane,
    pattern: Pattern,
    mode: Mode,
    limits: Limits,
    fresh: VecDeque<super::extents::Range>,
    again: VecDeque<Piece>,
    /// Starts of all pieces in flight or to be tried again.
    pending: BTreeSet<u64>,
    in_flight: Vec<Piece>,
    pool: Vec<PoolBuffer>,
    scratch: Vec<u8>,
    found: Found,
}

/// Sweeps `ranges` of a drive. What was found is returned however the sweep ended.
pub fn sweep(
    plane: &mut dyn DataPlane,
    mode: Mode,
    pattern: Pattern,
    ranges: &Ranges,
    limits: Limits,
    observer: &mut dyn Observer,
) -> (Found, End) {
    let depth = limits.depth.clamp(1, plane.depth().max(1));
    let mut sweep = Sweep {
        plane,
        pattern,
        mode,
        limits,
        fresh: ranges.as_slice().iter().copied().collect(),
        again: VecDeque::new(),
        pending: BTreeSet::new(),
        in_flight: Vec::new(),
        pool: Vec::new(),
        scratch: vec![0; if mode == Mode::Write { 0 } else { CHUNK }],
        found: Found::default(),
    };
    for _ in 0..depth {
        match AlignedBuf::zeroed(CHUNK) {
            Ok(buf) => sweep.pool.push(PoolBuffer { buf, phase: None }),
            Err(error) if sweep.pool.is_empty() => {
                let detail = format!("no memory for a buffer: {error}");
                let error = IoError::new(IoErrorKind::Refused, sweep.op(), 0, 0, detail);
                return (Found::default(), End::Failed(error));
            }
            Err(_) => break,
        }
    }
    let end = sweep.run(observer).unwrap_or_else(|end| end);
    sweep.drain();
    (sweep.found, end)
}

impl Sweep<'_> {
    fn op(&self) -> Op {
        match self.mode {
            Mode::Write => Op::Write,
            Mode::Compare | Mode::Inspect => Op::Read,
        }
    }

    /// The loop. `Err` is any end before the last block.
    fn run(&mut self, observer: &mut dyn Observer) -> Result<End, End> {
        let mut last_checkpoint = Instant::now();
        let mut last_sign_of_life = Instant::now();
        loop {
            if observer.stop() {
                return Err(End::Stopped);
            }
            self.fill_queue()?;
            if self.in_flight.is_empty() {
                self.checkpoint(observer)?;
                return Ok(End::Complete);
            }
            match self.plane.wait(Duration::from_millis(250)).map_err(End::Failed)? {
                Some(completion) => {
                    last_sign_of_life = Instant::now();
                    self.finish(completion, observer)?;
                }
                None if last_sign_of_life.elapsed() >= self.limits.hang => return Err(self.hung()),
                None => {}
            }
            if last_checkpoint.elapsed() >= self.limits.checkpoint {
                self.checkpoint(observer)?;
                last_checkpoint = Instant::now();
                last_sign_of_life = Instant::now();
            }
        }
    }

    fn hung(&self) -> End {
        let (offset, len) = self.in_flight.first().map_or((0, 0), |piece| (piece.offset, piece.len));
        let detail = format!("no answer from the drive for {} s", self.limits.hang.as_secs());
        End::Failed(IoError::new(IoErrorKind::Hung, self.op(), offset, len, detail))
    }

    fn checkpoint(&mut self, observer: &mut dyn Observer) -> Result<(), End> {
        let outstanding = self.pending.first().copied();
        let untouched = self.fresh.front().map(|range| range.start);
        let watermark = match (outstanding, untouched) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => self.plane.geometry().bytes(),
        };
        if self.mode == Mode::Write {
            self.plane.flush().map_err(End::Failed)?;
        }
        observer.checkpoint(watermark, &self.found);
        Ok(())
    }

    /// Keeps the drive busy: pieces to be tried again first, then new ones.
    fn fill_queue(&mut self) -> Result<(), End> {
        while !self.pool.is_empty() {
            let Some(piece) = self.again.pop_front().or_else(|| self.next_fresh()) else { break };
            let Some(mut buffer) = self.pool.pop() else { break };
            self.prepare(&mut buffer, piece);
            self.pending.insert(piece.offset);
            let request = Request { op: self.op(), offset: piece.offset, buf: buffer.buf };
            self.plane.submit(request).map_err(End::Failed)?;
            self.in_flight.push(piece);
        }
        Ok(())
    }

    /// The next piece up to a multiple of [`CHUNK`] or the end of its range.
    fn next_fresh(&mut self) -> Option<Piece> {
        let range = self.fresh.front_mut()?;
        let chunk = CHUNK as u64;
        let len = range.len.min(chunk - range.start % chunk);
        let piece = Piece { offset: range.start, len, tries: 0 };
        range.start += len;
        range.len -= len;
        if range.len == 0 {
            self.fresh.pop_front();
        }
        Some(piece)
    }

    fn prepare(&self, buffer: &mut PoolBuffer, piece: Piece) {
        let len = usize::try_from(piece.len).unwrap_or(CHUNK).min(CHUNK);
        let phase = self.pattern.period().map(|period| piece.offset % period);
        if self.mode == Mode::Write && (phase.is_none() || buffer.phase != phase) {
            // A constant pattern fills all of the buffer, so that a longer piece can use it as it is.
            buffer.buf.set_len(if phase.is_some() { CHUNK } else { len });
            self.pattern.fill(piece.offset, &mut buffer.buf);
        }
        buffer.buf.set_len(len);
    }

    fn finish(&mut self, completion: Completion, observer: &mut dyn Observer) -> Result<(), End> {
        let Completion { offset, buf, result, .. } = completion;
        let Some(at) = self.in_flight.iter().position(|piece| piece.offset == offset) else {
            let detail = "the drive answered a request that was never made";
            return Err(End::Failed(IoError::new(IoErrorKind::Invalid, self.op(), offset, 0, detail)));
        };
        let piece = self.in_flight.swap_remove(at);
        self.pending.remove(&piece.offset);
        match result {
            Ok(()) => {
                self.succeeded(piece, &buf);
                observer.advanced(piece.len);
            }
            Err(error) if error.kind == IoErrorKind::Media => self.failed(piece, observer),
            Err(error) => return Err(End::Failed(error)),
        }
        let phase = match self.mode {
            Mode::Write => self.pattern.period().map(|period| piece.offset % period),
            Mode::Compare | Mode::Inspect => None,
        };
        self.pool.push(PoolBuffer { buf, phase });
        if self.found.exceeds(&self.limits) { Err(End::TooManyBad) } else { Ok(()) }
    }

    fn succeeded(&mut self, piece: Piece, data: &[u8]) {
        if self.mode == Mode::Inspect {
            return self.inspect(piece.offset, data);
        }
        if self.mode == Mode::Write || self.pattern.matches(piece.offset, data, &mut self.scratch) {
            self.found.bytes += piece.len;
            return;
        }
        let block = self.plane.geometry().logical();
        let mut offset = piece.offset;
        for found in data.chunks(block as usize) {
            let len = found.len() as u64;
            if self.pattern.matches(offset, found, &mut self.scratch) {
                self.found.bytes += len;
            } else {
                self.found.different.insert(offset, len);
            }
            offset += len;
        }
    }

    /// Whole pieces of one byte, which are most of what there is, are noted at once: no keystream looks like that.
    fn inspect(&mut self, start: u64, data: &[u8]) {
        if is_all(0x00, data) || is_all(0xff, data) {
            self.found.bytes += data.len() as u64;
            return self.found.kinds.note(data);
        }
        let block = self.plane.geometry().logical();
        for (offset, found) in (start..).step_by(block as usize).zip(data.chunks(block as usize)) {
            if self.pattern.matches(offset, found, &mut self.scratch) {
                self.found.different.insert(offset, found.len() as u64);
            } else {
                self.found.bytes += found.len() as u64;
                self.found.kinds.note(found);
            }
        }
    }

    /// Cuts a failed piece up, tries a single block again, or gives it up as a defect.
    fn failed(&mut self, piece: Piece, observer: &mut dyn Observer) {
        let unit = u64::from(self.plane.geometry().physical());
        if piece.len > unit {
            let step = piece.len.div_ceil(SPLIT).next_multiple_of(unit);
            let mut offset = piece.offset;
            let end = piece.offset + piece.len;
            while offset < end {
                // Cuts at physical blocks, wherever the piece began.
                let len = (step - offset % unit).min(end - offset);
                self.again_later(Piece { offset, len, tries: 0 });
                offset += len;
            }
        } else if piece.tries < RETRIES {
            self.again_later(Piece { tries: piece.tries + 1, ..piece });
        } else {
            let defects = match self.mode {
                Mode::Write => &mut self.found.unwritable,
                Mode::Compare | Mode::Inspect => &mut self.found.unreadable,
            };
            defects.insert(piece.offset, piece.len);
            observer.advanced(piece.len);
        }
    }

    fn again_later(&mut self, piece: Piece) {
        self.pending.insert(piece.offset);
        self.again.push_back(piece);
    }

    /// After an early end: waits for what is still in flight, within reason, so that nothing is written later on.
    fn drain(&mut self) {
        let start = Instant::now();
        while !self.in_flight.is_empty() && start.elapsed() < Duration::from_secs(30).min(self.limits.hang) {
            match self.plane.wait(Duration::from_millis(250)) {
                Ok(Some(done)) => self.in_flight.retain(|piece| piece.offset != done.offset),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
