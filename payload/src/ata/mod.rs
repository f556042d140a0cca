//! ATA: what IDENTIFY DEVICE and SMART data say (bits), the commands of a drive (taskfiles), and how they travel through
//! a SCSI command plane (SAT). The procedures that change a drive with them are in [`crate::firmware`].

pub mod abilities;
pub mod capacity;
pub mod command;
pub mod dco;
pub mod health;
pub mod identify;
pub mod sanitize;
pub mod security;
pub mod smart;
pub mod statistics;
pub mod transport;

pub use abilities::Abilities;
pub use health::Health;
pub use identify::{Identify, IdentifyError};
pub use transport::{AtaDrive, AtaError};
