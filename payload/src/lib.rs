//! Mule: erases, images and verifies whole disks, and certifies what it proved.
#![forbid(unsafe_code)]

pub mod boot;
pub mod certify {
    pub mod record;
}
pub mod console;
pub mod drive;
pub mod engine;
pub mod jobfile;
pub mod plan;
pub mod power;
pub mod stick;
