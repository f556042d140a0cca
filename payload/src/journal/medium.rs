//! Where a log lies: a partition of the stick, a file on a host, memory in tests.

use crate::lock;
use std::{
    fmt, fs, io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// Bytes that stay. All offsets and lengths are multiples of [`SECTOR`](super::SECTOR).
pub trait Medium: Send {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Fills `buf` from `offset`.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Writes all of `data` at `offset` and returns when it is on the medium.
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Whether there is no room at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A part of a file or block device.
pub struct FileMedium {
    file: fs::File,
    start: u64,
    len: u64,
}

impl fmt::Debug for FileMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileMedium({} bytes at {})", self.len, self.start)
    }
}

impl FileMedium {
    /// Opens `len` bytes at `start` for this process alone to write. `O_DSYNC` makes each write return only when it is on
    /// the medium; a frame is one small write, so there is nothing to gain from flushing less often.
    pub fn open(path: &Path, start: u64, len: u64) -> io::Result<Self> {
        let flags = rustix::fs::OFlags::DSYNC | rustix::fs::OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let file = fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        lock::alone(&file)
            .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another mule is using this log"))?;
        Ok(Self { file, start, len })
    }

    /// Opens for reading only.
    pub fn open_read_only(path: &Path, start: u64, len: u64) -> io::Result<Self> {
        Ok(Self { file: fs::File::open(path)?, start, len })
    }

    fn check(&self, offset: u64, len: usize) -> io::Result<u64> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.len);
        end.map(|_| self.start + offset)
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the log"))
    }
}

impl Medium for FileMedium {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, self.check(offset, buf.len())?)
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, self.check(offset, data.len())?)
    }
}

/// Memory that tears as a medium does: when the power goes, some sectors of the write under way are there, others not.
#[cfg(any(test, feature = "sim"))]
#[derive(Debug, Clone)]
pub struct MemoryMedium {
    bytes: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    /// Writes until the power goes, and which sectors of that last write arrive (bit by bit).
    pub cut: Option<(u64, u64)>,
    /// Writes until every further one fails.
    pub fails_after: Option<u64>,
}

#[cfg(any(test, feature = "sim"))]
impl MemoryMedium {
    /// `len` zero bytes.
    pub fn new(len: usize) -> Self {
        Self::holding(vec![0; len])
    }

    /// A medium with this content.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self { bytes: std::sync::Arc::new(std::sync::Mutex::new(bytes)), cut: None, fails_after: None }
    }

    /// What is on the medium now.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(any(test, feature = "sim"))]
impl Medium for MemoryMedium {
    fn len(&self) -> u64 {
        self.lock().len() as u64
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let piece = bytes.get(start..start + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(piece);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Some(left) = &mut self.fails_after {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("the medium fails"))?;
        }
        let mut arriving = u64::MAX;
        let mut gone = false;
        if let Some((left, sectors)) = &mut self.cut {
            if *left == 0 {
                return Err(io::Error::other("no power"));
            }
            *left -= 1;
            if *left == 0 {
                arriving = *sectors;
                gone = true;
            }
        }
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let mut bytes = self.lock();
        for (number, sector) in data.chunks(512).enumerate() {
            if arriving >> (number % 64) & 1 == 1 {
                let at = start + number * 512;
                bytes.get_mut(at..at + sector.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(sector);
            }
        }
        if gone { Err(io::Error::other("power cut")) } else { Ok(()) }
    }
}
