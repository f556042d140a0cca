//! NVMe pass-through: one admin command to a controller (`include/uapi/linux/nvme_ioctl.h`).

use crate::{numbers, sg::Data};
use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

/// An admin command; what is not here is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admin {
    /// Opcode; its lowest bit says that data goes to the controller (base specification, 3.3.3.1).
    pub opcode: u8,
    /// Namespace; 0 for none.
    pub nsid: u32,
    /// Command dword 10.
    pub cdw10: u32,
    /// Command dword 11.
    pub cdw11: u32,
    /// How long the kernel waits, rounded up to milliseconds.
    pub timeout: Duration,
}

/// What the controller answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// Status code type in bits 10:8 and status code in bits 7:0; 0 for success.
    pub status: u16,
    /// Dword 0.
    pub result: u32,
}

/// `struct nvme_passthru_cmd`.
#[repr(C)]
struct PassthruCmd {
    opcode: u8,
    flags: u8,
    rsvd1: u16,
    nsid: u32,
    cdw2: u32,
    cdw3: u32,
    metadata: u64,
    addr: u64,
    metadata_len: u32,
    data_len: u32,
    cdw10: u32,
    cdw11: u32,
    cdw12: u32,
    cdw13: u32,
    cdw14: u32,
    cdw15: u32,
    timeout_ms: u32,
    result: u32,
}

/// Sends `command` through a controller or a namespace of it and waits for its end.
///
/// # Errors
/// `InvalidInput` where the opcode moves data the other way, or a data phase beyond 4 GiB; otherwise the errno of the ioctl:
/// ENOTTY where the device is no NVMe device, EPERM or EACCES where the caller may not send this, EINTR where the kernel
/// gave up on the command.
pub fn admin(device: impl AsFd, command: &Admin, data: Data<'_>) -> io::Result<Completion> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let to_controller = command.opcode & 1 == 1;
    let (addr, len) = match data {
        Data::None => (0, 0),
        Data::In(_) if to_controller => return Err(invalid("this opcode sends data")),
        Data::Out(_) if !to_controller => return Err(invalid("this opcode sends no data")),
        Data::In(buf) => (buf.as_mut_ptr() as u64, buf.len()),
        Data::Out(buf) => (buf.as_ptr() as u64, buf.len()),
    };
    let mut cmd = PassthruCmd {
        opcode: command.opcode,
        flags: 0,
        rsvd1: 0,
        nsid: command.nsid,
        cdw2: 0,
        cdw3: 0,
        metadata: 0,
        addr,
        metadata_len: 0,
        data_len: u32::try_from(len).map_err(|_| invalid("a data phase beyond 4 GiB"))?,
        cdw10: command.cdw10,
        cdw11: command.cdw11,
        cdw12: 0,
        cdw13: 0,
        cdw14: 0,
        cdw15: 0,
        timeout_ms: u32::try_from(command.timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX),
        result: 0,
    };
    // SAFETY: the structure has the kernel's layout, and its one address is the caller's data with its length beside it,
    // alive and borrowed until the ioctl returns; it is borrowed mutably where the opcode lets the kernel write to it. The
    // ioctl is synchronous.
    let code =
        unsafe { libc::ioctl(device.as_fd().as_raw_fd(), numbers::NVME_IOCTL_ADMIN_CMD as libc::Ioctl, &raw mut cmd) };
    match u16::try_from(code) {
        // Bits 14 and 13 say "do not retry" and "more".
        Ok(status) => Ok(Completion { status: status & 0x7ff, result: cmd.result }),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// The number of the namespace that a block device is.
///
/// # Errors
/// ENOTTY where the device is no NVMe namespace.
pub fn namespace(device: impl AsFd) -> io::Result<u32> {
    // SAFETY: this ioctl takes no argument and touches no memory of ours.
    let code = unsafe { libc::ioctl(device.as_fd().as_raw_fd(), numbers::NVME_IOCTL_ID as libc::Ioctl, 0) };
    u32::try_from(code).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    const IDENTIFY: Admin = Admin { opcode: 6, nsid: 0, cdw10: 1, cdw11: 0, timeout: Duration::from_secs(1) };

    #[test]
    fn the_command_has_the_kernels_layout() {
        assert_eq!(size_of::<PassthruCmd>(), 72);
        assert_eq!(offset_of!(PassthruCmd, addr), 24);
        assert_eq!(offset_of!(PassthruCmd, data_len), 36);
        assert_eq!(offset_of!(PassthruCmd, cdw10), 40);
        assert_eq!(offset_of!(PassthruCmd, timeout_ms), 64);
        // `_IOWR('N', 0x41, struct nvme_passthru_cmd)`.
        assert_eq!(numbers::NVME_IOCTL_ADMIN_CMD, 3 << 30 | 72 << 16 | u32::from(b'N') << 8 | 0x41);
    }

    #[test]
    fn data_the_wrong_way_is_not_sent_and_a_file_is_no_drive() {
        let file = tempfile::tempfile().unwrap();
        let wrong = admin(&file, &IDENTIFY, Data::Out(&[0; 512])).unwrap_err();
        assert_eq!(wrong.kind(), io::ErrorKind::InvalidInput);
        let wrong = admin(&file, &Admin { opcode: 0x81, ..IDENTIFY }, Data::In(&mut [0; 512])).unwrap_err();
        assert_eq!(wrong.kind(), io::ErrorKind::InvalidInput);
        let error = admin(&file, &IDENTIFY, Data::In(&mut [0; 4096])).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(namespace(&file).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
}
