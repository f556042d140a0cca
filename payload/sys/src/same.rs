//! Whether two threads, or two descriptors, have the same thing of the kernel's (`kcmp(2)`).

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
};

/// `KCMP_FILE`, `KCMP_FILES` of `include/uapi/linux/kcmp.h`.
const FILE: libc::c_int = 0;
const FILES: libc::c_int = 2;

/// Whether two threads share one table of descriptors.
///
/// # Errors
/// ENOSYS where the kernel cannot compare, EPERM where this process may not, ESRCH where one has ended.
pub fn table(one: u32, other: u32) -> io::Result<bool> {
    compare(pid(one)?, pid(other)?, FILES, 0, 0)
}

/// Whether a descriptor number of this process is another name of the open file `file`.
///
/// # Errors
/// As of [`table`]; EBADF where it is not open.
pub fn open_file(file: BorrowedFd<'_>, other: RawFd) -> io::Result<bool> {
    let own = pid(std::process::id())?;
    let index = |descriptor: RawFd| libc::c_ulong::try_from(descriptor).map_err(|_| io::ErrorKind::InvalidInput);
    compare(own, own, FILE, index(file.as_raw_fd())?, index(other)?)
}

fn pid(id: u32) -> io::Result<libc::pid_t> {
    libc::pid_t::try_from(id).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn compare(
    one: libc::pid_t,
    other: libc::pid_t,
    kind: libc::c_int,
    first: libc::c_ulong,
    second: libc::c_ulong,
) -> io::Result<bool> {
    // SAFETY: kcmp(2) takes numbers only and touches no memory of this process.
    let code = unsafe { libc::syscall(libc::SYS_kcmp, one, other, kind, first, second) };
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code == 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn another_name_is_the_same_open_file_and_another_opening_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (name, opening) = (file.as_file().try_clone().unwrap(), file.reopen().unwrap());
        let same = |other: &std::fs::File| open_file(file.as_file().as_fd(), other.as_raw_fd()).unwrap();
        assert!(same(&name) && !same(&opening));
    }

    #[test]
    fn a_thread_shares_its_table_until_it_takes_one_of_its_own() {
        // SAFETY: it takes nothing and cannot fail.
        let (own, id) = (std::process::id(), || unsafe { libc::gettid() }.cast_unsigned());
        std::thread::spawn(move || {
            assert!(table(own, id()).unwrap());
            // SAFETY: this thread closes nothing that it did not open.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            assert!(!table(own, id()).unwrap());
        })
        .join()
        .unwrap();
    }
}
