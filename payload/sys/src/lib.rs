//! The only unsafe code of Mule: system calls behind safe functions, one wrapper each.

mod aligned;
pub mod block;
pub mod idle;
pub mod lease;
pub mod locks;
pub mod loops;
mod numbers;
pub mod nvme;
mod registered;
mod ring;
pub mod same;
pub mod sg;

pub use aligned::AlignedBuf;
pub use ring::{Done, Ring};
