//! Names in a folder: given, taken away, and folders below it.

use super::{Folder, single};
use rustix::{
    fs::{Dir, Mode, OFlags, RenameFlags},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
};

impl Folder {
    /// Whether anything has this name, a link that leads nowhere too.
    pub(crate) fn has(&self, name: &OsStr) -> io::Result<bool> {
        Ok(self.stat(single(name)?)?.is_some())
    }

    /// Every name in it, whatever it names.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let names = Dir::read_from(&self.fd)?.map(|entry| Ok(OsStr::from_bytes(entry?.file_name().to_bytes()).into()));
        let names: io::Result<Vec<OsString>> = names.collect();
        Ok(names?.into_iter().filter(|name| name != "." && name != "..").collect())
    }

    /// Gives a file another name, in nobody's place.
    ///
    /// # Errors
    /// `AlreadyExists` where something has that name. ext4, XFS, Btrfs, tmpfs, FAT, exFAT and ntfs3 see to that themselves
    /// (`RENAME_NOREPLACE`, rename(2)); where the file system does not know the flag (NFS, many in user space) it is looked at
    /// before.
    pub(crate) fn give(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (single(from)?, single(to)?);
        match rustix::fs::renameat_with(&self.fd, from, &self.fd, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.give_free(from, to),
            done => Ok(done?),
        }
    }

    pub(super) fn give_free(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        if self.has(to)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    /// Removes a name if it is there; whether it was.
    pub(crate) fn forget(&self, name: &OsStr) -> io::Result<bool> {
        match self.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// All that was written to its file system is on the medium, whoever wrote it.
    pub(crate) fn sync_everything(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.fd)?)
    }

    /// A folder in this one, made where there is none. A link is none.
    pub(crate) fn make(&self, name: &OsStr) -> io::Result<Self> {
        let name = single(name)?;
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP | Errno::NOTDIR => io::Error::from(io::ErrorKind::AlreadyExists),
            errno => errno.into(),
        })?;
        Ok(Self { fd, path: self.path.join(name), kind: self.kind })
    }
}
