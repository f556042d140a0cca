//! What a loop device is over, by its own descriptor: the path that the kernel shows may be another file's by now.

use crate::numbers;
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// A loop device's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopStatus {
    /// Number of the device that the file's file system is on, as `st_dev` has it.
    pub device: u64,
    /// The file's inode there.
    pub inode: u64,
    /// The device's number where the file is a block device itself, as `st_rdev` has it.
    pub over: u64,
    /// Whether the file is read and written with direct I/O.
    pub direct: bool,
}

/// `struct loop_info64` of `include/uapi/linux/loop.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo64 {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

const BLANK: LoopInfo64 = LoopInfo64 {
    device: 0,
    inode: 0,
    rdevice: 0,
    offset: 0,
    size_limit: 0,
    number: 0,
    encrypt_type: 0,
    encrypt_key_size: 0,
    flags: 0,
    file_name: [0; 64],
    crypt_name: [0; 64],
    encrypt_key: [0; 32],
    init: [0; 2],
};

const _: () = assert!(size_of::<LoopInfo64>() == 232, "struct loop_info64 has no padding");

/// Asks a loop device. ENXIO where it has no file, ENOTTY where it is no loop device.
pub fn status(device: impl AsFd) -> io::Result<LoopStatus> {
    let mut info = BLANK;
    let (file, number) = (device.as_fd().as_raw_fd(), numbers::LOOP_GET_STATUS64 as libc::Ioctl);
    // SAFETY: LOOP_GET_STATUS64 writes one `struct loop_info64`, of which every bit pattern is a value, to a live local.
    let code = unsafe { libc::ioctl(file, number, &raw mut info) };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    let direct = info.flags & numbers::LO_FLAGS_DIRECT_IO != 0;
    Ok(LoopStatus { device: info.device, inode: info.inode, over: info.rdevice, direct })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_loop_device_says_so() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(status(&file).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
}
