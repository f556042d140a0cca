//! Claiming a drive: opened exclusively and for direct I/O, then looked at through the open descriptor only.

use crate::{
    drive::{Access, Geometry, GeometryError, OpenError},
    lock,
};
use mule_sys::{AlignedBuf, block};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, StatxFlags},
    io::Errno,
};
use std::{fs::File, io, os::unix::fs::FileExt, path::Path, thread, time::Duration};

/// Physical block of a regular file: the page the host writes.
const FILE_PHYSICAL: u32 = 4096;
/// Alignment of an [`AlignedBuf`].
const BUFFER_ALIGNMENT: u32 = 4096;

/// What kind of thing was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A block device by its device number.
    Block {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A regular file.
    File,
}

/// How often and after which pause a busy drive is tried again: the kernel may end an earlier claim of ours a moment
/// after its descriptor was closed.
const BUSY_TRIES: usize = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Claims the drive at `path`.
pub(super) fn claim(path: &Path, access: Access) -> Result<(File, Device, Geometry), OpenError> {
    let mut tries = 1;
    loop {
        match try_claim(path, access) {
            Err(OpenError::Busy(_)) if tries < BUSY_TRIES => {
                tries += 1;
                thread::sleep(BUSY_PAUSE);
            }
            result => return result,
        }
    }
}

/// Opens `path`; what it is and how large it is comes from the descriptor.
fn try_claim(path: &Path, access: Access) -> Result<(File, Device, Geometry), OpenError> {
    let before = rustix::fs::stat(path).map_err(|errno| explain(path, "looking it up", errno))?;
    let device = device_of(&before).ok_or_else(|| OpenError::NotADrive(path.to_owned()))?;
    let mut flags = OFlags::CLOEXEC | OFlags::DIRECT | OFlags::NOCTTY;
    flags |= match access {
        Access::ReadOnly => OFlags::RDONLY,
        Access::ReadWrite => OFlags::RDWR,
    };
    if device != Device::File {
        // On a block device O_EXCL without O_CREAT claims it: EBUSY while anything has it mounted or claimed.
        flags |= OFlags::EXCL;
    }
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::INVAL => no_direct(path, "the file system refuses O_DIRECT"),
        errno => explain(path, "opening it", errno),
    })?);
    let now = rustix::fs::fstat(&file).map_err(|errno| explain(path, "looking at it", errno))?;
    if device_of(&now) != Some(device) {
        return Err(OpenError::Changed(path.to_owned()));
    }
    let sizes = match device {
        Device::Block { .. } => block_sizes(path, &file, access)?,
        Device::File => file_sizes(path, &file, &now)?,
    };
    let geometry = Geometry::new(sizes.0, sizes.1, sizes.2)
        .map_err(|source| OpenError::Geometry { path: path.to_owned(), source })?;
    Ok((file, device, geometry))
}

fn device_of(stat: &Stat) -> Option<Device> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Some(Device::File),
        FileType::BlockDevice => {
            let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            Some(Device::Block { major, minor })
        }
        _ => None,
    }
}

fn block_sizes(path: &Path, file: &File, access: Access) -> Result<(u64, u32, u32), OpenError> {
    let read = |doing| move |source| OpenError::Io { path: path.to_owned(), doing, source };
    if access == Access::ReadWrite && block::is_read_only(file).map_err(read("asking for write protection"))? {
        return Err(OpenError::WriteProtected(path.to_owned()));
    }
    let bytes = block::size_bytes(file).map_err(read("reading the capacity"))?;
    let logical = block::logical_block(file).map_err(read("reading the logical block size"))?;
    let physical = block::physical_block(file).map_err(read("reading the physical block size"))?;
    Ok((bytes, logical, physical))
}

fn file_sizes(path: &Path, file: &File, stat: &Stat) -> Result<(u64, u32, u32), OpenError> {
    // flock, like O_EXCL, belongs to this one open file and ends with it.
    lock::alone(file).map_err(|errno| match errno {
        Errno::WOULDBLOCK => OpenError::Busy(path.to_owned()),
        errno => explain(path, "locking it", errno),
    })?;
    let bytes = u64::try_from(stat.st_size).unwrap_or(0);
    let logical = file_block(path, file)?;
    Ok((bytes, logical, logical.max(FILE_PHYSICAL)))
}

/// The geometry that a regular file has once it is claimed; `None` where that cannot be told before.
pub(crate) fn file_geometry(path: &Path, bytes: u64) -> Option<Result<Geometry, GeometryError>> {
    let flags = OFlags::CLOEXEC | OFlags::DIRECT | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let logical = file_block(path, &file).ok()?;
    Some(Geometry::new(bytes, logical, logical.max(FILE_PHYSICAL)))
}

/// The smallest block of direct I/O on a file.
fn file_block(path: &Path, file: &File) -> Result<u32, OpenError> {
    match reported_alignment(path, file)? {
        Some(alignment) => Ok(alignment.max(512)),
        None => tried_alignment(path, file),
    }
}

/// The alignment of direct I/O the file system reports (`STATX_DIOALIGN`, Linux 6.1), if it does.
fn reported_alignment(path: &Path, file: &File) -> Result<Option<u32>, OpenError> {
    let Ok(statx) = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) else { return Ok(None) };
    if statx.stx_mask & StatxFlags::DIOALIGN.bits() == 0 {
        return Ok(None);
    }
    match (statx.stx_dio_mem_align, statx.stx_dio_offset_align) {
        (0, _) | (_, 0) => Err(no_direct(path, "the file system reports that this file has none")),
        (memory, offset) if memory > BUFFER_ALIGNMENT => {
            Err(no_direct(path, &format!("buffers aligned to {memory} bytes are required (offsets: {offset})")))
        }
        (_, offset) => Ok(Some(offset)),
    }
}

/// The smallest read at the file's start that is accepted.
fn tried_alignment(path: &Path, file: &File) -> Result<u32, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), doing: "trying direct I/O", source };
    let mut buf = AlignedBuf::zeroed(4096).map_err(io)?;
    for alignment in [512_u32, 4096] {
        buf.set_len(alignment as usize);
        match file.read_at(&mut buf, 0) {
            Ok(_) => return Ok(alignment),
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {}
            Err(error) => return Err(io(error)),
        }
    }
    Err(no_direct(path, "neither blocks of 512 nor of 4096 bytes are accepted"))
}

fn no_direct(path: &Path, reason: &str) -> OpenError {
    OpenError::NoDirectIo { path: path.to_owned(), reason: reason.to_owned() }
}

fn explain(path: &Path, doing: &'static str, errno: Errno) -> OpenError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT | Errno::NXIO | Errno::NODEV | Errno::NOMEDIUM => OpenError::Missing(path),
        Errno::ACCESS | Errno::PERM => OpenError::Permission(path),
        Errno::BUSY | Errno::TXTBSY => OpenError::Busy(path),
        Errno::ROFS => OpenError::WriteProtected(path),
        errno => OpenError::Io { path, doing, source: io::Error::from(errno) },
    }
}

/// Whether it is worth asking the device to make zeros by itself. A disk without the command would have the kernel write
/// them, which the data plane does with several requests in flight.
pub(super) fn may_make_zeros(device: Device) -> bool {
    is_offered(device, "write_zeroes_max_bytes")
}

/// Whether the device takes discards.
pub(super) fn discards(device: Device) -> bool {
    is_offered(device, "discard_max_bytes")
}

/// Whether this limit of the block device's queue is not 0 (`Documentation/ABI/stable/sysfs-block`); a file does all.
fn is_offered(device: Device, limit: &str) -> bool {
    match device {
        Device::File => true,
        Device::Block { major, minor } => {
            let limit = format!("/sys/dev/block/{major}:{minor}/queue/{limit}");
            std::fs::read_to_string(limit).is_ok_and(|bytes| bytes.trim().parse::<u64>().is_ok_and(|bytes| bytes > 0))
        }
    }
}
