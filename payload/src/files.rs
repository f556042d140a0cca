//! Files that belong together, and files that are there whole or not at all.

use crate::aside::Folder;
use rustix::{
    fs::OFlags,
    process::{Resource, getrlimit, setrlimit},
};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// An image can consist of more files than a process may have open by default (`getrlimit(2)`: up to the hard limit anybody may).
pub fn open_as_many_as_allowed() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer it still works, but for images in very many pieces, whose error says so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Largest file that the file system of an open file takes, in bytes: a place behind that cannot be gone to (`vfs_setpos` in
/// `fs/read_write.c`, by the superblock's `s_maxbytes`).
pub fn largest(file: &mut File) -> u64 {
    let (mut low, mut high) = (0, i64::MAX.cast_unsigned());
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if file.seek(SeekFrom::Start(middle)).is_ok() { low = middle } else { high = middle - 1 }
    }
    low
}

/// The path with something behind its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The name of a file in the folder it lies in.
pub(crate) fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// What lies beside one file, or is called after it, as it is called beside another: `a.part.000` of `a` is `b.part.000` of `b`.
pub(crate) fn beside_other(path: &Path, one: &Path, other: &Path) -> PathBuf {
    let behind = name_of(path).as_bytes().get(name_of(one).len()..).unwrap_or_default();
    let mut name = name_of(other).to_owned();
    name.push(OsStr::from_bytes(behind));
    other.with_file_name(name)
}

/// The folder that a file lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Makes names in a file's folder last.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    Folder::of(path)?.0.sync()
}

/// A new name first, then the right one, flushed before and after: a power cut leaves the old file or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = Folder::of(path)?;
    folder.write(name, bytes)
}

/// A new file, on the medium when this returns. What has the name already is left alone; of one that could not be written
/// nothing is left.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = Folder::of(path)?;
    let mut file = folder.create(name)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| folder.sync());
    if written.is_err() {
        // The first error is the one to report.
        let _ = folder.remove(name);
    }
    written
}

/// Removes a file's name, if it is there; a link's target stays.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let (folder, name) = Folder::of(path)?;
    folder.forget(name).map(drop)
}

/// Whether anything has this name, a link that leads nowhere too.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Opens a file for reading only. Links are followed, for what is read is nowhere changed by it; a pipe is not waited for.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is no plain file"))
}

/// A file's bytes.
///
/// # Errors
/// `FileTooLarge` where there are more than `max`.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok(bytes)
}
