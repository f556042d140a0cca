//! ATA commands through a SCSI command plane, as SCSI / ATA Translation (SAT) defines it.

use super::{
    abilities::Abilities,
    command::{self, Protocol, Registers, Taskfile},
    health::Health,
    identify::{Identify, IdentifyError},
    smart::{self, SmartError},
    statistics,
};
use crate::scsi::{
    cdb,
    plane::{CHECK_CONDITION, CommandError, CommandPlane, Data},
    sense::{ILLEGAL_REQUEST, Sense},
};
use std::time::Duration;

/// Long enough for a disk that has to spin up first.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why an ATA command has no result.
#[derive(Debug, thiserror::Error)]
pub enum AtaError {
    /// The command plane failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The bridge or adapter does not pass ATA commands through.
    #[error("the adapter or USB bridge does not pass ATA commands through")]
    NoPassThrough,
    /// The drive aborted it.
    #[error("the drive refused the command (status {status:#04x}, error {error:#04x})")]
    Refused {
        /// STATUS register.
        status: u8,
        /// ERROR register.
        error: u8,
    },
    /// It ended otherwise than well, and the registers do not say how.
    #[error("the command ended with SCSI status {status:#04x}, sense key {key:#x}")]
    Failed {
        /// SCSI status.
        status: u8,
        /// Sense key, 0 where there is no sense data.
        key: u8,
    },
    /// Fewer data than the command returns.
    #[error("only {0} bytes came back")]
    Short(usize),
    /// The registers were lost on the way.
    #[error("the adapter or USB bridge does not return the drive's registers")]
    NoRegisters,
    /// Unusable IDENTIFY data.
    #[error(transparent)]
    Identify(#[from] IdentifyError),
    /// Unusable SMART data.
    #[error(transparent)]
    Smart(#[from] SmartError),
}

/// An ATA drive behind a command plane.
#[derive(Debug)]
pub struct AtaDrive<P> {
    plane: P,
}

impl<P: CommandPlane> AtaDrive<P> {
    /// A drive that is believed to speak ATA.
    pub fn new(plane: P) -> Self {
        Self { plane }
    }

    /// IDENTIFY DEVICE.
    pub fn identify(&mut self) -> Result<Identify, AtaError> {
        Ok(Identify::parse(&self.sector(&command::identify_device())?)?)
    }

    /// IDENTIFY DEVICE, and what it says about erasing.
    pub fn abilities(&mut self) -> Result<(Identify, Abilities), AtaError> {
        let identify = self.identify()?;
        let abilities = identify.abilities;
        Ok((identify, abilities))
    }

    /// Reads the attribute table alone: temperature and counts, no verdict.
    pub fn attributes(&mut self) -> Result<Health, AtaError> {
        Ok(Health::from_attributes(&smart::attributes(&self.sector(&command::smart_read_data())?)?))
    }

    /// The highest temperature in operation that the drive says it is made for, in degrees Celsius. A drive without such a
    /// log refuses to read one.
    pub fn highest_operating(&mut self) -> Option<u64> {
        let listed = self.sector(&statistics::directory()).is_ok_and(|directory| statistics::is_listed(&directory));
        let page = listed.then(|| self.sector(&statistics::temperatures()).ok()).flatten()?;
        statistics::highest_operating(&page)
    }

    /// Reads the SMART data, the thresholds and the drive's verdict. What a drive or bridge does not answer stays unknown;
    /// without the attribute table there is an error.
    pub fn health(&mut self) -> Result<Health, AtaError> {
        let attributes = smart::attributes(&self.sector(&command::smart_read_data())?)?;
        let mut health = Health::from_attributes(&attributes);
        if let Ok(sector) = self.sector(&command::smart_read_thresholds())
            && let Ok(thresholds) = smart::thresholds(&sector)
        {
            health.failing_attributes = smart::failing(&attributes, &thresholds);
        }
        health.passed = match self.registers(&command::smart_return_status()) {
            Ok(registers) => smart::passed(&registers),
            // Bridges lose the registers; a crossed threshold is a verdict all the same, an uncrossed one is none.
            Err(_) if !health.failing_attributes.is_empty() => Some(false),
            Err(_) => None,
        };
        Ok(health)
    }

    /// Logical sectors the medium has with a Host Protected Area lifted (READ NATIVE MAX ADDRESS, + 1). Drives without
    /// that feature set refuse it.
    pub fn native_sectors(&mut self, lba48: bool) -> Result<u64, AtaError> {
        let last = if lba48 {
            self.registers(&command::read_native_max_ext())?.lba.ok_or(AtaError::NoRegisters)?
        } else {
            u64::from(self.registers(&command::read_native_max())?.lba28())
        };
        // A bridge that returns zeros has returned nothing.
        if last == 0 { Err(AtaError::NoRegisters) } else { Ok(last + 1) }
    }

    /// A command that returns one sector.
    pub fn sector(&mut self, taskfile: &Taskfile) -> Result<[u8; 512], AtaError> {
        let mut data = [0; 512];
        let (transferred, _) = self.execute(taskfile, Data::In(&mut data), TIMEOUT)?;
        if transferred < data.len() { Err(AtaError::Short(transferred)) } else { Ok(data) }
    }

    /// A command that returns registers, of a drive that did not refuse it.
    pub fn registers(&mut self, taskfile: &Taskfile) -> Result<Registers, AtaError> {
        let registers = self.outcome(taskfile)?;
        if registers.failed() {
            return Err(AtaError::Refused { status: registers.status, error: registers.error });
        }
        Ok(registers)
    }

    /// A command that returns registers, refused or not: some say why in them.
    pub fn outcome(&mut self, taskfile: &Taskfile) -> Result<Registers, AtaError> {
        debug_assert!(taskfile.wants_registers && taskfile.protocol == Protocol::NonData);
        let (_, registers) = self.exchange(taskfile, Data::None, TIMEOUT)?;
        registers.ok_or(AtaError::NoRegisters)
    }

    /// A command without an answer: `Ok` is the drive's success, whether or not the registers came along.
    pub fn order(&mut self, taskfile: &Taskfile) -> Result<(), AtaError> {
        debug_assert!(taskfile.protocol == Protocol::NonData);
        self.execute(taskfile, Data::None, TIMEOUT).map(|_| ())
    }

    /// A command that takes one sector; waits at most `timeout` for its end.
    pub fn send(&mut self, taskfile: &Taskfile, sector: &[u8; 512], timeout: Duration) -> Result<(), AtaError> {
        debug_assert!(taskfile.protocol == Protocol::PioOut);
        let (transferred, _) = self.execute(taskfile, Data::Out(sector), timeout)?;
        if transferred < sector.len() { Err(AtaError::Short(transferred)) } else { Ok(()) }
    }

    fn execute(
        &mut self,
        taskfile: &Taskfile,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<(usize, Option<Registers>), AtaError> {
        let (transferred, registers) = self.exchange(taskfile, data, timeout)?;
        match registers.filter(Registers::failed) {
            Some(registers) => Err(AtaError::Refused { status: registers.status, error: registers.error }),
            None => Ok((transferred, registers)),
        }
    }

    /// Sends a command. Registers that came back may say that it failed; an answer without them did not.
    fn exchange(
        &mut self,
        taskfile: &Taskfile,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<(usize, Option<Registers>), AtaError> {
        let reply = self.plane.execute(&cdb::ata_pass_through_16(taskfile), data, timeout)?;
        let sense = Sense::parse(&reply.sense);
        let registers = sense.and_then(|sense| sense.registers);
        match (reply.status, sense) {
            (0, _) => Ok((reply.transferred, registers)),
            // With CK_COND a success comes as CHECK CONDITION with the registers in the sense data.
            (CHECK_CONDITION, _) if registers.is_some() => Ok((reply.transferred, registers)),
            (CHECK_CONDITION, Some(Sense { key: ILLEGAL_REQUEST, .. })) => Err(AtaError::NoPassThrough),
            (status, sense) => Err(AtaError::Failed { status, key: sense.map_or(0, |sense| sense.key) }),
        }
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
