//! SCSI as far as drives are asked who they are and ATA commands are passed through: command blocks, sense data, vital
//! product data, and the transport that carries them.

pub mod cdb;
pub mod health;
pub mod luns;
pub mod plane;
pub mod sanitize;
pub mod sense;
pub mod text;
pub mod vpd;

pub use plane::{CommandError, CommandPlane, Data, LinuxPlane, Reply};
