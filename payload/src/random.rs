//! Random bytes from the kernel; without them nothing is keyed and nothing is written.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// `N` bytes from the kernel's random source; waits until it is seeded.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(bytes)
}
