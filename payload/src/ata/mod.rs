//! ATA: what IDENTIFY DEVICE and SMART data say (bits), the commands that read them (taskfiles), and how they travel
//! through a SCSI command plane (SAT). Everything here only reads.

pub mod abilities;
pub mod command;
pub mod health;
pub mod identify;
pub mod smart;
pub mod transport;

pub use abilities::Abilities;
pub use health::Health;
pub use identify::{Identify, IdentifyError};
pub use transport::{AtaDrive, AtaError};
