//! Files that are written beside their place and then take it, in a folder that stays the same one meanwhile.
//!
//! Whoever else can write to a folder can put a link where a file is about to be written, or another folder where this one
//! was. So a folder is opened once, everything in it is named through that descriptor, a new file is one that was not there
//! (`O_EXCL`), and no link is followed (`O_NOFOLLOW`). A name that is left of an earlier time is removed, not written through.
//!
//! Whose folder it may be depends on what lies there. Where its files are believed later because they lie there (the list of
//! signers, a host's log with its key), nobody else may be able to change it: [`Folder::open`]. Images, their manifests, notes
//! and maps prove themselves by signatures and hashes, and lie on a medium that belongs to whoever mounted it:
//! [`Folder::anybodys`]. A link that a person names as a folder is followed; the names in it are not.

mod fresh;
mod names;
#[cfg(test)]
pub(crate) mod traps;

pub(crate) use fresh::{Fresh, is_made_up};
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

/// What is behind the name of a file that is being written.
const ASIDE: &str = ".new";

/// File systems that have no owners of their own: what `stat` says of them is what the mount said (`linux/magic.h`).
const WITHOUT_OWNERS: [u64; 3] = [MSDOS, EXFAT, 0x7366_746e];
const MSDOS: u64 = 0x4d44;
const EXFAT: u64 = 0x2011_bab0;

/// A folder, held open.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
    kind: u64,
}

impl Folder {
    /// Opens a folder that nobody but this user, root or the user behind `sudo` can change.
    ///
    /// # Errors
    /// The folder is somebody else's, or anybody may write to it without the sticky bit; the message says what to do.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let folder = Self::anybodys(path)?;
        let stat = rustix::fs::fstat(&folder.fd)?;
        let user = rustix::process::geteuid().as_raw();
        let own = [Some(user), Some(0), behind_sudo(user)].contains(&Some(stat.st_uid));
        if WITHOUT_OWNERS.contains(&folder.kind) {
            return Ok(folder);
        }
        let remedy = "use a folder of your own";
        if !own {
            return Err(denied(format!(
                "this folder belongs to user {}, who could change what is kept in it; {remedy}",
                stat.st_uid
            )));
        }
        let mode = Mode::from_raw_mode(stat.st_mode);
        if mode.contains(Mode::WOTH) && !mode.contains(Mode::SVTX) {
            return Err(denied(format!(
                "anybody may write to this folder; {remedy}, or take that right away (chmod o-w)"
            )));
        }
        Ok(folder)
    }

    /// Opens a folder whoever it belongs to: for files that prove themselves, on a medium that others may have made.
    pub(crate) fn anybodys(path: &Path) -> io::Result<Self> {
        let named = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, named, flags, Mode::empty())?;
        let kind = u64::try_from(rustix::fs::fstatfs(&fd)?.f_type).unwrap_or_default();
        Ok(Self { fd, path: named.to_owned(), kind })
    }

    /// The folder of a file, and the file's name in it.
    pub(crate) fn of(file: &Path) -> io::Result<(Self, &OsStr)> {
        let name = file.file_name().ok_or_else(|| io::Error::other(format!("{} names no file", file.display())))?;
        Ok((Self::anybodys(file.parent().unwrap_or_else(|| Path::new(".")))?, name))
    }

    /// Where it was when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its path still leads to it.
    pub(crate) fn is_in_place(&self) -> io::Result<bool> {
        let (held, there) = (rustix::fs::fstat(&self.fd)?, rustix::fs::stat(&self.path)?);
        Ok((held.st_dev, held.st_ino) == (there.st_dev, there.st_ino))
    }

    /// What is there under a name, links not followed.
    fn stat(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// The plain files in it, with their lengths in bytes.
    pub(crate) fn files(&self) -> io::Result<Vec<(OsString, u64)>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if let Some(stat) = self.stat(&name)?.filter(|stat| FileType::from_raw_mode(stat.st_mode).is_file()) {
                names.push((name, u64::try_from(stat.st_size).unwrap_or_default()));
            }
        }
        Ok(names)
    }

    /// A new file. Whatever is there under that name already is an error, a link too.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        self.create_with(name, 0o666)
    }

    /// A new file that nobody else may read.
    pub(crate) fn create_private(&self, name: &OsStr) -> io::Result<File> {
        self.create_with(name, 0o600)
    }

    fn create_with(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.fd, single(name)?, flags, Mode::from_raw_mode(mode))?))
    }

    /// A plain file that is there, with no other name anywhere; no link is followed, and no pipe waited for.
    pub(crate) fn existing(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, single(name)?, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::LOOP => denied("it is a link; remove it".into()),
            errno => errno.into(),
        })?;
        let stat = rustix::fs::fstat(&fd)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(denied("it is no plain file; remove it".into()));
        }
        if stat.st_nlink > 1 && !flags.intersection(OFlags::RWMODE).is_empty() {
            return Err(denied("it is another file's second name (a hard link); remove it".into()));
        }
        Ok(File::from(fd))
    }

    /// A plain file's bytes, no more than `max` and one more.
    pub(crate) fn read(&self, name: &OsStr, max: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.existing(name, OFlags::RDONLY)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Removes a name; a link's target stays.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, single(name)?, AtFlags::empty())?)
    }

    /// The names in it are on the medium. FAT keeps a name, a length and the chain of clusters in places of their own, so that
    /// flushing the folder alone is not enough there.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let synced = rustix::fs::fsync(&self.fd);
        // Some network file systems flush no folder on its own (fsync(2), EINVAL).
        if synced == Err(Errno::INVAL) || [MSDOS, EXFAT].contains(&self.kind) {
            return Ok(rustix::fs::syncfs(&self.fd)?);
        }
        Ok(synced?)
    }

    /// Begins a file beside its place, under its name with `.new` behind it.
    pub(crate) fn begin(&self, name: &OsStr) -> io::Result<Aside<'_>> {
        let aside = self.aside_name(single(name)?)?;
        match self.remove(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.create(&aside)?;
        Ok(Aside { folder: self, name: name.to_owned(), aside, file, committed: false })
    }

    /// FAT and exFAT give a renamed file its new name before they take the old one away. A power cut between leaves two names
    /// for the same clusters, and removing either would free what the other holds: such a name is left alone.
    fn aside_name(&self, name: &OsStr) -> io::Result<OsString> {
        let with = |ending: String| {
            let mut aside = name.to_owned();
            aside.push(ending);
            aside
        };
        let first = with(ASIDE.into());
        if ![MSDOS, EXFAT].contains(&self.kind) || self.stat(name)?.is_none() {
            return Ok(first);
        }
        let others = (2_u8..).map(|number| with(format!("{ASIDE}{number}")));
        let free = |name: &OsString| self.stat(name).is_ok_and(|found| found.is_none());
        std::iter::once(first).chain(others).find(free).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
    }

    /// Replaces a file, or makes it: a power cut leaves the old one or the new one.
    pub(crate) fn write(&self, name: &OsStr, bytes: &[u8]) -> io::Result<()> {
        let mut aside = self.begin(name)?;
        aside.write_all(bytes)?;
        aside.commit()
    }
}

/// The user who became root for this command (sudo(8)); root alone is believed about it.
pub(crate) fn behind_sudo(user: u32) -> Option<u32> {
    told_by_sudo(std::env::var("SUDO_UID").ok().as_deref(), user)
}

fn told_by_sudo(told: Option<&str>, user: u32) -> Option<u32> {
    // All ones is nobody (chown(2)).
    told.filter(|_| user == 0)?.parse().ok().filter(|user| *user != u32::MAX)
}

/// A name that leads nowhere but into the folder it is looked up in.
fn single(name: &OsStr) -> io::Result<&OsStr> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes == b"." || bytes == b".." || bytes.contains(&b'/') || bytes.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name:?} is no name of a file")));
    }
    Ok(name)
}

fn denied(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// A file that does not have its name yet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Aside<'a> {
    folder: &'a Folder,
    name: OsString,
    aside: OsString,
    file: File,
    committed: bool,
}

impl Aside<'_> {
    /// Gives it its name, in the place of what has it. The content is on the medium before, the name after.
    ///
    /// # Errors
    /// What has the name then is not what was written: somebody else changed the folder meanwhile.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = &self.folder.fd;
        rustix::fs::renameat(folder, &self.aside, folder, &self.name)?;
        self.committed = true;
        // FAT writes the new name with a length of 0; the length follows with the file's own next flush.
        self.file.sync_all()?;
        self.folder.sync()?;
        let own = rustix::fs::fstat(&self.file)?;
        let there = self.folder.stat(&self.name)?;
        if there.is_some_and(|there| (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)) {
            return Ok(());
        }
        Err(denied("somebody else changed the folder while the file was written; use a folder of your own".into()))
    }
}

impl Write for Aside<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if !self.committed {
            // The first error is the one to report.
            let _ = self.folder.remove(&self.aside);
        }
    }
}

#[cfg(test)]
mod tests;
