//! Writing frames that come from somewhere else.

use super::{FRAME, read::one, start};
use crate::{
    drive::{AlignedBuf, Completion, DataPlane, IoError, IoErrorKind, Op, Request},
    engine::{
        extents::Ranges,
        sweep::{End, Limits, Observer},
    },
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// What a writer is told to do.
#[derive(Debug, Clone)]
pub enum Job {
    /// This frame's content; `None` is zeros.
    Frame { index: u64, len: usize, data: Option<Arc<dyn Content>> },
    /// These bytes, whole blocks inside one frame.
    Piece { offset: u64, data: Arc<Vec<u8>> },
}

/// The content of a frame, shared by all drives that get it.
pub trait Content: AsRef<[u8]> + Send + Sync + std::fmt::Debug {}
impl<T: AsRef<[u8]> + Send + Sync + std::fmt::Debug> Content for T {}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    pub bytes: u64,
    pub unwritable: Ranges,
}

struct Writer<'a> {
    plane: &'a mut dyn DataPlane,
    limits: Limits,
    free: Vec<AlignedBuf>,
    in_flight: Vec<(u64, usize)>,
    again: Vec<(u64, AlignedBuf)>,
    written: Written,
    last_sign: Instant,
}

/// Writes `head`, which came first, and what comes through `jobs` until its sender is gone, then flushes the drive. Whatever ends it early, the sender's
/// next message fails.
pub fn write(
    plane: &mut dyn DataPlane,
    limits: Limits,
    head: Option<Job>,
    jobs: &Receiver<Job>,
    observer: &mut dyn Observer,
) -> (Written, End) {
    let depth = limits.depth.clamp(1, plane.depth().max(1));
    let mut free = Vec::new();
    for _ in 0..depth {
        match AlignedBuf::zeroed(FRAME) {
            Ok(buf) => free.push(buf),
            Err(error) if free.is_empty() => {
                let detail = format!("no memory for a buffer: {error}");
                let error = IoError::new(IoErrorKind::Refused, Op::Write, 0, 0, detail);
                return (Written::default(), End::Failed(error));
            }
            Err(_) => break,
        }
    }
    let mut writer = Writer {
        plane,
        limits,
        free,
        in_flight: Vec::new(),
        again: Vec::new(),
        written: Written::default(),
        last_sign: Instant::now(),
    };
    let end = writer.run(head, jobs, observer).map_or_else(|end| end, |()| End::Complete);
    writer.drain();
    (writer.written, end)
}

impl Writer<'_> {
    fn run(&mut self, mut head: Option<Job>, jobs: &Receiver<Job>, observer: &mut dyn Observer) -> Result<(), End> {
        loop {
            if observer.stop() {
                return Err(End::Stopped);
            }
            self.mend(observer)?;
            if self.free.is_empty() {
                self.wait(Duration::from_millis(250), observer)?;
                continue;
            }
            // With transfers under way their ends matter as much as new work.
            let patience =
                if self.in_flight.is_empty() { Duration::from_millis(250) } else { Duration::from_millis(2) };
            match head.take().map_or_else(|| jobs.recv_timeout(patience), Ok) {
                Ok(Job::Frame { index, len, data: None }) if self.made_zeros(index, len)? => {
                    observer.advanced(len as u64)
                }
                Ok(job) => self.submit(&job)?,
                Err(RecvTimeoutError::Timeout) => self.wait(Duration::ZERO, observer)?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        while !self.in_flight.is_empty() || !self.again.is_empty() {
            self.wait(Duration::from_millis(250), observer)?;
            self.mend(observer)?;
        }
        self.plane.flush().map_err(End::Failed)
    }

    fn submit(&mut self, job: &Job) -> Result<(), End> {
        let Some(mut buf) = self.free.pop() else { return Ok(()) };
        let offset = match job {
            Job::Frame { index, len, data } => {
                buf.set_len(*len);
                match data {
                    Some(data) => buf.copy_from_slice((**data).as_ref()),
                    None => buf.fill(0),
                }
                start(*index)
            }
            Job::Piece { offset, data } => {
                buf.set_len(data.len());
                buf.copy_from_slice(data);
                *offset
            }
        };
        if self.in_flight.is_empty() {
            self.last_sign = Instant::now();
        }
        let len = buf.len();
        self.plane.submit(Request { op: Op::Write, offset, buf }).map_err(End::Failed)?;
        self.in_flight.push((offset, len));
        Ok(())
    }

    /// Whether the drive made the frame zeros by itself.
    fn made_zeros(&mut self, index: u64, len: usize) -> Result<bool, End> {
        let made = self.plane.make_zeros(start(index), len as u64).map_err(End::Failed)?;
        self.written.bytes += if made { len as u64 } else { 0 };
        Ok(made)
    }

    fn wait(&mut self, patience: Duration, observer: &mut dyn Observer) -> Result<(), End> {
        if self.in_flight.is_empty() {
            return Ok(());
        }
        match self.plane.wait(patience).map_err(End::Failed)? {
            Some(done) => self.finish(done, observer),
            None if self.last_sign.elapsed() >= self.limits.hang => {
                let detail = format!("no answer from the drive for {} s", self.limits.hang.as_secs());
                Err(End::Failed(IoError::new(IoErrorKind::Hung, Op::Write, 0, 0, detail)))
            }
            None => Ok(()),
        }
    }

    fn finish(&mut self, done: Completion, observer: &mut dyn Observer) -> Result<(), End> {
        self.last_sign = Instant::now();
        let len = done.buf.len() as u64;
        self.in_flight.retain(|(offset, _)| *offset != done.offset);
        match done.result {
            Ok(()) => {
                self.written.bytes += len;
                observer.advanced(len);
                self.give_back(done.buf);
            }
            Err(error) if error.kind == IoErrorKind::Media => self.again.push((done.offset, done.buf)),
            Err(error) => return Err(End::Failed(error)),
        }
        Ok(())
    }

    fn give_back(&mut self, mut buf: AlignedBuf) {
        buf.set_len(FRAME);
        self.free.push(buf);
    }

    /// Writes what failed block by block, once nothing else is under way: a bad block must not cost its neighbours.
    fn mend(&mut self, observer: &mut dyn Observer) -> Result<(), End> {
        while self.in_flight.is_empty()
            && let Some((offset, buf)) = self.again.pop()
        {
            let unit = self.plane.geometry().physical() as usize;
            for (at, block) in (offset..).step_by(unit).zip(buf.chunks(unit)) {
                self.block(at, block)?;
                observer.advanced(block.len() as u64);
            }
            self.give_back(buf);
        }
        // A failed piece waits for the others; until then nothing new is begun.
        if !self.again.is_empty() && !self.in_flight.is_empty() {
            self.wait(Duration::from_millis(250), observer)?;
        }
        Ok(())
    }

    fn block(&mut self, at: u64, block: &[u8]) -> Result<(), End> {
        for last in [false, true] {
            let mut small = AlignedBuf::zeroed(block.len()).map_err(|error| {
                End::Failed(IoError::new(IoErrorKind::Refused, Op::Write, at, block.len() as u64, error.to_string()))
            })?;
            small.copy_from_slice(block);
            match one(self.plane, Op::Write, at, small, self.limits.hang) {
                Ok(_) => {
                    self.written.bytes += block.len() as u64;
                    return Ok(());
                }
                Err((error, _)) if error.kind != IoErrorKind::Media => return Err(End::Failed(error)),
                Err(_) if last => self.written.unwritable.insert(at, block.len() as u64),
                Err(_) => {}
            }
        }
        let unwritable = &self.written.unwritable;
        let hopeless =
            unwritable.as_slice().len() > self.limits.bad_places || unwritable.bytes() > self.limits.bad_bytes;
        if hopeless { Err(End::TooManyBad) } else { Ok(()) }
    }

    /// After an early end nothing may be written later on.
    fn drain(&mut self) {
        let begin = Instant::now();
        while !self.in_flight.is_empty() && begin.elapsed() < Duration::from_secs(30).min(self.limits.hang) {
            match self.plane.wait(Duration::from_millis(250)) {
                Ok(Some(done)) => self.in_flight.retain(|(offset, _)| *offset != done.offset),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }
}
