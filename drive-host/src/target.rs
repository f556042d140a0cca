//! What answers SCSI commands.

use std::{fmt::Debug, time::Duration};

/// The data of a command, as the initiator offers it.
#[derive(Debug)]
pub enum DataPhase<'a> {
    /// The command moves no data.
    None,
    /// Room for what the drive sends.
    In(&'a mut [u8]),
    /// What the drive is given.
    Out(&'a [u8]),
}

/// How long a drive keeps its answer back. It takes no other command meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pause {
    /// It answers at once.
    #[default]
    None,
    /// It works, and no reset of the initiator's ends that.
    Busy(Duration),
    /// It has lost its way; a reset brings it back before this time is over.
    Hung(Duration),
}

/// The end of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// SAM-5 table 41: 0 is GOOD, 2 is CHECK CONDITION.
    pub status: u8,
    /// Sense data, empty unless the status says that there is some.
    pub sense: Vec<u8>,
    /// Bytes of the data phase that were used.
    pub transferred: usize,
    /// The initiator hears of it after this.
    pub pause: Pause,
}

impl Answer {
    /// GOOD, with so many bytes moved.
    pub(crate) fn good(transferred: usize) -> Self {
        Self { transferred, ..Self::default() }
    }
}

/// A drive.
pub trait Target: Send + Debug {
    /// Runs one command. The answer counts after its pause, and so does what the command does to the cells.
    fn execute(&mut self, cdb: &[u8], data: DataPhase<'_>) -> Answer;
    /// The supply is taken away and comes back.
    fn power_cycle(&mut self) {}
    /// A reset ended a command that hung.
    fn recover(&mut self) {}
    /// Does what should have happened by now, as after a pause.
    fn settle(&mut self) {}
    /// Changes a number of the drive's while it runs, such as its temperature.
    ///
    /// # Errors
    /// Where the drive has no such number.
    fn set(&mut self, name: &str, _value: u64) -> anyhow::Result<()> {
        anyhow::bail!("the drive has no {name:?}")
    }
}
