//! Small reads through the descriptor that holds the claim, beside the frames that are under way on it: what decides which
//! blocks are free is asked of the drive that is copied, past every cache, and of no other.

use crate::{
    blocks::ReadAt,
    drive::{Address, AlignedBuf, Completion, DataPlane, Geometry, Identity, IoError, IoErrorKind, Op, Request},
    nvme::NvmeAdmin,
    scsi::CommandPlane,
};
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Read at once and kept: metadata lie close together.
const CHUNK: usize = 64 << 10;
/// Chunks that are kept (4 MiB).
const KEPT: usize = 64;
/// Between two looks at how long the drive has been silent.
const TICK: Duration = Duration::from_millis(250);

/// A claimed plane that two readers share: one in frames ([`Shared::lane`]), one in small pieces ([`ReadAt`]).
pub(super) struct Shared<'a> {
    geometry: Geometry,
    hang: Duration,
    inner: Mutex<Inner<'a>>,
}

struct Inner<'a> {
    plane: &'a mut dyn DataPlane,
    in_flight: usize,
    /// Finished requests of the lane that came home while somebody else waited.
    finished: VecDeque<Completion>,
    chunks: VecDeque<(u64, Arc<Vec<u8>>)>,
    /// It did not answer in time: it is not asked again, since each question would take as long.
    is_silent: bool,
}

impl std::fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("geometry", &self.geometry).finish_non_exhaustive()
    }
}

impl<'a> Shared<'a> {
    /// `hang` is how long the drive may be silent.
    pub(super) fn new(plane: &'a mut dyn DataPlane, hang: Duration) -> Self {
        let geometry = plane.geometry();
        let inner = Inner { plane, in_flight: 0, finished: VecDeque::new(), chunks: VecDeque::new(), is_silent: false };
        Self { geometry, hang, inner: Mutex::new(inner) }
    }

    /// The plane for whoever reads in frames.
    pub(super) fn lane(&self) -> Lane<'_, 'a> {
        Lane(self)
    }

    /// Whether a request may still be under way, since the drive did not answer in time.
    pub(super) fn is_silent(&self) -> bool {
        self.lock().is_silent
    }

    fn lock(&self) -> MutexGuard<'_, Inner<'a>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner<'_> {
    /// Reads these whole blocks. Other requests may finish meanwhile; they are kept for the lane.
    fn read(&mut self, offset: u64, len: usize, hang: Duration) -> Result<AlignedBuf, IoError> {
        let invalid = |detail: String| IoError::new(IoErrorKind::Invalid, Op::Read, offset, len as u64, detail);
        let buf = AlignedBuf::zeroed(len).map_err(|error| invalid(error.to_string()))?;
        // A request is told by its memory: a frame may begin at the same byte.
        let own = buf.as_ptr();
        let begin = Instant::now();
        let hung = || IoError::new(IoErrorKind::Hung, Op::Read, offset, len as u64, "no answer from the drive");
        if self.is_silent {
            return Err(hung());
        }
        while self.in_flight >= self.plane.depth().max(1) {
            match self.plane.wait(TICK)? {
                Some(done) => self.home(done),
                None if begin.elapsed() >= hang => {
                    self.is_silent = true;
                    return Err(hung());
                }
                None => {}
            }
        }
        self.plane.submit(Request { op: Op::Read, offset, buf })?;
        self.in_flight += 1;
        let begin = Instant::now();
        loop {
            match self.plane.wait(TICK)? {
                Some(done) if done.buf.as_ptr() == own => {
                    self.in_flight -= 1;
                    return done.result.map(|()| done.buf);
                }
                Some(done) => self.home(done),
                None if begin.elapsed() >= hang => {
                    self.is_silent = true;
                    return Err(hung());
                }
                None => {}
            }
        }
    }

    fn home(&mut self, done: Completion) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.finished.push_back(done);
    }

    /// The chunk that begins at `start`, kept or read now.
    fn chunk(&mut self, start: u64, len: usize, hang: Duration) -> Result<Arc<Vec<u8>>, IoError> {
        if let Some(place) = self.chunks.iter().position(|(at, _)| *at == start) {
            let found = self.chunks.remove(place).map(|(_, chunk)| chunk).unwrap_or_default();
            self.chunks.push_front((start, Arc::clone(&found)));
            return Ok(found);
        }
        let chunk = Arc::new(self.read(start, len, hang)?.to_vec());
        self.chunks.push_front((start, Arc::clone(&chunk)));
        self.chunks.truncate(KEPT);
        Ok(chunk)
    }

    /// The bytes from `at`, as many as `buf` holds, which lie in the chunk at `start`.
    fn piece(&mut self, start: u64, at: u64, buf: &mut [u8], geometry: &Geometry, hang: Duration) -> io::Result<()> {
        let len = usize::try_from(geometry.bytes() - start).unwrap_or(CHUNK).min(CHUNK);
        let within = usize::try_from(at - start).unwrap_or(CHUNK);
        let (error, buf_len) = match self.chunk(start, len, hang) {
            Ok(chunk) => {
                buf.copy_from_slice(&chunk[within..within + buf.len()]);
                return Ok(());
            }
            Err(error) => (error, buf.len()),
        };
        // A bad block spoils only itself.
        if error.kind != IoErrorKind::Media {
            return Err(io::Error::other(error.to_string()));
        }
        let block = u64::from(geometry.logical());
        let first = at / block * block;
        let last = (at + buf_len as u64).div_ceil(block) * block;
        let read = self.read(first, usize::try_from(last - first).unwrap_or(CHUNK), hang);
        let read = read.map_err(|error| io::Error::other(error.to_string()))?;
        let within = usize::try_from(at - first).unwrap_or_default();
        buf.copy_from_slice(&read[within..within + buf_len]);
        Ok(())
    }
}

impl ReadAt for Shared<'_> {
    fn size(&self) -> u64 {
        self.geometry.bytes()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut inner = self.lock();
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let start = at / CHUNK as u64 * CHUNK as u64;
            let left = CHUNK - usize::try_from(at - start).unwrap_or_default();
            let (now, later) = rest.split_at_mut(left.min(rest.len()));
            let len = now.len() as u64;
            inner.piece(start, at, now, &self.geometry, self.hang)?;
            at += len;
            rest = later;
        }
        Ok(())
    }
}

/// The shared plane as a plane, for frames.
#[derive(Debug)]
pub(super) struct Lane<'s, 'a>(&'s Shared<'a>);

impl DataPlane for Lane<'_, '_> {
    fn geometry(&self) -> Geometry {
        self.0.geometry
    }

    /// One less than the drive's, so that a small read need not wait for frames.
    fn depth(&self) -> usize {
        self.0.lock().plane.depth().saturating_sub(1).max(1)
    }

    fn submit(&mut self, request: Request) -> Result<(), IoError> {
        let mut inner = self.0.lock();
        inner.plane.submit(request)?;
        inner.in_flight += 1;
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) -> Result<Option<Completion>, IoError> {
        let mut inner = self.0.lock();
        if let Some(done) = inner.finished.pop_front() {
            return Ok(Some(done));
        }
        let done = inner.plane.wait(timeout)?;
        inner.in_flight = inner.in_flight.saturating_sub(usize::from(done.is_some()));
        Ok(done)
    }

    fn is_direct(&self) -> bool {
        self.0.lock().plane.is_direct()
    }

    fn is_in_place(&self) -> Result<(), String> {
        self.0.lock().plane.is_in_place()
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.0.lock().plane.flush()
    }

    fn hole(&mut self, offset: u64) -> u64 {
        self.0.lock().plane.hole(offset)
    }

    fn make_zeros(&mut self, offset: u64, len: u64) -> Result<bool, IoError> {
        self.0.lock().plane.make_zeros(offset, len)
    }

    fn stated(&self) -> Option<Identity> {
        self.0.lock().plane.stated()
    }

    fn commands(&self) -> Option<Box<dyn CommandPlane>> {
        self.0.lock().plane.commands()
    }

    fn address(&self) -> Address {
        self.0.lock().plane.address()
    }

    fn admin(&self) -> Option<(Box<dyn NvmeAdmin>, u32)> {
        self.0.lock().plane.admin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        drive::{Access, sim::SimDisk},
        engine::frames::{FRAME, read_one},
    };

    const MIB: u64 = 1 << 20;

    #[test]
    fn small_reads_and_frames_share_a_drive_and_a_bad_block_spoils_only_itself() {
        let disk = SimDisk::new("A", 4 * MIB, 512);
        let bytes: Vec<u8> = (0..4 * MIB / 4).flat_map(|n| u32::try_from(n).unwrap().to_le_bytes()).collect();
        disk.write_cells(0, &bytes);
        disk.break_it(|faults| faults.unreadable.extend([300]));
        let mut plane = disk.open(Access::ReadOnly).unwrap();
        let shared = Shared::new(&mut plane, Duration::from_secs(2));
        let mut lane = shared.lane();
        let buf = AlignedBuf::zeroed(FRAME).unwrap();
        lane.submit(Request { op: Op::Read, offset: MIB, buf }).unwrap();
        // The frame is under way at the same byte.
        for (at, len) in
            [(MIB, 512), (MIB + 5, 100_000), (0, 3), (299 * 512 + 1, 511), (301 * 512, 7), (4 * MIB - 1, 1)]
        {
            let mut small = vec![0; len];
            shared.read_at(at, &mut small).unwrap();
            let at = usize::try_from(at).unwrap();
            assert!(small == bytes[at..at + len], "{at}");
        }
        assert!(shared.read_at(300 * 512, &mut [0]).is_err() && shared.read_at(4 * MIB, &mut [0]).is_err());
        let done = lane.wait(Duration::from_secs(2)).unwrap().unwrap();
        assert!(done.offset == MIB && done.result.is_ok() && done.buf.len() == FRAME);
        let buf = AlignedBuf::zeroed(FRAME).unwrap();
        let frame = read_one(&mut lane, 2 * MIB, buf, Duration::from_secs(2)).unwrap();
        assert!(frame[..] == bytes[2 * FRAME..3 * FRAME]);
    }
}
