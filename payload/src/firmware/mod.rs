//! What a drive's own firmware is asked to do: show its hidden areas, and erase itself. A command that was accepted
//! proves nothing. Each procedure is gated on what the drive says it can do, asks for its state before and after, and
//! gives a value that no other code can make, which says what was seen and nothing more. Whether the data are gone is for
//! a reading to prove: firmware has been seen to report success and to erase nothing.
//!
//! FREEZE LOCK is sent by none of them and no freeze is relied upon.

pub mod capacity;
pub mod erase;
mod follow;
#[cfg(test)]
pub(crate) mod model;
pub mod nvme;
pub mod purge;
#[cfg(test)]
pub(crate) mod record;
pub mod sanitize;
pub mod scsi;
pub mod security;
pub mod units;

use crate::ata::Identify;
use std::{fmt, time::Duration};

/// A drive by its own name: what IDENTIFY DEVICE says, not the bridge in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Model number.
    pub model: String,
    /// Serial number.
    pub serial: String,
}

impl Name {
    /// As IDENTIFY DEVICE says it.
    pub fn of(identify: &Identify) -> Self {
        Self { model: identify.model.clone(), serial: identify.serial.clone() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.model, self.serial)
    }
}

/// The caller's record cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be written: {0}")]
pub struct NotRecorded(pub String);

/// Stands beside a procedure: keeps the record, shows how far it is, passes the time.
pub trait Watcher {
    /// `drive` is about to get the user password [`crate::ata::security::PASSWORD`]. Returns once that is recorded, with
    /// the name, where it outlives a power cut: [`security::recover`] needs both.
    ///
    /// # Errors
    /// The record cannot be written; nothing is changed then.
    fn before_password(&mut self, drive: &Name) -> Result<(), NotRecorded>;

    /// The drive was asked, and no password is set any more.
    fn password_gone(&mut self);

    /// How far the drive says it is, in 65,536ths; `None` where it does not say.
    fn progress(&mut self, done: Option<u16>);

    /// Whether to stop. What a drive has begun it does not stop for that.
    fn stop(&self) -> bool;

    /// Lets this long go by.
    fn sleep(&mut self, time: Duration);
}

#[cfg(test)]
mod noise_tests;
