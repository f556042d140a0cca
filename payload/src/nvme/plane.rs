//! Admin commands through Linux.

use super::{AdminCommand, NvmeAdmin, NvmeError};
use crate::scsi::{CommandError, Data, plane::explain};
use mule_sys::nvme;
use std::{fs::File, sync::Arc};

/// The controller behind an open namespace.
#[derive(Debug, Clone)]
pub struct LinuxAdmin {
    device: Arc<File>,
}

impl LinuxAdmin {
    /// The controller of an open block device, and the namespace that the device is; `None` where it is no NVMe drive.
    pub fn of(device: &Arc<File>) -> Option<(Self, u32)> {
        let namespace = nvme::namespace(&**device).ok()?;
        Some((Self { device: Arc::clone(device) }, namespace))
    }
}

impl NvmeAdmin for LinuxAdmin {
    fn admin(&mut self, command: &AdminCommand, data: Data<'_>) -> Result<u32, NvmeError> {
        let AdminCommand { opcode, nsid, cdw10, cdw11, timeout } = *command;
        let command = nvme::Admin { opcode, nsid, cdw10, cdw11, timeout };
        // The kernel gives up with EINTR where the controller did not answer in time, and resets it.
        let answer = nvme::admin(&*self.device, &command, data).map_err(|error| match error.kind() {
            std::io::ErrorKind::Interrupted => CommandError::TimedOut,
            _ => explain(error),
        })?;
        if answer.status == 0 { Ok(answer.result) } else { Err(NvmeError::Status(answer.status)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_namespace() {
        assert!(LinuxAdmin::of(&Arc::new(tempfile::tempfile().unwrap())).is_none());
    }
}
