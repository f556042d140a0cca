//! Mule: erases, images and verifies whole disks, and certifies what it proved.
#![forbid(unsafe_code)]

#[macro_use]
pub mod say;

pub mod appliance;
mod aside;
pub mod ata;
pub mod blocks;
pub mod boot;
pub mod browse;
pub mod certify;
pub mod cli;
pub mod console;
pub mod content;
pub mod discover;
pub mod drive;
pub mod engine;
pub mod export;
pub mod files;
pub mod firmware;
pub mod imagefile;
pub mod job;
pub mod jobfile;
pub mod journal;
mod lock;
pub mod nvme;
pub mod plan;
pub mod power;
pub mod random;
pub mod rescue;
pub mod scsi;
