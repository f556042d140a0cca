//! Drives that are code of ours: a model of each that runs in process, and a vhost-user-scsi host that serves them to a
//! QEMU guest. It shares no code with the payload, whose oracle it is.

#![forbid(unsafe_code)]

mod backend;
mod cells;
mod file_disk;
mod flight;
mod nvme;
mod request;
mod sas;
mod sata;
mod slot;
mod target;
mod words;

pub use backend::Host;
pub use file_disk::FileDisk;
pub use nvme::{NvmeDisk, Status};
pub use sas::SasDisk;
pub use sata::SataDisk;
pub use target::{Answer, DataPhase, Pause, Target};
