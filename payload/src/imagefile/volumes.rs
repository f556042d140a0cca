//! One file, or several that `cat` puts together: `NAME.img.zst.000`, `.001`, …, each smaller than what a FAT store takes.

mod names;
pub(super) mod trace;

pub use names::{names_of, not_in_use, remove, strays};

use crate::{
    aside::Folder,
    files::{self, name_of as name},
    lock::patiently,
};
use mule_sys::locks;
use names::{gap, numbered};
use rustix::{
    fs::{Advice, OFlags},
    io::Errno,
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    num::NonZeroU64,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// What can go wrong with the files.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error("{path}: the store is full; what is written stays, and the next run goes on from there", path = .0.display())]
    Full(PathBuf),
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{path}: the store takes no file larger than {bytes} bytes; cut the image into smaller ones with --split",
        path = path.display()
    )]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("there is no image {0}")]
    Missing(PathBuf),
    #[error("{path}: somebody works on this file, here or on another machine; wait until that is over", path = .0.display())]
    Busy(PathBuf),
    #[error("{path}: this piece of the image is missing; the image is whole only with all of its pieces beside each other", path = .0.display())]
    Piece(PathBuf),
}

impl VolumeError {
    fn io(path: &Path, source: io::Error) -> Self {
        let full = [Errno::NOSPC, Errno::DQUOT];
        if full.iter().any(|errno| source.raw_os_error() == Some(errno.raw_os_error())) {
            Self::Full(path.into())
        } else {
            Self::Io { path: path.into(), source }
        }
    }
}

#[derive(Debug)]
struct Volume {
    path: PathBuf,
    file: File,
    start: u64,
    len: u64,
    /// Whether something was written that may not be on the medium.
    is_dirty: bool,
}

/// The files of one image as one run of bytes.
#[derive(Debug)]
pub(super) struct Volumes {
    base: PathBuf,
    /// Where they lie; nothing for the null device.
    folder: Option<Folder>,
    limit: Option<u64>,
    list: Vec<Volume>,
    /// Bytes since the last time everything was sent to the medium.
    unsynced: u64,
    /// Whether a file came or went since then.
    renamed: bool,
}

/// How much is written between two syncs: little enough that a power cut costs seconds.
const SYNC_EVERY: u64 = 64 << 20;

/// Nobody writes a file that is read, and nobody reads or writes one that is written, as far as its file system has locks; they
/// last as long as the file is open.
fn lock(path: &Path, file: &File, writable: bool) -> Result<(), VolumeError> {
    let locked = patiently(|| match if writable { locks::exclusive(file) } else { locks::shared(file) } {
        Ok(false) => Ok(None),
        // A store without locks takes images all the same: whoever begins a job is told (`job/copy/hold.rs`).
        Ok(true) | Err(_) => Ok(Some(())),
    });
    locked?.ok_or_else(|| VolumeError::Busy(path.into()))
}

/// The null device takes an image that nobody wants, for measuring.
fn is_null(base: &Path) -> bool {
    base == Path::new("/dev/null")
}

impl Volumes {
    /// New files; one that is there already is an error.
    pub(super) fn create(base: &Path, limit: Option<NonZeroU64>) -> Result<Self, VolumeError> {
        let folder = if is_null(base) { None } else { Some(Self::folder(base)?) };
        let limit = limit.map(NonZeroU64::get);
        let mut volumes = Self { base: base.into(), folder, limit, list: Vec::new(), unsynced: 0, renamed: false };
        volumes.add()?;
        Ok(volumes)
    }

    fn folder(base: &Path) -> Result<Folder, VolumeError> {
        Folder::of(base).map(|(folder, _)| folder).map_err(|source| VolumeError::io(base, source))
    }

    /// The files that are there. To be written on, each must be a plain file with no other name.
    pub(super) fn open(base: &Path, limit: Option<NonZeroU64>, writable: bool) -> Result<Self, VolumeError> {
        let mut list = Vec::new();
        let mut start = 0;
        let folder = Self::folder(base)?;
        if let Some(path) = gap(&folder, base) {
            return Err(VolumeError::Piece(path));
        }
        for path in Self::to_open(&folder, base, limit.filter(|_| writable))? {
            let failed = |source| VolumeError::io(&path, source);
            let opened = if writable { folder.existing(name(&path), OFlags::RDWR) } else { files::open(&path) };
            let file = opened.map_err(failed)?;
            lock(&path, &file, writable)?;
            let len = file.metadata().map_err(failed)?.len();
            list.push(Volume { path: path.clone(), file, start, len, is_dirty: writable });
            start += len;
        }
        if list.is_empty() {
            return Err(VolumeError::Missing(base.into()));
        }
        Ok(Self {
            base: base.into(),
            folder: Some(folder),
            limit: limit.map(NonZeroU64::get),
            list,
            unsynced: 0,
            renamed: false,
        })
    }

    /// The files to be opened. One that was not to be cut and now is to becomes the first of several.
    fn to_open(folder: &Folder, base: &Path, limit: Option<NonZeroU64>) -> Result<Vec<PathBuf>, VolumeError> {
        let names = names_of(base);
        if limit.is_some() && names == [base] {
            let first = numbered(base, 0);
            folder.give(name(base), name(&first)).map_err(|source| VolumeError::io(&first, source))?;
            return Ok(vec![first]);
        }
        Ok(names)
    }

    fn add(&mut self) -> Result<(), VolumeError> {
        let path = if self.limit.is_some() { numbered(&self.base, self.list.len()) } else { self.base.clone() };
        let made = match &self.folder {
            Some(folder) => folder.create(name(&path)),
            None => OpenOptions::new().read(true).write(true).open(&self.base),
        };
        let file = made.map_err(|source| VolumeError::io(&path, source))?;
        if self.folder.is_some() {
            lock(&path, &file, true)?;
        }
        trace::create(&path);
        self.renamed = true;
        self.list.push(Volume { path, file, start: self.len(), len: 0, is_dirty: true });
        Ok(())
    }

    /// Bytes in all.
    pub(super) fn len(&self) -> u64 {
        self.list.last().map_or(0, |last| last.start + last.len)
    }

    /// Each file with its length.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.list.iter().map(|volume| (volume.path.as_path(), volume.len))
    }

    /// What each of them is.
    pub(super) fn metadata(&self) -> impl Iterator<Item = fs::Metadata> {
        self.list.iter().filter_map(|volume| volume.file.metadata().ok())
    }

    /// Which file a byte is in, and where.
    pub(super) fn place(&self, at: u64) -> (&Path, u64) {
        let found = self.list.iter().rfind(|volume| volume.start <= at);
        found.map_or((self.base.as_path(), at), |volume| (volume.path.as_path(), at - volume.start))
    }

    /// Adds whole parts; `parts` gives their lengths, since a file ends only between two of them.
    pub(super) fn append(&mut self, bytes: &[u8], parts: &[usize]) -> Result<(), VolumeError> {
        let mut rest = bytes;
        let mut run = 0;
        for part in parts {
            let last = self.list.last().map_or(0, |volume| volume.len);
            let over = |len: u64| self.limit.is_some_and(|limit| len > limit);
            if over(last + (run + part) as u64) && last + run as u64 > 0 {
                let (now, later) = rest.split_at(run);
                self.write(now)?;
                self.sync()?;
                self.add()?;
                (rest, run) = (later, 0);
            }
            run += part;
        }
        self.write(rest)?;
        if self.unsynced >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    /// Makes sure that so many bytes fit into one file.
    pub(super) fn keep_together(&mut self, len: u64) -> Result<(), VolumeError> {
        let last = self.list.last().map_or(0, |volume| volume.len);
        if last > 0 && self.limit.is_some_and(|limit| last.saturating_add(len) > limit) {
            self.sync()?;
            self.add()?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), VolumeError> {
        let Some(last) = self.list.last_mut() else { return Err(VolumeError::Missing(self.base.clone())) };
        trace::write(&last.path, last.len, bytes);
        last.file.write_all_at(bytes, last.len).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => VolumeError::TooLarge { path: last.path.clone(), bytes: last.len },
            _ => VolumeError::io(&last.path, source),
        })?;
        last.is_dirty = true;
        last.len += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        Ok(())
    }

    /// Writes over what is there; the range lies in one file, as every part does.
    pub(super) fn overwrite(&mut self, at: u64, bytes: &[u8]) -> Result<(), VolumeError> {
        let found = self.list.iter_mut().rfind(|volume| volume.start <= at);
        let Some(volume) = found else { return Err(VolumeError::Missing(self.base.clone())) };
        let path = volume.path.clone();
        let failed = |source| VolumeError::io(&path, source);
        volume.is_dirty = true;
        trace::write(&volume.path, at - volume.start, bytes);
        volume.file.write_all_at(bytes, at - volume.start).map_err(failed)
    }

    /// Reads across files; a range past the end is an error.
    pub(super) fn read(&self, at: u64, buf: &mut [u8]) -> Result<(), VolumeError> {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let found = self.list.iter().rfind(|volume| volume.start <= at);
            let Some(volume) = found else { return Err(VolumeError::Missing(self.base.clone())) };
            let left = usize::try_from((volume.start + volume.len).saturating_sub(at)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut(left.min(rest.len()));
            if now.is_empty() {
                return Err(VolumeError::io(&volume.path, io::ErrorKind::UnexpectedEof.into()));
            }
            volume
                .file
                .read_exact_at(now, at - volume.start)
                .map_err(|source| VolumeError::io(&volume.path, source))?;
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    /// Everything on the medium, and out of the page cache: what is read next comes from the medium.
    pub(super) fn sync(&mut self) -> Result<(), VolumeError> {
        for volume in &mut self.list {
            let synced = if volume.is_dirty { volume.file.sync_data() } else { Ok(()) };
            match synced {
                // The null device cannot be synced.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                other => other.map_err(|source| VolumeError::io(&volume.path, source))?,
            }
            volume.is_dirty = false;
            // Advice: where it is not taken, memory is used that is free anyway.
            let _ = rustix::fs::fadvise(&volume.file, 0, None, Advice::DontNeed);
        }
        self.sync_names()?;
        trace::sync();
        self.unsynced = 0;
        Ok(())
    }

    /// The names of new files are on the medium, and those of removed ones are gone from it.
    fn sync_names(&mut self) -> Result<(), VolumeError> {
        if let Some(folder) = self.folder.as_ref().filter(|_| self.renamed) {
            folder.sync().map_err(|source| VolumeError::io(&self.base, source))?;
            self.renamed = false;
        }
        Ok(())
    }

    /// Cuts everything from `at` on.
    pub(super) fn cut(&mut self, at: u64) -> Result<(), VolumeError> {
        while let Some(last) = self.list.last_mut() {
            let failed = |source| VolumeError::io(&last.path, source);
            if last.start >= at && last.start > 0 {
                trace::remove(&last.path);
                self.folder.as_ref().map_or(Ok(()), |folder| folder.remove(name(&last.path))).map_err(failed)?;
                self.list.pop();
                // One after the other: a gap would look like a piece that is missing.
                self.renamed = true;
                self.sync_names()?;
                trace::sync();
                continue;
            }
            last.len = last.len.min(at - last.start);
            trace::cut(&last.path, last.len);
            last.file.set_len(last.len).map_err(failed)?;
            last.is_dirty = true;
            // What is written behind it must not find the old bytes there after a power cut.
            last.file.sync_all().map_err(failed)?;
            break;
        }
        self.sync_names()?;
        trace::sync();
        Ok(())
    }
}
