//! One job at a time works on an unfinished image: `NAME.img.zst.part.lock` is locked from before it is decided what becomes of
//! what is there until the job is over.
//!
//! The lock has a file of its own, since the note beside the part is replaced and the part may be begun anew.

use super::part::part_of;
use crate::{aside::Folder, files::beside, lock::patiently};
use mule_sys::locks;
use rustix::fs::OFlags;
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Why an image cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error(
        "{path}: another job, here or on another machine, is writing this image; nothing of it was touched. Wait until that job \
         is over, or give this image another name",
        path = .0.display()
    )]
    Busy(PathBuf),
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
}

/// An unfinished image that nobody else works on meanwhile.
#[derive(Debug)]
pub struct Hold {
    folder: Folder,
    name: OsString,
    _file: File,
    /// Why there is no lock, where the store has none.
    pub without: Option<String>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // The name goes before the lock does: whoever opened the file meanwhile finds that it lost its name, and makes another.
        if self.without.is_none() {
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// The file that is locked while somebody works on an unfinished image.
pub(super) fn lock_of(part: &Path) -> PathBuf {
    beside(part, ".lock")
}

/// Keeps every other job off an unfinished image until the answer is dropped.
pub fn hold(image: &Path) -> Result<Hold, HoldError> {
    let path = lock_of(&part_of(image));
    let failed = |error| HoldError::Io(path.clone(), error);
    let (folder, name) = Folder::of(&path).map_err(failed)?;
    let name = name.to_owned();
    let attempt = || {
        let file = match folder.create(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => folder.existing(&name, OFlags::RDWR),
            made => made,
        };
        let file = match file {
            // Its holder was just ending.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        Ok(match locks::exclusive(&file) {
            Ok(true) if is_named(&folder, &name, &file) => Some((file, None)),
            Ok(_) => None,
            Err(error) => Some((file, Some(error.to_string()))),
        })
    };
    let (file, without) = patiently(attempt)?.ok_or_else(|| HoldError::Busy(part_of(image)))?;
    Ok(Hold { folder, name, _file: file, without })
}

/// Whether the name still is that of the open file.
fn is_named(folder: &Folder, name: &std::ffi::OsStr, file: &File) -> bool {
    let of = |file: &File| file.metadata().map(|data| (data.dev(), data.ino()));
    let there = folder.existing(name, OFlags::RDONLY).and_then(|file| of(&file));
    there.ok().zip(of(file).ok()).is_some_and(|(there, held)| there == held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_at_a_time_holds_an_image_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a.img.zst");
        let first = hold(&image).unwrap();
        assert!(first.without.is_none());
        assert!(matches!(hold(&image), Err(HoldError::Busy(path)) if path == part_of(&image)));
        drop(hold(&dir.path().join("b.img.zst")).unwrap());
        drop(first);
        drop(hold(&image).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        // What a job that was killed left has no lock.
        std::fs::write(dir.path().join("a.img.zst.part.lock"), b"").unwrap();
        drop(hold(&image).unwrap());
    }
}
