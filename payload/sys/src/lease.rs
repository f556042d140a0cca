//! Whether anybody else has a regular file open (leases, `fcntl(2)`): the kernel grants a lease only where nobody has, by whatever
//! way: a descriptor of any process, a mapping, a loop device, an io_uring, a server in the kernel.

use crate::numbers::F_SETSIG;
use rustix::fs::OFlags;
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Who else has a file open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Others {
    /// Nobody on this machine.
    None,
    /// Somebody, to read.
    Read,
    /// Somebody, to write; or, where the own opening can write, somebody.
    Write,
}

/// Asks by taking a lease and giving it back. Other openings of the same file by this process count as others.
///
/// # Errors
/// EINVAL where the file system has no leases or it is no regular file, EACCES where the file is another user's.
pub fn others(file: impl AsFd) -> io::Result<Others> {
    // Who opens it in the meantime breaks the lease, which is told by a signal: by one that ends nobody.
    control(&file, F_SETSIG, libc::SIGURG)?;
    if granted(&file, libc::F_WRLCK)? {
        return Ok(Others::None);
    }
    let reads = (rustix::fs::fcntl_getfl(&file)? & OFlags::RWMODE) == OFlags::RDONLY;
    // A lease to read is granted where nobody can write; the own opening counts as well.
    Ok(if reads && granted(&file, libc::F_RDLCK)? { Others::Read } else { Others::Write })
}

fn granted(file: impl AsFd, kind: libc::c_int) -> io::Result<bool> {
    match control(&file, libc::F_SETLEASE, kind) {
        Ok(()) => control(&file, libc::F_SETLEASE, libc::F_UNLCK).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

fn control(file: impl AsFd, command: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: these commands take a number and touch no memory of this process.
    let code = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), command, value) };
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};

    #[test]
    fn whoever_has_it_open_counts() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let (ours, both) =
            (File::open(&path).unwrap(), || OpenOptions::new().read(true).write(true).open(&path).unwrap());
        assert_eq!(others(&ours).unwrap(), Others::None);
        let reader = File::open(&path).unwrap();
        assert_eq!(others(&ours).unwrap(), Others::Read);
        drop(reader);
        let writer = both();
        assert_eq!(others(&ours).unwrap(), Others::Write);
        drop((writer, ours));
        let ours = both();
        assert_eq!(others(&ours).unwrap(), Others::None);
        // A second name of the same opening is nobody else.
        let again = ours.try_clone().unwrap();
        assert_eq!(others(&ours).unwrap(), Others::None);
        drop(again);
    }

    #[test]
    fn what_has_no_leases_says_so() {
        assert_eq!(others(File::open("/dev/null").unwrap()).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    }
}
