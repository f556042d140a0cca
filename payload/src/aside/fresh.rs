//! A new file that has no name of its own until it is whole, and what is left of such files by runs that were cut short.
//!
//! Its first name is made up and locked while somebody writes it: an unlocked one is a dead run's, and whoever comes next removes
//! it. Where a file system has no locks, what is left stays.

use super::Folder;
use mule_sys::locks;
use rustix::fs::OFlags;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    sync::Arc,
};

/// Digits behind the prefix of a made-up name.
const DIGITS: usize = 16;

/// A file that is being written; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Fresh {
    folder: Arc<Folder>,
    aside: OsString,
    file: File,
    named: bool,
}

/// Whether a name is one that was made up behind this prefix.
pub(crate) fn is_made_up(prefix: &OsStr, name: &OsStr) -> bool {
    let digits = name.as_bytes().strip_prefix(prefix.as_bytes());
    let digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.iter().all(digit))
}

impl Folder {
    /// Begins a file under a made-up name.
    pub(crate) fn fresh(self: &Arc<Self>, prefix: &OsStr) -> io::Result<Fresh> {
        loop {
            let digits = u64::from_le_bytes(crate::random::bytes().map_err(io::Error::other)?);
            let mut aside = prefix.to_owned();
            aside.push(format!("{digits:0DIGITS$x}"));
            let file = match self.create(&aside) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file?,
            };
            // Between the two somebody may take it for one that was left.
            let alone = !matches!(locks::exclusive(&file), Ok(false)) && file.metadata()?.nlink() > 0;
            if alone {
                return Ok(Fresh { folder: Arc::clone(self), aside, file, named: false });
            }
        }
    }

    /// Removes what runs that were cut short left under made-up names.
    pub(crate) fn sweep(&self, prefix: &OsStr) -> io::Result<()> {
        for name in self.names()?.iter().filter(|name| is_made_up(prefix, name)) {
            // What is no plain file, or gone by now, is not ours.
            let Ok(file) = self.existing(name, OFlags::RDWR) else { continue };
            if matches!(locks::exclusive(&file), Ok(true)) {
                self.forget(name)?;
            }
        }
        Ok(())
    }
}

impl Fresh {
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// Gives it its name, in nobody's place. Content and name are on the medium when the caller has flushed the one before and
    /// the folder after.
    ///
    /// # Errors
    /// `AlreadyExists` where something has the name.
    pub(crate) fn name(mut self, name: &OsStr) -> io::Result<()> {
        self.folder.give(&self.aside, name)?;
        self.named = true;
        Ok(())
    }

    /// The same for one file: content before, name after.
    pub(crate) fn commit(self, name: &OsStr) -> io::Result<()> {
        self.file.sync_all()?;
        let (file, folder) = (self.file.try_clone()?, Arc::clone(&self.folder));
        self.name(name)?;
        // FAT writes the new name with a length of 0; the length follows with the file's own next flush.
        file.sync_all()?;
        folder.sync()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.named {
            // The first error is the one to report.
            let _ = self.folder.remove(&self.aside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write};

    #[test]
    fn it_has_its_name_when_it_is_whole_and_what_the_dead_left_goes() {
        let dir = tempfile::tempdir().unwrap();
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
            names.sort();
            names
        };
        let (folder, prefix) = (Arc::new(Folder::anybodys(dir.path()).unwrap()), OsStr::new("out.part-"));
        let others =
            ["out.part-0123", "out.part-0123456789abcdeF", "out.part-0123456789abcdef0", "other-0123456789abcdef"];
        others.iter().for_each(|name| fs::write(dir.path().join(name), "somebody's").unwrap());
        let (left, linked) = ("out.part-0123456789abcdef", "out.part-1123456789abcdef");
        fs::write(dir.path().join(left), "left").unwrap();
        std::os::unix::fs::symlink("out.part-0123", dir.path().join(linked)).unwrap();
        let fresh = folder.fresh(prefix).unwrap();
        fresh.file().write_all(b"whole").unwrap();
        folder.sweep(prefix).unwrap();
        let (aside, all) = (fresh.aside.clone(), names());
        assert!(all.contains(&aside) && !all.contains(&left.into()) && all.len() == 6, "{all:?}");
        fs::write(dir.path().join("taken"), "").unwrap();
        let other = folder.fresh(prefix).unwrap();
        assert_eq!(other.commit(OsStr::new("taken")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        fresh.commit(OsStr::new("out")).unwrap();
        folder.sweep(prefix).unwrap();
        assert_eq!(fs::read(dir.path().join("out")).unwrap(), b"whole");
        assert!(!names().contains(&aside) && names().len() == 7, "{:?}", names());
    }
}
