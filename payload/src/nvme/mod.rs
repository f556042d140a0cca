//! NVMe admin commands that erase, and what a controller says about them. The procedures that use them are in
//! [`crate::firmware::nvme`].

pub mod admin;
pub mod format;
pub mod health;
pub mod identify;
pub mod plane;
pub mod sanitize;

pub use admin::{AdminCommand, NvmeAdmin, NvmeError};
pub use plane::LinuxAdmin;
