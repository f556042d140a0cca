//! Turns a kernel and the payload into a bootable USB image, and proves what the image is made of.
//!
//! The straight line: [`sources::Sources`] are read and checked into [`sources::Parts`]; the image id is their hash;
//! [`image::build`] lays them out as `mule_types::stick` says and [`manifest::Manifest`] lists what the image really holds.
//! The same inputs give the same bytes on every machine.
#![forbid(unsafe_code)]

pub mod bootloader;
pub mod elf;
pub mod image;
pub mod initramfs;
pub mod job;
pub mod licences;
pub mod manifest;
pub mod mbr;
pub mod notices;
pub mod sources;
pub mod stick_files;
pub mod timestamp;
pub mod volume;
