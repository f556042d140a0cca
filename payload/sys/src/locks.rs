//! Byte-range locks of others on a file (`fcntl_locking(2)`, Linux 3.15).

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// A lock that somebody else has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Whether it is exclusive.
    pub write: bool,
    /// First byte.
    pub start: u64,
    /// The process, where the lock belongs to one: a lock of an open file does not say whose it is.
    pub process: Option<u32>,
}

/// The first lock in `len` bytes from `start` (0: to the end of all files) that keeps out a lock to write, or, where `write`
/// is not set, one to read. Locks of this very open file do not count, nor does `flock`.
///
/// # Errors
/// What the file system says where it has no locks.
pub fn of_others(file: impl AsFd, write: bool, start: u64, len: u64) -> io::Result<Option<Lock>> {
    let place = |value: u64| libc::off_t::try_from(value).map_err(|_| io::ErrorKind::InvalidInput);
    // SAFETY: `struct flock` is numbers only, for which zero is a value; OFD locks demand l_pid = 0.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind(if write { libc::F_WRLCK } else { libc::F_RDLCK });
    lock.l_whence = kind(libc::SEEK_SET);
    (lock.l_start, lock.l_len) = (place(start)?, place(len)?);
    // SAFETY: F_OFD_GETLK reads and writes one `struct flock`, a live local.
    let code = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((lock.l_type != kind(libc::F_UNLCK)).then(|| Lock {
        write: lock.l_type == kind(libc::F_WRLCK),
        start: u64::try_from(lock.l_start).unwrap_or(0),
        process: u32::try_from(lock.l_pid).ok().filter(|process| *process > 0),
    }))
}

/// Takes the exclusive lock on the whole file, without waiting; it belongs to this open file and ends with it. `false` where
/// another opening has one, here or, on a file system that hands locks on (NFS, SMB), on another machine. The file must be open
/// to be written.
///
/// # Errors
/// What the file system says where it has no locks.
pub fn exclusive(file: impl AsFd) -> io::Result<bool> {
    take(file, libc::F_WRLCK)
}

/// Takes a lock on the whole file that others may have as well, but that no exclusive one can be taken beside; otherwise as
/// [`exclusive`]. The file must be open to be read.
///
/// # Errors
/// What the file system says where it has no locks.
pub fn shared(file: impl AsFd) -> io::Result<bool> {
    take(file, libc::F_RDLCK)
}

fn take(file: impl AsFd, which: libc::c_int) -> io::Result<bool> {
    // SAFETY: `struct flock` is numbers only, for which zero is a value; OFD locks demand l_pid = 0.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_whence) = (kind(which), kind(libc::SEEK_SET));
    // SAFETY: F_OFD_SETLK reads one `struct flock`, a live local.
    if unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    let taken = [libc::EAGAIN, libc::EACCES].iter().any(|errno| error.raw_os_error() == Some(*errno));
    if taken { Ok(false) } else { Err(error) }
}

/// These constants are `int` where the structure has `short`.
#[expect(clippy::cast_possible_truncation, reason = "they are 0, 1 and 2")]
const fn kind(value: libc::c_int) -> libc::c_short {
    value as libc::c_short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_locks_has_none() {
        let file = tempfile::tempfile().unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        assert_eq!(of_others(&file, true, 0, 0).unwrap(), None);
    }

    #[test]
    fn readers_share_a_file_and_a_writer_has_it_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let [first, second, writer] = [(); 3].map(|()| file.reopen().unwrap());
        assert!(shared(&first).unwrap() && shared(&second).unwrap());
        assert!(!exclusive(&writer).unwrap());
        drop((first, second));
        assert!(exclusive(&writer).unwrap());
        assert!(!shared(&file).unwrap());
    }

    #[test]
    fn a_lock_through_another_opening_is_found_where_it_is() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // SAFETY: as above.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        (lock.l_type, lock.l_start, lock.l_len) = (kind(libc::F_RDLCK), 101, 1);
        // SAFETY: F_OFD_SETLK reads one `struct flock`, a live local.
        assert_eq!(unsafe { libc::fcntl(file.as_file().as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) }, 0);
        let other = file.reopen().unwrap();
        let found = Some(Lock { write: false, start: 101, process: None });
        assert_eq!(of_others(&other, true, 0, 0).unwrap(), found);
        assert_eq!(of_others(&other, true, 101, 1).unwrap(), found);
        assert_eq!(of_others(&other, true, 102, 0).unwrap(), None);
        assert_eq!(of_others(&other, false, 0, 0).unwrap(), None);
        assert_eq!(of_others(&file, true, 0, 0).unwrap(), None);
    }
}
