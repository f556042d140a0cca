//! One admin command to a controller and its answer.

use crate::scsi::{CommandError, Data};
use std::time::Duration;

/// Every namespace.
pub const ALL_NAMESPACES: u32 = 0xffff_ffff;
const IDENTIFY: u8 = 0x06;
/// Long enough for a controller that has to wake first.
pub const SHORT: Duration = Duration::from_secs(60);

/// An admin command; what is not here is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminCommand {
    /// Opcode.
    pub opcode: u8,
    /// Namespace; 0 for none.
    pub nsid: u32,
    /// Command dword 10.
    pub cdw10: u32,
    /// Command dword 11.
    pub cdw11: u32,
    /// How long to wait for its end.
    pub timeout: Duration,
}

/// Why an admin command has no result.
#[derive(Debug, thiserror::Error)]
pub enum NvmeError {
    /// The controller refused it: status code type in bits 10:8, status code in bits 7:0 (base specification, 4.6).
    #[error("the controller refuses the command (status {0:#05x})")]
    Status(u16),
    /// The command plane failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Sends admin commands to one controller.
pub trait NvmeAdmin: Send {
    /// Sends `command`, moves `data`, and returns dword 0 of the completion.
    ///
    /// # Errors
    /// A status other than success is [`NvmeError::Status`].
    fn admin(&mut self, command: &AdminCommand, data: Data<'_>) -> Result<u32, NvmeError>;
}

impl<A: NvmeAdmin + ?Sized> NvmeAdmin for &mut A {
    fn admin(&mut self, command: &AdminCommand, data: Data<'_>) -> Result<u32, NvmeError> {
        (**self).admin(command, data)
    }
}

impl<A: NvmeAdmin + ?Sized> NvmeAdmin for Box<A> {
    fn admin(&mut self, command: &AdminCommand, data: Data<'_>) -> Result<u32, NvmeError> {
        (**self).admin(command, data)
    }
}

fn identify(nsid: u32, structure: u32) -> AdminCommand {
    AdminCommand { opcode: IDENTIFY, nsid, cdw10: structure, cdw11: 0, timeout: SHORT }
}

/// Identify Controller (CNS 01h): 4,096 bytes.
pub fn identify_controller() -> AdminCommand {
    identify(0, 1)
}

/// Identify Namespace (CNS 00h): 4,096 bytes.
pub fn identify_namespace(nsid: u32) -> AdminCommand {
    identify(nsid, 0)
}

/// Identify Namespace of an allocated one, which need not be attached to this controller (CNS 11h): 4,096 bytes.
pub fn identify_allocated(nsid: u32) -> AdminCommand {
    identify(nsid, 0x11)
}

/// The list of active namespaces with numbers above `behind` (CNS 02h): 4,096 bytes that [`active_namespaces`] reads.
pub fn list_namespaces(behind: u32) -> AdminCommand {
    identify(behind, 2)
}

/// The list of allocated namespaces with numbers above `behind` (CNS 10h), those that no controller can use at the moment
/// among them; with namespace management alone.
pub fn list_allocated(behind: u32) -> AdminCommand {
    identify(behind, 0x10)
}

/// Whether a controller manages namespaces (OACS bit 3): only then can there be some that are not attached.
pub fn manages_namespaces(controller: &[u8; 4096]) -> bool {
    controller[256] & 1 << 3 != 0
}

/// At most 1,024 namespace numbers, ended by 0.
pub fn active_namespaces(list: &[u8; 4096]) -> impl Iterator<Item = u32> {
    let (entries, _) = list.as_chunks::<4>();
    entries.iter().map(|entry| u32::from_le_bytes(*entry)).take_while(|nsid| *nsid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nvme-cli 2.3 sends for `id-ns -n 1`, `list-ns`, and before `format`, seen at the ioctl.
    #[test]
    fn the_commands_are_those_of_nvme_cli() {
        let words = |command: AdminCommand| (command.opcode, command.nsid, command.cdw10, command.cdw11);
        assert_eq!(words(identify_controller()), (0x06, 0, 1, 0));
        assert_eq!(words(identify_namespace(1)), (0x06, 1, 0, 0));
        assert_eq!(words(list_namespaces(0)), (0x06, 0, 2, 0));
    }

    #[test]
    fn the_list_of_namespaces_ends_at_zero_or_where_it_is_full() {
        let mut list = [0; 4096];
        (list[0], list[4], list[12]) = (1, 7, 9);
        assert_eq!(active_namespaces(&list).collect::<Vec<_>>(), [1, 7]);
        assert_eq!(active_namespaces(&[1; 4096]).count(), 1024);
    }
}
