//! `SG_IO`: one SCSI command to a device, version 3 of the interface (`include/scsi/sg.h`).

use crate::numbers;
use std::{
    ffi::{c_int, c_uchar, c_uint, c_ushort, c_void},
    io,
    os::fd::{AsFd, AsRawFd},
    ptr,
    time::Duration,
};

/// Longest CDB version 3 takes.
pub const CDB_MAX: usize = 16;
/// Room for sense data; SPC-4 limits it to 252 bytes, 64 hold every descriptor used here.
const SENSE_MAX: u8 = 64;

/// The data phase of a command.
#[derive(Debug)]
pub enum Data<'a> {
    /// None.
    None,
    /// From the device.
    In(&'a mut [u8]),
    /// To the device.
    Out(&'a [u8]),
}

/// What came back. A command that reached the device is `Ok` whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SgReply {
    /// SCSI status (SAM-4, 5.3): 0 GOOD, 2 CHECK CONDITION.
    pub status: u8,
    /// Errors of the host adapter (`DID_*`), 0 for none; 3 is a time-out, 1 no connection.
    pub host_status: u16,
    /// Errors of the driver, 0 for none; 8 says that sense data is present.
    pub driver_status: u16,
    /// Sense data as far as the device wrote it.
    pub sense: Vec<u8>,
    /// Bytes of the data phase that were not transferred.
    pub residual: usize,
    /// How long the command took.
    pub duration: Duration,
}

/// `struct sg_io_hdr`.
#[repr(C)]
struct SgIoHdr {
    interface_id: c_int,
    dxfer_direction: c_int,
    cmd_len: c_uchar,
    mx_sb_len: c_uchar,
    iovec_count: c_ushort,
    dxfer_len: c_uint,
    dxferp: *mut c_void,
    cmdp: *const c_uchar,
    sbp: *mut c_uchar,
    timeout: c_uint,
    flags: c_uint,
    pack_id: c_int,
    usr_ptr: *mut c_void,
    status: c_uchar,
    masked_status: c_uchar,
    msg_status: c_uchar,
    sb_len_wr: c_uchar,
    host_status: c_ushort,
    driver_status: c_ushort,
    resid: c_int,
    duration: c_uint,
    info: c_uint,
}

/// Sends `cdb` and waits for its end; the kernel aborts the command after `timeout` (rounded up to milliseconds).
///
/// # Errors
/// `InvalidInput` for a CDB of 0 or more than [`CDB_MAX`] bytes or a data phase beyond 4 GiB; otherwise the errno of the
/// ioctl: ENOTTY/EINVAL where the device takes no SCSI commands, EPERM/EACCES where the caller may not send this one.
pub fn execute(device: impl AsFd, cdb: &[u8], data: Data<'_>, timeout: Duration) -> io::Result<SgReply> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let cmd_len = match u8::try_from(cdb.len()) {
        Ok(len @ 1..) if cdb.len() <= CDB_MAX => len,
        _ => return Err(invalid("a CDB has 1 to 16 bytes")),
    };
    let (dxfer_direction, dxferp, len) = match data {
        Data::None => (numbers::SG_DXFER_NONE, ptr::null_mut(), 0),
        Data::In(buf) => (numbers::SG_DXFER_FROM_DEV, buf.as_mut_ptr().cast::<c_void>(), buf.len()),
        Data::Out(buf) => (numbers::SG_DXFER_TO_DEV, buf.as_ptr().cast_mut().cast::<c_void>(), buf.len()),
    };
    let dxfer_len = c_uint::try_from(len).map_err(|_| invalid("a data phase beyond 4 GiB"))?;
    let mut sense = [0_u8; SENSE_MAX as usize];
    let mut header = SgIoHdr {
        interface_id: numbers::SG_INTERFACE,
        dxfer_direction,
        cmd_len,
        mx_sb_len: SENSE_MAX,
        iovec_count: 0,
        dxfer_len,
        dxferp,
        cmdp: cdb.as_ptr(),
        sbp: sense.as_mut_ptr(),
        timeout: c_uint::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_uint::MAX),
        flags: 0,
        pack_id: 0,
        usr_ptr: ptr::null_mut(),
        status: 0,
        masked_status: 0,
        msg_status: 0,
        sb_len_wr: 0,
        host_status: 0,
        driver_status: 0,
        resid: 0,
        duration: 0,
        info: 0,
    };
    // SAFETY: the header's pointers are to `cdb`, `sense` and the caller's data, all alive and borrowed (mutably where
    // the device writes) until the ioctl returns; their lengths are beside them. SG_IO is synchronous: without
    // SG_FLAG_DIRECT_IO nothing writes to user memory after it returned.
    let code = unsafe { libc::ioctl(device.as_fd().as_raw_fd(), numbers::SG_IO as libc::Ioctl, &raw mut header) };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(SgReply {
        status: header.status,
        host_status: header.host_status,
        driver_status: header.driver_status,
        sense: sense[..usize::from(header.sb_len_wr.min(SENSE_MAX))].to_vec(),
        // A negative residual (some bridges) means more than was asked for: nothing of ours is missing.
        residual: usize::try_from(header.resid).unwrap_or(0).min(len),
        duration: Duration::from_millis(header.duration.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_header_has_the_kernels_layout() {
        assert_eq!(size_of::<SgIoHdr>(), 88);
        assert_eq!(offset_of!(SgIoHdr, dxferp), 16);
        assert_eq!(offset_of!(SgIoHdr, usr_ptr), 56);
        assert_eq!(offset_of!(SgIoHdr, status), 64);
        assert_eq!(offset_of!(SgIoHdr, info), 80);
    }

    #[test]
    fn a_cdb_of_the_wrong_length_is_not_sent() {
        let file = tempfile::tempfile().unwrap();
        for cdb in [&[][..], &[0; 17]] {
            let error = execute(&file, cdb, Data::None, Duration::from_secs(1)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_regular_file_takes_no_commands() {
        let file = tempfile::tempfile().unwrap();
        let error = execute(&file, &[0; 6], Data::In(&mut [0; 4]), Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    }
}
