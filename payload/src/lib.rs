//! Mule: erases, images and verifies whole disks, and certifies what it proved.
#![forbid(unsafe_code)]

pub mod ata;
pub mod discover;
pub mod drive;
pub mod plan;
pub mod scsi;
pub mod stick;
