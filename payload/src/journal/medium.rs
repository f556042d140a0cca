//! Where a log lies: a partition of the stick, a file on a host, memory in tests.

use super::SECTOR;
use crate::lock;
use mule_sys::AlignedBuf;
use rustix::{fs::OFlags, io::Errno};
use std::{
    fmt, fs, io,
    os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt},
    path::Path,
};
use zeroize::Zeroize;

/// Bytes that stay. All offsets and lengths are multiples of [`SECTOR`].
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

/// Bytes of one transfer at most.
const BUFFER: usize = 256 * 1024;

/// A part of a file or block device, through direct I/O: a frame is written alone, and what is read comes from the medium.
///
/// Through the page cache a frame of one sector would be written with the whole page around it, and a power cut during
/// that write could tear frames that were acknowledged long ago.
pub struct FileMedium {
    file: fs::File,
    start: u64,
    len: u64,
    /// Transfers begin and end at multiples of this, in bytes: the device's logical block.
    unit: usize,
    /// Whether it is a file: a file system may refuse direct I/O, or transfers of single sectors. Its page cache is used
    /// then, and only then.
    is_file: bool,
    direct: bool,
    /// Memory that direct I/O accepts; zero between transfers, for the first block holds the stick's key.
    buf: AlignedBuf,
}

impl fmt::Debug for FileMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileMedium({} bytes at {})", self.len, self.start)
    }
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}

/// Whether a log can be written where logical blocks are this long. A frame of one sector cannot be written alone to a
/// longer block, and a torn write of one would take its neighbours along.
fn writable(unit: usize) -> io::Result<()> {
    if unit == SECTOR {
        return Ok(());
    }
    let text = format!(
        "its logical blocks have {unit} bytes; a log needs a medium with blocks of {SECTOR} bytes, and so does the BIOS to \
         start from it. Use another stick"
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

impl FileMedium {
    /// Opens `len` bytes at `start` for this process alone to write. `O_DSYNC` makes each write return only when it is on
    /// the medium; a frame is one small write, so there is nothing to gain from flushing less often.
    ///
    /// # Errors
    /// `Unsupported` for a device whose logical blocks are longer than [`SECTOR`]; `ResourceBusy` where it is in use.
    pub fn open(path: &Path, start: u64, len: u64) -> io::Result<Self> {
        let mut options = fs::OpenOptions::new();
        let this = Self::with(options.read(true).write(true), OFlags::DSYNC, path, start, len)?;
        writable(this.unit)?;
        lock::alone(&this.file)
            .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another mule is using this log"))?;
        Ok(this)
    }

    /// Opens for reading only; any logical block will do.
    pub fn open_read_only(path: &Path, start: u64, len: u64) -> io::Result<Self> {
        Self::with(fs::OpenOptions::new().read(true), OFlags::empty(), path, start, len)
    }

    fn with(options: &mut fs::OpenOptions, flags: OFlags, path: &Path, start: u64, len: u64) -> io::Result<Self> {
        let mut open = |flags: OFlags| {
            let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
            options.custom_flags(flags).open(path)
        };
        let (file, direct) = match open(flags | OFlags::DIRECT) {
            Ok(file) => (file, true),
            Err(error) if is_invalid(&error) && fs::metadata(path)?.is_file() => (open(flags)?, false),
            Err(error) => return Err(error),
        };
        let kind = file.metadata()?.file_type();
        let unit = if kind.is_block_device() { mule_sys::block::logical_block(&file)? as usize } else { SECTOR };
        if !unit.is_power_of_two() || !(SECTOR..=BUFFER / 2).contains(&unit) {
            let text = format!("its logical blocks have {unit} bytes, which this version does not know");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        Ok(Self { file, start, len, unit, is_file: kind.is_file(), direct, buf: AlignedBuf::zeroed(BUFFER)? })
    }

    fn check(&self, offset: u64, len: usize) -> io::Result<u64> {
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.len);
        end.and_then(|_| self.start.checked_add(offset))
            .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "beyond the end of the log"))
    }

    /// Reads up to [`BUFFER`] bytes at `at`, at least one.
    fn read_some(&mut self, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        let skip = usize::try_from(at % self.unit as u64).unwrap_or_default();
        let want = (skip + buf.len()).next_multiple_of(self.unit).min(BUFFER);
        self.buf.set_len(want);
        let got = self.file.read_at(&mut self.buf, at - skip as u64)?.saturating_sub(skip).min(buf.len());
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf[..got].copy_from_slice(&self.buf[skip..skip + got]);
        self.buf.zeroize();
        Ok(got)
    }

    fn read_directly(&mut self, at: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut done = 0;
        while done < buf.len() {
            match self.read_some(at + done as u64, &mut buf[done..]) {
                Ok(got) => done += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_directly(&mut self, at: u64, data: &[u8]) -> io::Result<()> {
        let unit = self.unit as u64;
        if data.len() > BUFFER || !at.is_multiple_of(unit) || !(data.len() as u64).is_multiple_of(unit) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a write that is no run of whole sectors"));
        }
        self.buf.set_len(data.len());
        self.buf.copy_from_slice(data);
        let result = loop {
            match self.file.write_at(&self.buf, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.buf.zeroize();
        match result? {
            all if all == data.len() => Ok(()),
            // What is there now is the remains of a frame, like those of a power cut.
            part => Err(io::Error::new(io::ErrorKind::WriteZero, format!("only {part} bytes arrived"))),
        }
    }

    /// Does a transfer directly, or says that it must go another way: a file system refuses before anything is
    /// transferred, and is not asked again.
    fn directly(&mut self, transfer: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<bool> {
        if !self.direct {
            return Ok(false);
        }
        match transfer(self) {
            Err(error) if self.is_file && is_invalid(&error) => {
                let flags = rustix::fs::fcntl_getfl(&self.file)?;
                rustix::fs::fcntl_setfl(&self.file, flags - OFlags::DIRECT)?;
                self.direct = false;
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }
}

impl Medium for FileMedium {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let at = self.check(offset, buf.len())?;
        if self.directly(|this| this.read_directly(at, buf))? { Ok(()) } else { self.file.read_exact_at(buf, at) }
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = self.check(offset, data.len())?;
        if self.directly(|this| this.write_directly(at, data))? { Ok(()) } else { self.file.write_all_at(data, at) }
    }
}

#[cfg(any(test, feature = "sim"))]
mod memory;
#[cfg(any(test, feature = "sim"))]
pub use memory::MemoryMedium;

#[cfg(test)]
mod tests;
