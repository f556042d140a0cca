//! What a disk holds: partition table, file systems, and which blocks they use, where that can be proved.

mod probe;
mod table;

pub use probe::Kind;
pub use table::Table;

use crate::blocks::{Part, ReadAt};
use std::ops::Range;

/// How much of a volume must be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treatment {
    /// What its file system's map calls used; bytes.
    Used { used: u64, free: u64 },
    /// All of it.
    Raw { reason: String },
}

/// A partition, or a file system on a disk without a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// As the table numbers it; 0 for a disk without one.
    pub number: u32,
    /// Bytes from the start of the disk.
    pub start: u64,
    pub len: u64,
    pub kind: Kind,
    /// The file system's label; blank where it has none.
    pub label: String,
    pub treatment: Treatment,
}

/// What was found on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    pub table: Table,
    pub volumes: Vec<Volume>,
    size: u64,
}

/// Looks at a disk with logical blocks of `logical` bytes. What cannot be read or understood is copied whole, and says why.
pub fn survey(disk: &dyn ReadAt, logical: u32) -> Survey {
    let (table, parts) = table::read(disk, logical);
    let parts = match (&table, parts.is_empty()) {
        (Table::None, true) => vec![(0, 0, disk.size())],
        _ => parts,
    };
    let volume = |(number, start, len): (u32, u64, u64)| {
        let (kind, label) = probe::probe(&Part::new(disk, start, len));
        let reason = format!("{kind}: no map of this kind is used yet");
        Volume { number, start, len, kind, label, treatment: Treatment::Raw { reason } }
    };
    Survey { table, volumes: parts.into_iter().map(volume).collect(), size: disk.size() }
}

impl Survey {
    /// Copies everything, whatever the maps say.
    pub fn force_raw(&mut self) {
        for volume in &mut self.volumes {
            volume.treatment = Treatment::Raw { reason: "raw was asked for".into() };
        }
    }

    /// Whether any volume is copied by its map.
    pub fn is_used_block(&self) -> bool {
        self.volumes.iter().any(|volume| matches!(volume.treatment, Treatment::Used { .. }))
    }

    /// The first byte behind everything that belongs to somebody; the end of the disk where that is not known.
    pub fn used_end(&self) -> u64 {
        match (&self.table, self.volumes.iter().map(|volume| volume.start + volume.len).max()) {
            (Table::Mbr | Table::Gpt, Some(end)) => end,
            _ => self.size,
        }
    }

    /// Bytes that will be read.
    pub fn bytes_used(&self) -> u64 {
        let free = |volume: &Volume| match volume.treatment {
            Treatment::Used { free, .. } => free,
            Treatment::Raw { .. } => 0,
        };
        self.size - self.volumes.iter().map(free).sum::<u64>().min(self.size)
    }

    /// The maps, to be asked while the disk is read.
    pub fn allocation<'a>(&self, _disk: &'a dyn ReadAt) -> Allocation<'a> {
        Allocation { _disk: std::marker::PhantomData }
    }
}

/// Which bytes of a disk are in use.
#[derive(Debug)]
pub struct Allocation<'a> {
    _disk: std::marker::PhantomData<&'a ()>,
}

impl Allocation<'_> {
    /// What is in use of `len` bytes from `start` on: ascending, apart from one another. In any doubt all of it.
    pub fn used(&mut self, start: u64, len: u64) -> Vec<Range<u64>> {
        std::iter::once(start..start + len).collect()
    }
}
