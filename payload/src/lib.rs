//! Mule: erases, images and verifies whole disks, and certifies what it proved.
#![forbid(unsafe_code)]

pub mod appliance;
pub mod ata;
pub mod boot;
pub mod certify;
pub mod cli;
pub mod console;
pub mod discover;
pub mod drive;
pub mod engine;
pub mod job;
pub mod jobfile;
pub mod journal;
pub mod plan;
pub mod power;
pub mod random;
pub mod scsi;
pub mod stick;
