//! The command plane: one command to a drive and its answer.

pub use mule_sys::sg::Data;
use rustix::io::Errno;
use std::{fs::File, io, sync::Arc, time::Duration};

/// SCSI status CHECK CONDITION (SAM-4, 5.3.1).
pub const CHECK_CONDITION: u8 = 0x02;
/// Linux's host adapter errors (`include/scsi/scsi_status.h`): no connection, bus busy, time-out, bad target.
const DID_NO_CONNECT: u16 = 1;
const DID_TIME_OUT: u16 = 3;
const DID_BAD_TARGET: u16 = 4;

/// The answer of a drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// SCSI status.
    pub status: u8,
    /// Sense data; may be there with any status.
    pub sense: Vec<u8>,
    /// Bytes of the data phase that were transferred.
    pub transferred: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The device or its driver takes no SCSI commands (virtual disks, NVMe, some bridges).
    #[error("the device takes no such commands")]
    Unsupported,
    /// The user may not send it.
    #[error("the kernel does not allow this command")]
    Forbidden,
    /// No answer in time; the kernel reset the device.
    #[error("no answer in time")]
    TimedOut,
    /// The drive is gone.
    #[error("the drive is gone")]
    Gone,
    /// The host adapter or its driver failed.
    #[error("the host adapter reports an error (host status {host:#x}, driver status {driver:#x})")]
    Adapter {
        /// `DID_*`.
        host: u16,
        /// `DRIVER_*`.
        driver: u16,
    },
    /// Anything else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Sends commands to one drive.
pub trait CommandPlane: Send {
    /// Sends `cdb`, moves `data`, and waits at most `timeout`. A status other than GOOD is a [`Reply`], not an error.
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, timeout: Duration) -> Result<Reply, CommandError>;
}

impl<P: CommandPlane + ?Sized> CommandPlane for &mut P {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, timeout: Duration) -> Result<Reply, CommandError> {
        (**self).execute(cdb, data, timeout)
    }
}

impl<P: CommandPlane + ?Sized> CommandPlane for Box<P> {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, timeout: Duration) -> Result<Reply, CommandError> {
        (**self).execute(cdb, data, timeout)
    }
}

/// `SG_IO` on an open device.
#[derive(Debug, Clone)]
pub struct LinuxPlane {
    device: Arc<File>,
}

impl LinuxPlane {
    /// A command plane of an open block device.
    pub fn new(device: Arc<File>) -> Self {
        Self { device }
    }
}

impl CommandPlane for LinuxPlane {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, timeout: Duration) -> Result<Reply, CommandError> {
        let len = match &data {
            Data::None => 0,
            Data::In(buf) => buf.len(),
            Data::Out(buf) => buf.len(),
        };
        let reply = mule_sys::sg::execute(&*self.device, cdb, data, timeout).map_err(explain)?;
        match reply.host_status {
            0 => {}
            DID_NO_CONNECT | DID_BAD_TARGET => return Err(CommandError::Gone),
            DID_TIME_OUT => return Err(CommandError::TimedOut),
            host => return Err(CommandError::Adapter { host, driver: reply.driver_status }),
        }
        Ok(Reply { status: reply.status, sense: reply.sense, transferred: len - reply.residual.min(len) })
    }
}

/// What the errno of a pass-through ioctl means.
pub(crate) fn explain(error: io::Error) -> CommandError {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOTTY | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => CommandError::Unsupported,
        Some(Errno::PERM | Errno::ACCESS) => CommandError::Forbidden,
        Some(Errno::TIMEDOUT) => CommandError::TimedOut,
        Some(Errno::NODEV | Errno::NXIO) => CommandError::Gone,
        _ => CommandError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_commands_says_so() {
        let mut plane = LinuxPlane::new(Arc::new(tempfile::tempfile().unwrap()));
        let error = plane.execute(&[0; 6], Data::None, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(error, CommandError::Unsupported));
    }
}
