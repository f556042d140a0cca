//! A drive of the VM: its file, how it is attached, and what is wrong with it.

use crate::disk::Disk;
use std::path::{Path, PathBuf};

/// How a drive is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    /// The next free AHCI port: six on the chip set's controller, then six on an add-in card.
    Ahci,
    /// A virtual SCSI disk, whose block sizes can be chosen.
    Scsi {
        logical: u32,
        physical: u32,
    },
    Usb {
        removable: bool,
    },
    Nvme,
    /// A namespace, by its number, of the one NVMe drive of that kind, whose serial number is that of namespace 1. The kernel
    /// hears only of one that is attached, and takes QEMU's names of namespaces for none (`NVME_QUIRK_BOGUS_NID`).
    Namespace {
        id: u32,
        attached: bool,
    },
    /// A logical unit of the one SCSI device that all of them belong to.
    LogicalUnit(u8),
}

/// A direction that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Writes that touch this 512-byte sector fail.
    Write(u64),
    /// Reads that touch it fail.
    Read(u64),
}

#[derive(Debug, Clone)]
pub(crate) struct Drive {
    pub(crate) path: PathBuf,
    pub(crate) serial: String,
    pub(crate) bus: Bus,
    pub(crate) read_only: bool,
    /// Bytes a second, reading and writing together, so that a wipe lasts long enough to be interrupted.
    pub(crate) bytes_per_second: Option<u64>,
    pub(crate) faults: Vec<Fault>,
    /// Every write and flush is recorded in this file (see `write_log`).
    pub(crate) write_log: Option<PathBuf>,
    /// What the guest discards becomes a hole in the file; else it is acknowledged and ignored.
    pub(crate) discards: bool,
}

impl Drive {
    pub(crate) fn new(path: &Path, serial: &str, bus: Bus) -> Self {
        Self {
            path: path.to_owned(),
            serial: serial.to_owned(),
            bus,
            read_only: false,
            bytes_per_second: None,
            faults: Vec::new(),
            write_log: None,
            discards: false,
        }
    }

    pub(crate) fn ahci(disk: &Disk) -> Self {
        Self::new(&disk.path, &disk.serial, Bus::Ahci)
    }

    pub(crate) fn scsi(disk: &Disk, logical: u32, physical: u32) -> Self {
        Self::new(&disk.path, &disk.serial, Bus::Scsi { logical, physical })
    }

    pub(crate) fn usb(disk: &Disk, removable: bool) -> Self {
        Self::new(&disk.path, &disk.serial, Bus::Usb { removable })
    }

    pub(crate) fn nvme(disk: &Disk) -> Self {
        Self::new(&disk.path, &disk.serial, Bus::Nvme)
    }

    pub(crate) fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    pub(crate) fn discards(mut self) -> Self {
        self.discards = true;
        self
    }

    pub(crate) fn slowed(mut self, bytes_per_second: u64) -> Self {
        self.bytes_per_second = Some(bytes_per_second);
        self
    }

    pub(crate) fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    pub(crate) fn write_log(mut self, path: PathBuf) -> Self {
        self.write_log = Some(path);
        self
    }
}
