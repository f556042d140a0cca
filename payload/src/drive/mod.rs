//! What a drive is: who it is ([`Identity`]), how it is addressed ([`Geometry`]), and its data plane, which reads and
//! writes blocks with several requests in flight.

mod address;
pub(crate) mod admission;
#[cfg(any(test, feature = "sim"))]
pub mod contract;
pub mod identity;
mod io_error;
pub mod linux;
mod open_error;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod worker;

pub use address::{Address, Area};
pub use identity::{Geometry, GeometryError, Identity};
pub use io_error::{IoError, IoErrorKind};
pub use linux::LinuxDrive;
pub use mule_sys::AlignedBuf;
pub use open_error::OpenError;

use crate::{nvme::NvmeAdmin, scsi::CommandPlane};
use std::{fmt, time::Duration};

/// What a drive is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading; every write is refused.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// A direction on the data plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// From the drive into the buffer.
    Read,
    /// From the buffer onto the drive.
    Write,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// One request; the buffer's length is the request's length.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub op: Op,
    /// Byte offset on the drive, a multiple of the logical block.
    pub offset: u64,
    /// The data, a multiple of the logical block long; comes back in the [`Completion`].
    pub buf: AlignedBuf,
}

/// What became of one request. A short transfer is an error, never a success.
#[derive(Debug)]
pub struct Completion {
    /// What was asked.
    pub op: Op,
    /// Where it was asked.
    pub offset: u64,
    /// The buffer of the request.
    pub buf: AlignedBuf,
    /// Whether all of it was transferred.
    pub result: Result<(), IoError>,
}

/// Reads and writes blocks of one drive.
///
/// The contract, which one test holds every implementation to (`drive::contract`):
/// - a request that is not aligned to the logical block, empty, or reaches past the end is rejected by `submit` with
///   [`IoErrorKind::Invalid`] and touches nothing;
/// - at most `depth` requests are in flight, one more is rejected as `Invalid`;
/// - completions may come in any order; each submitted request completes exactly once;
/// - a completed write followed by a successful `flush` survives power loss;
/// - reads go past the caches of the host as far as the system lets them; whether that is down to a device, `is_direct` says.
pub trait DataPlane: Send {
    /// Size and block sizes, as the drive reported when it was opened.
    fn geometry(&self) -> Geometry;

    /// How many requests may be in flight at once (at least 1).
    fn depth(&self) -> usize;

    /// Hands a request to the drive.
    fn submit(&mut self, request: Request) -> Result<(), IoError>;

    /// The next finished request; `None` where none finished within `timeout` (or none was in flight).
    fn wait(&mut self, timeout: Duration) -> Result<Option<Completion>, IoError>;

    /// Whether what is read is known to come from a device, past all caches of the host. May change while a drive is held, by
    /// another hand.
    fn is_direct(&self) -> bool;

    /// Whether what is held is what it was when it was claimed: as large, and still what its path leads to. Another hand may
    /// change both meanwhile.
    ///
    /// # Errors
    /// What became of it.
    fn is_in_place(&self) -> Result<(), String> {
        Ok(())
    }

    /// Makes all completed writes durable on the medium.
    fn flush(&mut self) -> Result<(), IoError>;

    /// How many bytes from `offset` on are known to be zeros without being read; none where nothing is known.
    fn hole(&mut self, _offset: u64) -> u64 {
        0
    }

    /// Lets the drive make these bytes zeros by itself, without a transfer; `false`, and nothing done, where it cannot:
    /// then they are written. No proof that they are zeros, and no erasure: a flash drive may keep what was there. Refused
    /// like a write request, in whole blocks.
    fn make_zeros(&mut self, offset: u64, len: u64) -> Result<bool, IoError>;

    /// Whether it can be told that blocks are not needed any more.
    fn discards(&self) -> bool {
        false
    }

    /// Tells it that these bytes are not needed any more (TRIM, UNMAP, Deallocate). Says nothing about what they hold
    /// afterwards, on the medium or when they are read. Refused like a write request, in whole blocks.
    fn discard(&mut self, offset: u64, len: u64) -> Result<(), IoError> {
        Err(IoError::new(IoErrorKind::Refused, Op::Write, offset, len, "the drive has no command to discard blocks"))
    }

    /// Who the drive says it is now, where the plane itself knows that; others are asked by their commands.
    fn stated(&self) -> Option<Identity>;

    /// The drive's command plane, under the same claim; `None` where it takes no SCSI or ATA commands.
    fn commands(&self) -> Option<Box<dyn CommandPlane>>;

    /// Where the system has it, by the descriptor that is held: which part of a device it is. What is not known is left out.
    fn address(&self) -> Address;

    /// The drive's controller, under the same claim, and the namespace that is the drive; `None` where it is no NVMe
    /// drive.
    fn admin(&self) -> Option<(Box<dyn NvmeAdmin>, u32)>;
}
