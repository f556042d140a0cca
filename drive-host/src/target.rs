//! What answers SCSI commands, and the plainest thing that does.

use anyhow::{Result, bail};

/// The data of a command, as the initiator offers it.
#[derive(Debug)]
pub(crate) enum DataPhase<'a> {
    None,
    /// Room for what the drive sends.
    In(&'a mut [u8]),
    /// What the drive is given.
    Out(&'a [u8]),
}

/// The end of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// SAM-5 table 41: 0 is GOOD, 2 is CHECK CONDITION.
    pub(crate) status: u8,
    /// Sense data, empty unless the status says that there is some.
    pub(crate) sense: Vec<u8>,
    /// Bytes of the data phase that were used.
    pub(crate) transferred: usize,
}

/// A drive.
pub(crate) trait Target: Send {
    fn execute(&mut self, cdb: &[u8], data: DataPhase<'_>) -> Answer;
    /// The supply is taken away and comes back.
    fn power_cycle(&mut self) {}
    /// Something about it changes.
    fn set(&mut self, name: &str, _value: u64) -> Result<()> {
        bail!("this drive has no {name}")
    }
}
