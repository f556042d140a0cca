//! The folder of certificates, as it is written to.

use crate::{aside::Folder, files};
use mule_sys::AlignedBuf;
use rustix::{
    fs::{Advice, OFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// What a folder of certificates can do: the kernel's, or a modelled one that loses its power.
pub(crate) trait Files {
    /// Where it is, for messages.
    fn folder(&self) -> &Path;
    /// The plain files and their lengths.
    fn names(&self) -> io::Result<Vec<(String, u64)>>;
    /// No more than `max` bytes and one more.
    fn read(&self, name: &str, max: u64) -> io::Result<Vec<u8>>;
    /// A file that must not be there yet. On the medium after [`Self::sync`].
    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Takes away what is behind the first `len` bytes.
    fn cut(&self, name: &str, len: u64) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Names, lengths and contents are on the medium afterwards.
    fn sync(&self) -> io::Result<()>;
    /// Reads from the medium, for the comparison with what was written; no more than `len` bytes and one more.
    fn read_back(&self, name: &str, len: usize) -> io::Result<Vec<u8>>;
}

/// A real folder.
#[derive(Debug)]
pub(crate) struct OnDisk(Folder);

impl OnDisk {
    /// Opens the folder, and makes it where there is none.
    pub(crate) fn make(dir: &Path) -> io::Result<Self> {
        if fs::symlink_metadata(dir).is_err() {
            fs::create_dir_all(dir)?;
            files::sync_folder(dir)?;
        }
        Folder::open(dir).map(Self)
    }

    /// Opens the folder.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        Folder::open(dir).map(Self)
    }
}

impl Files for OnDisk {
    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn names(&self) -> io::Result<Vec<(String, u64)>> {
        let named = self.0.files()?.into_iter().filter_map(|(name, len)| Some((name.into_string().ok()?, len)));
        Ok(named.collect())
    }

    fn read(&self, name: &str, max: u64) -> io::Result<Vec<u8>> {
        self.0.read(OsStr::new(name), max)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.0.create(OsStr::new(name))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if written.is_err() {
            // The first error is the one to report.
            let _ = self.0.remove(OsStr::new(name));
        }
        written
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.0.existing(OsStr::new(name), OFlags::WRONLY | OFlags::APPEND)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn cut(&self, name: &str, len: u64) -> io::Result<()> {
        let file = self.0.existing(OsStr::new(name), OFlags::WRONLY)?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(OsStr::new(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()?;
        if self.0.is_in_place()? {
            return Ok(());
        }
        Err(io::Error::other("another folder was put in the place of this one while a certificate was written"))
    }

    fn read_back(&self, name: &str, len: usize) -> io::Result<Vec<u8>> {
        from_medium(&self.0, name, len).map(|back| back.bytes)
    }
}

/// What was read back, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Back {
    pub(super) bytes: Vec<u8>,
    /// Whether past the kernel's cache for certain.
    pub(super) direct: bool,
}

/// Reads a file with direct I/O: the bytes come from the drive, so the drive answered with them after the flush. Whether
/// they come from its flash or from a cache of its own no computer can tell. Where the file system has no direct I/O the
/// kernel is asked to forget what it caches of the file, which it may or may not do.
///
/// Proved are the bytes of the file. The folder's entry and the file's place are flushed, but read from the cache.
pub(super) fn from_medium(folder: &Folder, name: &str, len: usize) -> io::Result<Back> {
    let name = OsStr::new(name);
    let refused = |error: &io::Error| error.raw_os_error() == Some(Errno::INVAL.raw_os_error());
    let directly = || read_aligned(&folder.existing(name, OFlags::RDONLY | OFlags::DIRECT)?, len);
    match directly() {
        Ok(bytes) => Ok(Back { bytes, direct: true }),
        Err(error) if refused(&error) => {
            let file = folder.existing(name, OFlags::RDONLY)?;
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
            Ok(Back { bytes: read_aligned(&file, len)?, direct: false })
        }
        Err(error) => Err(error),
    }
}

/// Up to `len` bytes and one more, in a buffer that direct I/O accepts.
fn read_aligned(file: &File, len: usize) -> io::Result<Vec<u8>> {
    /// The longest logical block of a drive in use; direct reads begin and end at its multiples.
    const BLOCK: usize = 4096;
    let mut buf = AlignedBuf::zeroed(BLOCK)?;
    let mut bytes = Vec::with_capacity(len + BLOCK);
    while bytes.len() <= len {
        match file.read_at(&mut buf, bytes.len() as u64) {
            Ok(got) => {
                bytes.extend_from_slice(&buf[..got]);
                if got < BLOCK {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(len + 1);
    Ok(bytes)
}
