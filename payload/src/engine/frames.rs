//! Moving a whole drive in frames of 1 MiB: read in order with several requests in flight, written, read back.
//!
//! A sweep (`super::sweep`) deals with patterns that follow from the address; here the content comes from somewhere.

mod compare;
mod pool;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use compare::{Compared, Expected, Mask, compare, is_zero, whole};
pub use pool::{Buffer, Pool};
pub use read::{Got, Reader, Want, read_one, write_one};
pub use write::{Content, Job, Written, write};

/// Bytes of a frame; the last of a drive may be shorter.
pub const FRAME: usize = 1 << 20;

/// How many frames `bytes` have.
pub fn count(bytes: u64) -> u64 {
    bytes.div_ceil(FRAME as u64)
}

/// Where a frame begins, in bytes.
pub fn start(index: u64) -> u64 {
    index * FRAME as u64
}

/// How long frame `index` of a drive of `bytes` is.
pub fn len(index: u64, bytes: u64) -> usize {
    let left = bytes.saturating_sub(start(index));
    usize::try_from(left).unwrap_or(FRAME).min(FRAME)
}
