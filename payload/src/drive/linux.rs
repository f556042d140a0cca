//! A drive of this machine: a block device (or a regular file, for tests and images) with direct I/O through io_uring.

use super::{
    Access, Address, Completion, DataPlane, Geometry, Identity, IoError, IoErrorKind, Op, OpenError, Request,
    admission::admit, worker::Worker,
};
use crate::{
    nvme::{LinuxAdmin, NvmeAdmin},
    scsi::{CommandPlane, LinuxPlane},
};
use mule_sys::{Done, Ring, block};
use rustix::{
    fs::{FallocateFlags, SeekFrom},
    io::Errno,
};
use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

mod claim;
mod direct;

pub use claim::Device;
pub(crate) use claim::file_geometry;

/// Requests in flight: enough that neither a SATA disk nor an SSD waits for the CPU with requests of 1 MiB.
const DEPTH: usize = 8;

/// How long a flush may take. Linux gives a SCSI disk 60 seconds for SYNCHRONIZE CACHE and tries up to five times.
const FLUSH_LIMIT: Duration = Duration::from_secs(360);

/// How requests reach the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// io_uring where the kernel has it, a thread where it refuses (ENOSYS, EPERM), and for a file whose file system does not
    /// say that it has direct I/O.
    Any,
    /// io_uring or nothing.
    Ring,
    /// A thread with plain positioned reads and writes.
    Thread,
}

#[derive(Debug)]
enum Plane {
    Ring(Box<Ring<Arc<File>>>),
    Thread(Worker),
}

impl Plane {
    fn new(file: &Arc<File>, depth: usize, engine: Engine) -> io::Result<Self> {
        if engine != Engine::Thread {
            // One entry more than the drive's depth, so that a flush always finds room.
            match Ring::new(Arc::clone(file), depth + 1) {
                Ok(ring) => return Ok(Self::Ring(Box::new(ring))),
                Err(error) if engine == Engine::Ring => return Err(error),
                Err(_) => {}
            }
        }
        Worker::new(Arc::clone(file)).map(Self::Thread)
    }

    fn submit(&mut self, write: bool, request: Request) -> io::Result<()> {
        match self {
            Self::Ring(ring) => ring.submit(write, request.offset, request.buf).map_err(|(_, error)| error),
            Self::Thread(worker) => worker.submit(write, request.offset, request.buf),
        }
    }

    fn submit_flush(&mut self) -> io::Result<()> {
        match self {
            Self::Ring(ring) => ring.submit_flush(),
            Self::Thread(worker) => worker.submit_flush(),
        }
    }

    fn wait(&mut self, timeout: Duration) -> io::Result<Option<Done>> {
        match self {
            Self::Ring(ring) => ring.wait(timeout),
            Self::Thread(worker) => worker.wait(timeout),
        }
    }
}

/// A claimed drive. The claim is exclusive (`O_EXCL` on a block device, a lock on a file) and ends with the value; where
/// requests still hang in the drive then, it lasts until they return.
#[derive(Debug)]
pub struct LinuxDrive {
    file: Arc<File>,
    path: PathBuf,
    device: Device,
    geometry: Geometry,
    access: Access,
    depth: usize,
    plane: Plane,
    in_flight: usize,
    /// Transfers that finished while a flush was waited for.
    finished: VecDeque<Completion>,
    flush_in_flight: bool,
    /// Whether ranges can be made zeros without a transfer, as far as is known.
    makes_zeros: bool,
}

impl LinuxDrive {
    /// Claims the drive at `path` and reads its sizes.
    pub fn open(path: &Path, access: Access) -> Result<Self, OpenError> {
        Self::open_with(path, access, DEPTH, Engine::Any)
    }

    /// Claims a drive with a given depth (at least 1) and engine.
    pub fn open_with(path: &Path, access: Access, depth: usize, engine: Engine) -> Result<Self, OpenError> {
        let (file, device, geometry) = claim::claim(path, access)?;
        let file = Arc::new(file);
        let depth = depth.max(1);
        let engine = match engine {
            Engine::Any if device == Device::File && !direct::is_told(&file) => Engine::Thread,
            engine => engine,
        };
        let plane = Plane::new(&file, depth, engine).map_err(|source| OpenError::Io {
            path: path.to_owned(),
            doing: "setting up I/O",
            source,
        })?;
        Ok(Self {
            file,
            path: path.to_owned(),
            device,
            geometry,
            access,
            depth,
            plane,
            in_flight: 0,
            finished: VecDeque::new(),
            flush_in_flight: false,
            makes_zeros: access == Access::ReadWrite && claim::may_make_zeros(device),
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which device the open descriptor is, whatever the path names by now.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The descriptor, for commands and ioctls.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Whether requests go through io_uring.
    pub fn uses_ring(&self) -> bool {
        matches!(self.plane, Plane::Ring(_))
    }

    /// Makes the kernel read the partition table again.
    pub fn reread_partitions(&self) -> io::Result<()> {
        match self.device {
            Device::Block { .. } => block::reread_partitions(&self.file),
            Device::File => Ok(()),
        }
    }

    /// The next finished transfer within `timeout`; notes a finished flush on the way.
    fn next(&mut self, timeout: Duration) -> io::Result<Next> {
        Ok(match self.plane.wait(timeout)? {
            None => Next::Nothing,
            Some(Done::Flush(result)) => {
                self.flush_in_flight = false;
                Next::Flushed(result)
            }
            Some(Done::Transfer { write, offset, buf, result }) => {
                let op = if write { Op::Write } else { Op::Read };
                let result = self.judge(op, offset, buf.len() as u64, result);
                Next::Transferred(Completion { op, offset, buf, result })
            }
        })
    }

    fn judge(&self, op: Op, offset: u64, len: u64, result: io::Result<usize>) -> Result<(), IoError> {
        let (kind, detail) = match result {
            Ok(count) if count as u64 == len => return Ok(()),
            Ok(count) => (IoErrorKind::Media, format!("only {count} bytes were transferred")),
            Err(error) => (kind_of(&error), error.to_string()),
        };
        let (kind, detail) = self.or_gone(kind, detail);
        Err(IoError::new(kind, op, offset, len, detail))
    }

    /// A medium error of a drive that is no longer there is not the medium's.
    fn or_gone(&self, kind: IoErrorKind, detail: String) -> (IoErrorKind, String) {
        match (kind, self.size_now()) {
            (IoErrorKind::Media, Err(error)) => (IoErrorKind::Gone, format!("{detail}; the drive is gone ({error})")),
            (IoErrorKind::Media, Ok(bytes)) if bytes < self.geometry.bytes() => {
                (IoErrorKind::Gone, format!("{detail}; the capacity is now {bytes} bytes"))
            }
            _ => (kind, detail),
        }
    }

    fn size_now(&self) -> io::Result<u64> {
        match self.device {
            Device::File => Ok(self.file.metadata()?.len()),
            Device::Block { major, minor } => {
                let bytes = block::size_bytes(&self.file)?;
                // A removed disk may keep its last capacity, but the kernel drops its name.
                let listed = Path::new("/sys/dev/block");
                if listed.exists() && !listed.join(format!("{major}:{minor}")).exists() {
                    return Err(io::Error::from_raw_os_error(Errno::NODEV.raw_os_error()));
                }
                Ok(bytes)
            }
        }
    }

    fn flush_error(&self, kind: IoErrorKind, detail: String) -> IoError {
        let (kind, detail) = self.or_gone(kind, detail);
        IoError::flush(kind, detail)
    }

    /// Waits until no flush is in flight; the result is that of the flush that ended last.
    fn await_flush(&mut self, deadline: Instant) -> Result<(), IoError> {
        while self.flush_in_flight {
            let left = deadline.saturating_duration_since(Instant::now());
            let next = self.next(left).map_err(|e| self.flush_error(kind_of(&e), e.to_string()))?;
            match next {
                Next::Flushed(result) => return result.map_err(|e| self.flush_error(kind_of(&e), e.to_string())),
                Next::Transferred(completion) => self.finished.push_back(completion),
                Next::Nothing if left.is_zero() => {
                    let detail = format!("no answer within {} seconds", FLUSH_LIMIT.as_secs());
                    return Err(IoError::flush(IoErrorKind::Hung, detail));
                }
                Next::Nothing => {}
            }
        }
        Ok(())
    }
}

enum Next {
    Nothing,
    Flushed(io::Result<()>),
    Transferred(Completion),
}

impl DataPlane for LinuxDrive {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn submit(&mut self, request: Request) -> Result<(), IoError> {
        let (op, offset, len) = (request.op, request.offset, request.buf.len() as u64);
        admit((op, offset, len), self.geometry, self.access, self.in_flight, self.depth)?;
        self.plane
            .submit(op == Op::Write, request)
            .map_err(|error| IoError::new(kind_of(&error), op, offset, len, error.to_string()))?;
        self.in_flight += 1;
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) -> Result<Option<Completion>, IoError> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            let completion = match self.finished.pop_front() {
                Some(completion) => Some(completion),
                None if self.in_flight == 0 => return Ok(None),
                None => {
                    let left = deadline.map_or(timeout, |at| at.saturating_duration_since(Instant::now()));
                    match self.next(left).map_err(|e| IoError::new(kind_of(&e), Op::Read, 0, 0, e.to_string()))? {
                        Next::Transferred(completion) => Some(completion),
                        // The late end of a flush that was given up.
                        Next::Flushed(_) => continue,
                        Next::Nothing => None,
                    }
                }
            };
            self.in_flight -= usize::from(completion.is_some());
            return Ok(completion);
        }
    }

    fn is_direct(&self) -> bool {
        direct::is_direct(&self.file, self.device)
    }

    /// A drive that is gone says so at the next request.
    fn is_in_place(&self) -> Result<(), String> {
        let (path, had) = (self.path.display(), self.geometry.bytes());
        if let Some(bytes) = self.size_now().ok().filter(|bytes| *bytes != had) {
            return Err(format!("{path} has {bytes} bytes by now, and had {had} when it was claimed"));
        }
        let numbers = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        let same = || {
            Ok::<_, Errno>(rustix::fs::fstat(&self.file).map(numbers)? == rustix::fs::stat(&self.path).map(numbers)?)
        };
        match same() {
            _ if self.device != Device::File => Ok(()),
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{path} leads to another file by now")),
            Err(error) => Err(format!("{path} does not lead to it any more ({})", io::Error::from(error))),
        }
    }

    fn flush(&mut self) -> Result<(), IoError> {
        let deadline = Instant::now() + FLUSH_LIMIT;
        // A flush that was given up earlier says nothing about the writes since.
        let _ = self.await_flush(deadline);
        if self.flush_in_flight {
            return Err(IoError::flush(IoErrorKind::Hung, "an earlier flush has not returned"));
        }
        self.plane.submit_flush().map_err(|e| self.flush_error(kind_of(&e), e.to_string()))?;
        self.flush_in_flight = true;
        self.await_flush(deadline)
    }

    /// Of a file, what its file system has no blocks for.
    fn hole(&mut self, offset: u64) -> u64 {
        if self.device != Device::File {
            return 0;
        }
        let end = match rustix::fs::seek(&*self.file, SeekFrom::Data(offset)) {
            Ok(data) => data,
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => self.geometry.bytes(),
            Err(_) => 0,
        };
        end.min(self.geometry.bytes()).saturating_sub(offset)
    }

    /// A file gets a hole there, as it would have where it is copied sparsely, or blocks marked as zeros. Of a block device the kernel asks for WRITE ZEROES (never for a discard:
    /// `block/fops.c`, `blkdev_fallocate`), and only a drive that has the command is asked.
    fn make_zeros(&mut self, offset: u64, len: u64) -> Result<bool, IoError> {
        admit((Op::Write, offset, len), self.geometry, self.access, 0, self.depth)?;
        if !self.makes_zeros {
            return Ok(false);
        }
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let ways = match self.device {
            Device::File => &[hole, FallocateFlags::ZERO_RANGE][..],
            Device::Block { .. } => &[FallocateFlags::ZERO_RANGE],
        };
        // Whatever the reason where none works, a write tells whether it is the drive's.
        self.makes_zeros = ways.iter().any(|way| rustix::fs::fallocate(&self.file, *way, offset, len).is_ok());
        Ok(self.makes_zeros)
    }

    fn discards(&self) -> bool {
        self.access == Access::ReadWrite && claim::discards(self.device)
    }

    /// Of a file, holes are made.
    fn discard(&mut self, offset: u64, len: u64) -> Result<(), IoError> {
        admit((Op::Write, offset, len), self.geometry, self.access, 0, self.depth)?;
        let done = match self.device {
            Device::Block { .. } => block::discard(&self.file, offset, len),
            Device::File => {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                rustix::fs::fallocate(&self.file, flags, offset, len).map_err(io::Error::from)
            }
        };
        done.map_err(|e| IoError::new(kind_of(&e), Op::Write, offset, len, format!("discard: {e}")))
    }

    fn stated(&self) -> Option<Identity> {
        None
    }

    fn commands(&self) -> Option<Box<dyn CommandPlane>> {
        match self.device {
            Device::Block { .. } => Some(Box::new(LinuxPlane::new(Arc::clone(&self.file)))),
            Device::File => None,
        }
    }

    fn address(&self) -> Address {
        match self.device {
            Device::Block { major, minor } => Address::read(&PathBuf::from(format!("/sys/dev/block/{major}:{minor}"))),
            Device::File => Address::default(),
        }
    }

    fn admin(&self) -> Option<(Box<dyn NvmeAdmin>, u32)> {
        let (controller, namespace) = LinuxAdmin::of(&self.file)?;
        Some((Box::new(controller), namespace))
    }
}

/// What each errno of a transfer means; the block layer's meanings are in `block/blk-core.c`, `blk_errors`.
const KINDS: &[(Errno, IoErrorKind)] = &[
    (Errno::IO, IoErrorKind::Media),
    (Errno::NODATA, IoErrorKind::Media),
    (Errno::ILSEQ, IoErrorKind::Media),
    (Errno::REMOTEIO, IoErrorKind::Media),
    (Errno::NXIO, IoErrorKind::Gone),
    (Errno::NODEV, IoErrorKind::Gone),
    (Errno::NOSPC, IoErrorKind::Gone),
    (Errno::NOLINK, IoErrorKind::Gone),
    (Errno::NOMEDIUM, IoErrorKind::Gone),
    (Errno::TIMEDOUT, IoErrorKind::Hung),
    (Errno::TIME, IoErrorKind::Hung),
];

/// Anything that is not in the table the kernel refused before the medium was asked (EPERM, EROFS, EINVAL, ENOMEM, …).
fn kind_of(error: &io::Error) -> IoErrorKind {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    KINDS.iter().find(|(known, _)| Some(*known) == errno).map_or(IoErrorKind::Refused, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests;
