//! Files that belong together, and files that are there whole or not at all.

use crate::aside::Folder;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The path with something behind its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
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
