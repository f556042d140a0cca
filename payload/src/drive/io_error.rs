//! What can go wrong with one request, in the kinds the engine decides by.

use super::Op;

/// The kinds of I/O error that lead to different decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IoErrorKind {
    /// The medium could not read or write these blocks (EIO, ENODATA, EILSEQ, EREMOTEIO): try smaller pieces, note the bad ones.
    Media,
    /// The drive is no longer there, or its capacity became 0 (ENXIO, ENODEV, ENOSPC, a short transfer at the end).
    Gone,
    /// The kernel refused the request (EPERM, EACCES, EROFS, EBUSY, EOPNOTSUPP, EINVAL).
    Refused,
    /// No answer within the time allowed.
    Hung,
    /// Another drive answers in the place of the one that was claimed, or this one does not say who it is any more.
    Exchanged,
    /// The request itself breaks the contract of the data plane.
    Invalid,
}

/// A failed request: which drive is known by the caller, this carries the rest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{op} of {len} bytes at byte {offset}: {detail}")]
pub struct IoError {
    /// What kind of failure this is.
    pub kind: IoErrorKind,
    /// The operation.
    pub op: &'static str,
    /// Where, in bytes from the start of the drive.
    pub offset: u64,
    /// How many bytes were asked for.
    pub len: u64,
    /// The system's words.
    pub detail: String,
}

impl IoError {
    /// An error of `kind` for a request.
    pub fn new(kind: IoErrorKind, op: Op, offset: u64, len: u64, detail: impl Into<String>) -> Self {
        let op = match op {
            Op::Read => "read",
            Op::Write => "write",
        };
        Self { kind, op, offset, len, detail: detail.into() }
    }

    /// An error of `kind` for a flush of the drive's write cache.
    pub fn flush(kind: IoErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, op: "flush", offset: 0, len: 0, detail: detail.into() }
    }
}
