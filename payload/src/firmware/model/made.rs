//! Drives as they are made, and their cells.

use super::STAMP;
use drive_host::{NvmeDisk, SataDisk, Target};
use std::{os::unix::fs::FileExt, path::Path, time::Duration};
use tempfile::NamedTempFile;

/// What takes the commands.
#[derive(Debug)]
pub(super) enum Firmware {
    Sata(Box<SataDisk>),
    Nvme(Box<NvmeDisk>),
}

impl Firmware {
    pub(super) fn sata(serial: &str, cells: &Path, words: &str) -> Self {
        Self::Sata(Box::new(SataDisk::from_text(&described(serial, cells, words)).unwrap()))
    }

    pub(super) fn nvme(serial: &str, cells: &Path, words: &str) -> Self {
        Self::Nvme(Box::new(NvmeDisk::from_text(&described(serial, cells, words)).unwrap()))
    }

    pub(super) fn power_cycle(&mut self) {
        match self {
            Self::Sata(disk) => disk.power_cycle(),
            Self::Nvme(drive) => drive.power_cycle(),
        }
    }

    pub(super) fn pass_time(&mut self, time: Duration) {
        match self {
            Self::Sata(disk) => disk.pass_time(time),
            Self::Nvme(drive) => drive.pass_time(time),
        }
    }
}

fn described(serial: &str, cells: &Path, words: &str) -> String {
    let comma = if words.is_empty() { "" } else { "," };
    format!("{serial}={}{comma}{words}", cells.display())
}

pub(super) fn stamped(sectors: u64) -> NamedTempFile {
    let cells = file();
    cells.as_file().write_all_at(&vec![STAMP; usize::try_from(sectors * 512).unwrap()], 0).unwrap();
    cells
}

/// In memory where there is such a folder: a flush of the disk's is one of the file's.
pub(super) fn file() -> NamedTempFile {
    NamedTempFile::new_in("/dev/shm").or_else(|_| NamedTempFile::new()).unwrap()
}
