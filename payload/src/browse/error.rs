//! Why files cannot be read.

use std::{io, path::PathBuf};

/// Why files of a volume cannot be read or extracted.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    /// No known file system.
    #[error(
        "no file system that can be read here: NTFS, ext2/3/4, FAT and exFAT are known; BitLocker and LUKS are not opened"
    )]
    Unknown,
    /// There is something, but only a key opens it.
    #[error("the volume is encrypted with {0}; its files cannot be read without opening it, which is not done here")]
    Encrypted(&'static str),
    /// The volume cannot be read.
    #[error("the volume cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file system contradicts itself.
    #[error("the file system is damaged: {0}")]
    Damaged(String),
    /// Legal, but not readable here.
    #[error("{0}")]
    Unsupported(String),
    /// Nothing has this name.
    #[error("{0}: there is no such file or folder in the volume")]
    NotFound(String),
    /// A file where a folder is needed.
    #[error("{0}: not a folder")]
    NotAFolder(String),
    /// A folder, link or device where a file is needed.
    #[error("{0}: not a file")]
    NotAFile(String),
    /// More than anyone can look at; a damaged or crafted file system.
    #[error("{0}: more than {1} entries")]
    TooMany(String, usize),
    /// The receiver of a file's bytes failed.
    #[error("the data cannot be written: {0}")]
    Out(io::Error),
    /// The local file system refused.
    #[error("{path}: {source}")]
    Local {
        /// What was being created.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

impl BrowseError {
    /// A damaged structure.
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}
