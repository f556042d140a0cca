//! The VM's disks: sparse files whose every sector is known before the wipe.

pub(crate) mod filesystems;
pub(crate) mod sparse;
pub(crate) mod stamp;
pub(crate) mod store;

use crate::disk::stamp::Tag;
use anyhow::{Context, Result, ensure};
use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The unit of disk sizes; also the smallest logical block.
pub(crate) const SECTOR: u64 = 512;
pub(crate) const MIB: u64 = 1 << 20;

/// A disk whose sectors are stamped: each says which disk and which address it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    pub(crate) serial: String,
    pub(crate) bytes: u64,
    pub(crate) tag: Tag,
}

impl Disk {
    /// Makes `FOLDER/SERIAL.img` of that many bytes, all stamped.
    pub(crate) fn stamped(folder: &Path, serial: &str, bytes: u64) -> Result<Self> {
        ensure!(bytes.is_multiple_of(SECTOR) && bytes > 0, "{bytes} bytes are no whole number of sectors");
        let disk =
            Self { path: folder.join(format!("{serial}.img")), serial: serial.into(), bytes, tag: Tag::of(serial) };
        disk.stamp_again()?;
        Ok(disk)
    }

    /// Back to the state before anything touched it.
    pub(crate) fn stamp_again(&self) -> Result<()> {
        let name = || format!("stamping {}", self.path.display());
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&self.path).with_context(name)?);
        for lba in 0..self.bytes / SECTOR {
            file.write_all(&self.tag.sector(lba)).with_context(name)?;
        }
        file.flush().with_context(name)
    }

    /// Stamps `sectors` sectors from `lba` on: what somebody who uses the disk between two boots does.
    pub(crate) fn stamp_range(&self, lba: u64, sectors: u64) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path).context("opening a disk to change it")?;
        for lba in lba..lba + sectors {
            file.write_all_at(&self.tag.sector(lba), lba * SECTOR).context("changing a disk")?;
        }
        Ok(())
    }

    /// Whether a sector is all zeros at this moment.
    pub(crate) fn is_blank(&self, lba: u64) -> Result<bool> {
        let mut sector = [0; 512];
        let file = File::open(&self.path).context("opening a disk to look at it")?;
        file.read_exact_at(&mut sector, lba * SECTOR).context("looking at a sector")?;
        Ok(sparse::is_zero(&sector))
    }
}
