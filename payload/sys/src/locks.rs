//! Locks of bytes of a file (`fcntl`): who holds one, without taking any.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// `l_type` and `l_whence` (`include/uapi/asm-generic/fcntl.h`), in the type that they have in `struct flock`.
const WRITE_LOCK: libc::c_short = 1;
const NO_LOCK: libc::c_short = 2;
const FROM_THE_START: libc::c_short = 0;
const _: () = {
    assert!(WRITE_LOCK as libc::c_int == libc::F_WRLCK && NO_LOCK as libc::c_int == libc::F_UNLCK);
    assert!(FROM_THE_START as libc::c_int == libc::SEEK_SET);
};

/// Somebody's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// The process, where the lock belongs to one and not to an open file.
    pub process: Option<u32>,
}

/// A lock on any byte that another process, or another opening of the file, holds: one of POSIX, or one of an open file as QEMU
/// takes them (`F_OFD_GETLK`, Linux 3.15). Locks of `flock` are others.
pub fn foreign(file: impl AsFd) -> io::Result<Option<Lock>> {
    // SAFETY: `flock` is plain numbers, of which all zeros is a value.
    let mut asked: libc::flock = unsafe { std::mem::zeroed() };
    (asked.l_type, asked.l_whence) = (WRITE_LOCK, FROM_THE_START);
    // SAFETY: F_OFD_GETLK reads and writes one `struct flock`, a live local, with an l_pid of 0 as it demands.
    let code = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_GETLK, &raw mut asked) };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    let held = asked.l_type != NO_LOCK;
    Ok(held.then_some(Lock { process: u32::try_from(asked.l_pid).ok().filter(|process| *process > 0) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    const READ_LOCK: libc::c_short = 0;

    /// Takes a lock of an open file on byte 100, as QEMU does.
    fn lock(file: &File) {
        // SAFETY: as above.
        let mut wanted: libc::flock = unsafe { std::mem::zeroed() };
        wanted.l_type = READ_LOCK;
        (wanted.l_start, wanted.l_len) = (100, 1);
        // SAFETY: F_OFD_SETLK reads one `struct flock`, a live local.
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const wanted) }, 0);
    }

    #[test]
    fn a_lock_of_another_opening_is_seen_and_ones_own_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let (own, other) = (File::create(&path).unwrap(), File::open(&path).unwrap());
        assert_eq!(foreign(&own).unwrap(), None);
        lock(&other);
        assert_eq!(foreign(&own).unwrap(), Some(Lock { process: None }));
        assert_eq!(foreign(&other).unwrap(), None);
        drop(other);
        assert_eq!(foreign(&own).unwrap(), None);
    }
}
