//! The ioctls of a block device. Each fails with ENOTTY where the file is none.

use crate::numbers;
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Capacity in bytes; 0 where there is no medium or the drive is gone.
pub fn size_bytes(device: impl AsFd) -> io::Result<u64> {
    read_value(device, numbers::BLKGETSIZE64, 0_u64)
}

/// Logical block size in bytes.
pub fn logical_block(device: impl AsFd) -> io::Result<u32> {
    let size: libc::c_int = read_value(device, numbers::BLKSSZGET, 0)?;
    u32::try_from(size).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a negative logical block size"))
}

/// Physical block size in bytes.
pub fn physical_block(device: impl AsFd) -> io::Result<u32> {
    read_value(device, numbers::BLKPBSZGET, 0_u32)
}

/// Whether the kernel holds the device read-only.
pub fn is_read_only(device: impl AsFd) -> io::Result<bool> {
    read_value(device, numbers::BLKROGET, 0 as libc::c_int).map(|flag| flag != 0)
}

/// Writes back and drops what the host caches of the device.
pub fn drop_cache(device: impl AsFd) -> io::Result<()> {
    command(device, numbers::BLKFLSBUF)
}

/// Makes the kernel read the partition table again; EBUSY where a partition is in use.
pub fn reread_partitions(device: impl AsFd) -> io::Result<()> {
    command(device, numbers::BLKRRPART)
}

/// Tells the drive that `len` bytes from `start` on are not needed any more: TRIM, UNMAP, Deallocate.
pub fn discard(device: impl AsFd, start: u64, len: u64) -> io::Result<()> {
    let range = [start, len];
    // SAFETY: BLKDISCARD reads two u64 from the pointer, which is to a live local, and writes to no memory of ours.
    let code = unsafe { libc::ioctl(device.as_fd().as_raw_fd(), numbers::BLKDISCARD as libc::Ioctl, range.as_ptr()) };
    checked(code)
}

/// Types the ioctls here fill in: every bit pattern is a value of them.
trait Plain: Copy {}
impl Plain for u64 {}
impl Plain for u32 {}
impl Plain for libc::c_int {}

fn read_value<T: Plain>(device: impl AsFd, number: u32, mut value: T) -> io::Result<T> {
    // SAFETY: each number passed in by this file writes one value of the type its caller names, to a live local.
    let code = unsafe { libc::ioctl(device.as_fd().as_raw_fd(), number as libc::Ioctl, &raw mut value) };
    checked(code).map(|()| value)
}

fn command(device: impl AsFd, number: u32) -> io::Result<()> {
    // SAFETY: the two numbers passed in by this file take no argument and touch no memory of ours.
    let code = unsafe { libc::ioctl(device.as_fd().as_raw_fd(), number as libc::Ioctl, 0) };
    checked(code)
}

fn checked(code: libc::c_int) -> io::Result<()> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::size_of;

    #[test]
    fn numbers_encode_what_the_kernel_headers_say() {
        let ior = |kind: u32, number: u32, size: usize| {
            (2 << 30) | (u32::try_from(size).unwrap() << 16) | (kind << 8) | number
        };
        assert_eq!(numbers::BLKGETSIZE64, ior(0x12, 114, size_of::<usize>()));
        let io = |number: u32| (0x12 << 8) | number;
        let plain =
            [(numbers::BLKROGET, 94), (numbers::BLKRRPART, 95), (numbers::BLKFLSBUF, 97), (numbers::BLKDISCARD, 119)];
        let sizes = [(numbers::BLKSSZGET, 104), (numbers::BLKPBSZGET, 123)];
        for (constant, number) in plain.into_iter().chain(sizes) {
            assert_eq!(constant, io(number));
        }
    }

    #[test]
    fn a_regular_file_is_no_block_device() {
        let file = tempfile::tempfile().unwrap();
        let refused = |error: io::Error| error.raw_os_error() == Some(libc::ENOTTY);
        assert!(size_bytes(&file).is_err_and(refused));
        assert!(logical_block(&file).is_err_and(refused));
        assert!(physical_block(&file).is_err_and(refused));
        assert!(is_read_only(&file).is_err_and(refused));
        assert!(drop_cache(&file).is_err_and(refused));
        assert!(reread_partitions(&file).is_err_and(refused));
        assert!(discard(&file, 0, 512).is_err_and(refused));
    }
}
