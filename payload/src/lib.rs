//! Mule: erases, images and verifies whole disks, and certifies what it proved.
#![forbid(unsafe_code)]

pub mod drive;
pub mod engine;
pub mod plan;
pub mod stick;
