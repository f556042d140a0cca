//! The only unsafe code of Mule: system calls behind safe functions, one wrapper each.

mod aligned;

pub use aligned::AlignedBuf;
