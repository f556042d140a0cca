//! Whether anybody else has a file open, by the kernel's own count: it knows of those that no table shows, such as a server in the
//! kernel, an io_uring, or a program behind a wall.

use super::{
    Usage,
    open::{Item, MOMENT, item},
    tables::Inode,
};
use mule_sys::{
    lease::{self, Others},
    same,
};
use std::{
    fs,
    os::fd::{AsFd, AsRawFd},
    thread,
};

/// File systems whose files are opened on this machine only, through the kernel's own leases (`include/uapi/linux/magic.h`): the
/// ext family, XFS, Btrfs, F2FS, tmpfs, FAT, exFAT. Of others a lease tells something else: what a server allowed.
const TELL: [u64; 7] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994, 0x4d44, 0x2011_bab0];

/// Adds what the kernel says of the file `own` where nobody is known to use it; what else could not be found out is no matter
/// where it knows of nobody.
pub(super) fn add(file: &impl AsFd, own: Inode, name: &str, found: &mut Vec<Usage>) {
    let known = found.iter().any(|usage| !matches!(usage, Usage::Unknown { .. }));
    if known || !tells(file) || !is_only_opening(file, own) {
        return;
    }
    let mut others = lease::others(file);
    if matches!(others, Ok(Others::Read | Others::Write)) {
        // As with processes: who looks at it for a moment does not use it.
        thread::sleep(MOMENT);
        others = lease::others(file);
    }
    match others {
        Ok(Others::None) => found.clear(),
        Ok(others) => found.push(Usage::Unseen { file: name.to_owned(), writes: others == Others::Write }),
        // Of another user's file the kernel does not tell.
        Err(_) => {}
    }
}

/// Whether the kernel tells who has a file of this file system open.
fn tells(file: &impl AsFd) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|system| TELL.contains(&system.f_type.cast_unsigned()))
}

/// Whether the kernel tells this user of this file: of another user's file it does not.
pub(super) fn tells_us(file: &impl AsFd) -> bool {
    tells(file) && lease::others(file).is_ok()
}

/// Whether this process has the file open nowhere else: its other openings are others to the kernel.
fn is_only_opening(file: &impl AsFd, own: Inode) -> bool {
    let file = file.as_fd();
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else { return false };
    descriptors.flatten().all(|entry| {
        let number = entry.file_name().to_str().and_then(|number| number.parse().ok());
        let it = item(&entry.path()).is_ok_and(|item| item == Some(Item::File(own)));
        let same = |number| number == file.as_raw_fd() || same::open_file(file, number).unwrap_or(false);
        !it || number.is_some_and(same)
    })
}
