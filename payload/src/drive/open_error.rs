//! Why a drive cannot be claimed.

use super::GeometryError;
use std::{io, path::PathBuf};

/// Why a drive cannot be claimed. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path leads nowhere.
    #[error("{0}: there is no such drive")]
    Missing(PathBuf),
    /// The user may not open it.
    #[error("{0}: no permission; run as root")]
    Permission(PathBuf),
    /// Someone else holds it: a mounted file system, swap, RAID, or another process.
    #[error("{0}: in use by a mounted file system, swap, RAID, device mapper or another program")]
    Busy(PathBuf),
    /// The kernel or a write-protect switch holds it read-only.
    #[error("{0}: write-protected")]
    WriteProtected(PathBuf),
    /// A directory, a terminal, …
    #[error("{0}: neither a block device nor a regular file")]
    NotADrive(PathBuf),
    /// Direct I/O is refused; there is no cached fallback, because a cached read proves nothing about the medium.
    #[error("{path}: direct I/O is not possible here: {reason}")]
    NoDirectIo {
        /// What was opened.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The path names something else than a moment ago.
    #[error("{0}: the device changed while it was being opened")]
    Changed(PathBuf),
    /// Sizes that cannot be trusted.
    #[error("{path}: {source}")]
    Geometry {
        /// What was opened.
        path: PathBuf,
        /// What is wrong with the sizes.
        source: GeometryError,
    },
    /// Anything else the system said.
    #[error("{path}: {doing}: {source}")]
    Io {
        /// What was opened.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's words.
        source: io::Error,
    },
}
