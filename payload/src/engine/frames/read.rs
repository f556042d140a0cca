//! Reading frames in order, several at once.

use super::{Buffer, Pool, count, len, start};
use crate::{
    drive::{Completion, DataPlane, IoError, IoErrorKind, Op, Request},
    engine::sweep::{End, Limits},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// What is to be done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Read,
    /// Nothing, and so with the frames behind it, as many as this: they are known, or not wanted.
    Pass(u64),
}

/// What became of a frame.
#[derive(Debug)]
pub enum Got {
    Data(Buffer),
    /// Some of it could not be read.
    Bad(IoError),
    /// So many from this one on were passed.
    Passed(u64),
}

/// Reads a drive's frames and hands them out in ascending order.
pub struct Reader<'a> {
    plane: &'a mut dyn DataPlane,
    pool: Pool,
    limits: Limits,
    depth: usize,
    /// The next frame to ask for, the next to hand out, and the end.
    ask: u64,
    hand_out: u64,
    end: u64,
    ready: BTreeMap<u64, Got>,
    in_flight: HashMap<u64, u64>,
    last_sign: Instant,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("ask", &self.ask).field("hand_out", &self.hand_out).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// Reads from frame `from` to the end of the drive.
    pub fn new(plane: &'a mut dyn DataPlane, pool: Pool, limits: Limits, from: u64) -> Self {
        let end = count(plane.geometry().bytes());
        let depth = limits.depth.clamp(1, plane.depth().max(1));
        Self {
            plane,
            pool,
            limits,
            depth,
            ask: from,
            hand_out: from,
            end,
            ready: BTreeMap::new(),
            in_flight: HashMap::new(),
            last_sign: Instant::now(),
        }
    }

    /// The next frame with its number; nothing behind the last. `want` is asked once for each frame that was not passed, in
    /// order, some frames ahead; `stop` is asked while waiting.
    pub fn next(
        &mut self,
        want: &mut dyn FnMut(u64) -> Want,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<(u64, Got)>, End> {
        self.next_asking(&mut |index, _| want(index), stop)
    }

    /// As [`Self::next`], where `want` asks the drive.
    pub fn next_asking(
        &mut self,
        want: &mut dyn FnMut(u64, &mut dyn DataPlane) -> Want,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<(u64, Got)>, End> {
        loop {
            if stop() {
                return Err(End::Stopped);
            }
            if self.hand_out == self.end {
                return Ok(None);
            }
            self.fill(want)?;
            if let Some(got) = self.ready.remove(&self.hand_out) {
                let index = self.hand_out;
                self.hand_out += if let Got::Passed(frames) = got { frames } else { 1 };
                return Ok(Some((index, got)));
            }
            self.wait()?;
        }
    }

    /// Keeps the drive busy as far as there are buffers.
    fn fill(&mut self, want: &mut dyn FnMut(u64, &mut dyn DataPlane) -> Want) -> Result<(), End> {
        // Enough of them ahead; a long run of passed frames must not fill the memory.
        while self.ask < self.end && self.in_flight.len() < self.depth && self.ready.len() < 64 {
            // Where nothing is under way, a buffer must come back first; else go on with what is.
            let idle = self.in_flight.is_empty() && self.ready.is_empty();
            let patience = if idle { Duration::from_millis(250) } else { Duration::ZERO };
            let Some(mut buffer) = self.pool.take(patience) else { return Ok(()) };
            if let Want::Pass(frames) = want(self.ask, self.plane) {
                let frames = frames.clamp(1, self.end - self.ask);
                self.ready.insert(self.ask, Got::Passed(frames));
                self.ask += frames;
                continue;
            }
            let bytes = self.plane.geometry().bytes();
            buffer.set_len(len(self.ask, bytes));
            let Some(buf) = buffer.lend() else { return Ok(()) };
            let offset = start(self.ask);
            if self.in_flight.is_empty() {
                self.last_sign = Instant::now();
            }
            self.plane.submit(Request { op: Op::Read, offset, buf }).map_err(End::Failed)?;
            self.in_flight.insert(offset, self.ask);
            self.ask += 1;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), End> {
        if self.in_flight.is_empty() {
            return Ok(());
        }
        match self.plane.wait(Duration::from_millis(250)).map_err(End::Failed)? {
            Some(done) => self.finish(done),
            None if self.last_sign.elapsed() >= self.limits.hang => {
                let offset = self.in_flight.keys().min().copied().unwrap_or_default();
                let detail = format!("no answer from the drive for {} s", self.limits.hang.as_secs());
                Err(End::Failed(IoError::new(IoErrorKind::Hung, Op::Read, offset, 0, detail)))
            }
            None => Ok(()),
        }
    }

    fn finish(&mut self, done: Completion) -> Result<(), End> {
        self.last_sign = Instant::now();
        let buffer = self.pool.adopt(done.buf);
        let Some(index) = self.in_flight.remove(&done.offset) else {
            let detail = "the drive answered a request that was never made";
            return Err(End::Failed(IoError::new(IoErrorKind::Invalid, Op::Read, done.offset, 0, detail)));
        };
        match done.result {
            Ok(()) => self.ready.insert(index, Got::Data(buffer)),
            Err(error) if error.kind == IoErrorKind::Media => self.ready.insert(index, Got::Bad(error)),
            Err(error) => return Err(End::Failed(error)),
        };
        Ok(())
    }
}

impl Drop for Reader<'_> {
    /// After an early end: what is in flight comes home, within reason.
    fn drop(&mut self) {
        let begin = Instant::now();
        while !self.in_flight.is_empty() && begin.elapsed() < Duration::from_secs(30).min(self.limits.hang) {
            match self.plane.wait(Duration::from_millis(250)) {
                Ok(Some(done)) => {
                    self.in_flight.remove(&done.offset);
                    drop(self.pool.adopt(done.buf));
                }
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}

/// One synchronous read of a whole buffer, for the places a fast pass left out.
pub fn read_one(
    plane: &mut dyn DataPlane,
    offset: u64,
    buf: mule_sys::AlignedBuf,
    hang: Duration,
) -> Result<mule_sys::AlignedBuf, (IoError, Option<mule_sys::AlignedBuf>)> {
    one(plane, Op::Read, offset, buf, hang)
}

/// One synchronous write of a whole buffer.
pub fn write_one(
    plane: &mut dyn DataPlane,
    offset: u64,
    buf: mule_sys::AlignedBuf,
    hang: Duration,
) -> Result<(), IoError> {
    one(plane, Op::Write, offset, buf, hang).map(drop).map_err(|(error, _)| error)
}

/// One synchronous transfer.
pub(super) fn one(
    plane: &mut dyn DataPlane,
    op: Op,
    offset: u64,
    buf: mule_sys::AlignedBuf,
    hang: Duration,
) -> Result<mule_sys::AlignedBuf, (IoError, Option<mule_sys::AlignedBuf>)> {
    let length = buf.len() as u64;
    plane.submit(Request { op, offset, buf }).map_err(|error| (error, None))?;
    let begin = Instant::now();
    loop {
        match plane.wait(Duration::from_millis(250)) {
            Ok(Some(done)) => {
                return match done.result {
                    Ok(()) => Ok(done.buf),
                    Err(error) => Err((error, Some(done.buf))),
                };
            }
            Ok(None) if begin.elapsed() >= hang => {
                let detail = format!("no answer from the drive for {} s", hang.as_secs());
                return Err((IoError::new(IoErrorKind::Hung, op, offset, length, detail), None));
            }
            Ok(None) => {}
            Err(error) => return Err((error, None)),
        }
    }
}
