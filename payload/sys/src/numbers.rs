//! Every ioctl number and kernel constant this crate uses, and nothing else.
//!
//! Sources: `include/uapi/linux/fs.h` (BLK*), `include/uapi/linux/loop.h` (LOOP_*), `include/uapi/asm-generic/fcntl.h` (F_*), `include/scsi/sg.h` (SG_*),
//! `include/uapi/linux/nvme_ioctl.h` (NVME_*) of Linux. `_IO`, `_IOR` encode direction, size,
//! type and number; the BLK* numbers carry `size_t`, so `BLKGETSIZE64` below is that of a 64-bit target.

const _: () = assert!(size_of::<usize>() == 8, "BLKGETSIZE64 is spelled for 64-bit targets");

/// `_IO(0x12, 94)`: whether the device is read-only (int).
pub(crate) const BLKROGET: u32 = 0x125e;
/// `_IO(0x12, 95)`: read the partition table again.
pub(crate) const BLKRRPART: u32 = 0x125f;
/// `_IO(0x12, 97)`: write back and drop the buffer cache of the device.
pub(crate) const BLKFLSBUF: u32 = 0x1261;
/// `_IO(0x12, 104)`: logical block size in bytes (int).
pub(crate) const BLKSSZGET: u32 = 0x1268;
/// `_IO(0x12, 119)`: discard a range (two u64: start and length in bytes).
pub(crate) const BLKDISCARD: u32 = 0x1277;
/// `_IOR(0x12, 114, size_t)`: capacity in bytes (u64).
pub(crate) const BLKGETSIZE64: u32 = 0x8008_1272;
/// `_IO(0x12, 123)`: physical block size in bytes (unsigned int).
pub(crate) const BLKPBSZGET: u32 = 0x127b;

/// What a loop device is over.
pub(crate) const LOOP_GET_STATUS64: u32 = 0x4c05;
/// In `lo_flags`: it reads and writes its file with direct I/O.
pub(crate) const LO_FLAGS_DIRECT_IO: u32 = 16;

/// The signal of a lease that is broken (`include/uapi/asm-generic/fcntl.h`).
pub(crate) const F_SETSIG: i32 = 10;

/// `include/uapi/linux/ioprio.h`: a process or thread; the class that gets a disk when nobody else does, and where it stands.
pub(crate) const IOPRIO_WHO_PROCESS: i32 = 1;
pub(crate) const IOPRIO_CLASS_IDLE: i32 = 3;
pub(crate) const IOPRIO_CLASS_SHIFT: i32 = 13;

/// The SCSI generic pass-through.
pub(crate) const SG_IO: u32 = 0x2285;
/// `interface_id` of version 3 of `sg_io_hdr`.
pub(crate) const SG_INTERFACE: i32 = b'S' as i32;
/// No data phase.
pub(crate) const SG_DXFER_NONE: i32 = -1;
/// Data goes to the device.
pub(crate) const SG_DXFER_TO_DEV: i32 = -2;
/// Data comes from the device.
pub(crate) const SG_DXFER_FROM_DEV: i32 = -3;

/// `_IO('N', 0x40)`: the namespace's number.
pub(crate) const NVME_IOCTL_ID: u32 = 0x4e40;
/// `_IOWR('N', 0x41, struct nvme_passthru_cmd)`: an admin command.
pub(crate) const NVME_IOCTL_ADMIN_CMD: u32 = 0xc048_4e41;
