//! What a disk holds: partition table, file systems, and which blocks they use, where that can be proved.
//!
//! "Free" is said only of what a clean file system's own map says is free, when a second source of the same file system
//! agrees with the map. All else is in use: gaps, edges, tables, unknown and damaged file systems, and all of a disk
//! whose partition table contradicts itself.

mod allocation;
mod doubt;
mod exfat;
mod ext;
mod fat;
mod fat_table;
mod gpt;
mod map;
mod ntfs;
mod probe;
mod table;
mod types;

pub use allocation::{Allocation, Fallback};
pub use gpt::Gpt;
pub use probe::Kind;
pub use table::Table;

use crate::blocks::{Part, ReadAt};
use doubt::Doubt;
use map::{Counted, Map};
use std::{ops::Range, sync::Arc};

/// The first and last bytes of the disk are always in use: boot code, tables, metadata of arrays.
const DISK_EDGE: u64 = 1 << 20;
/// As are those of a partition: boot sectors and their copies, superblocks, metadata of arrays.
const VOLUME_EDGE: u64 = 64 << 10;

/// How much of a volume must be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treatment {
    /// What its file system's map calls used; bytes.
    Used { used: u64, free: u64 },
    /// All of it.
    Raw { reason: String },
}

/// A partition, or a file system on a disk without a table.
#[derive(Debug, Clone)]
pub struct Volume {
    /// As the table numbers it; 0 for the whole disk.
    pub number: u32,
    /// Bytes from the start of the disk.
    pub start: u64,
    pub len: u64,
    pub kind: Kind,
    /// The file system's label; blank where it has none.
    pub label: String,
    pub treatment: Treatment,
    map: Option<Arc<Map>>,
}

/// What was found on a disk.
#[derive(Debug, Clone)]
pub struct Survey {
    pub table: Table,
    pub volumes: Vec<Volume>,
    /// Why all of the disk is taken whatever its file systems say: its tables contradict each other, or something else
    /// claims the same disk.
    pub doubt: Option<String>,
    size: u64,
    end: u64,
}

/// Looks at a disk with logical blocks of `logical` bytes and proves the maps of its file systems, reading all of their
/// metadata. Never fails: what cannot be read or understood is copied whole, and says why.
pub fn survey(disk: &dyn ReadAt, logical: u32) -> Survey {
    look(disk, logical, prove)
}

/// Partitions, kinds and labels only, for the few reads they take; everything counts as in use.
pub fn outline(disk: &dyn ReadAt, logical: u32) -> Survey {
    look(disk, logical, |_, _, _| Err(Doubt::unhandled("its map was not asked for")))
}

/// Why the NTFS in a volume must not be written: a Windows that hibernates (or its fast startup) keeps some of it in memory,
/// or a check is still due. `None` where nothing speaks against it, and of other file systems, which the kernel judges.
pub fn not_let_go(disk: &dyn ReadAt, volume: &Volume) -> Option<String> {
    if volume.kind != Kind::Ntfs {
        return None;
    }
    let part = Part::new(disk, volume.start, volume.len);
    match ntfs::prove(&part, &[]) {
        Ok(_) | Err(Doubt::Unhandled(_)) => None,
        Err(doubt) => Some(doubt.to_string()),
    }
}

type Prove = fn(&dyn ReadAt, &probe::Found, &[Range<u64>]) -> Result<Counted, Doubt>;

fn look(disk: &dyn ReadAt, logical: u32, prove: Prove) -> Survey {
    let size = disk.size();
    let whole = match probe::probe(disk) {
        Ok(whole) => whole,
        Err(doubt) => return Survey::damaged(size, Kind::Unknown, String::new(), doubt.to_string()),
    };
    let damaged = |reason| Survey::damaged(size, whole.kind, whole.label.clone(), reason);
    if !matches!(logical, 512 | 4096) {
        return damaged(format!("blocks of {logical} bytes"));
    }
    let found = match table::find(disk, logical.into(), !whole.names.is_empty()) {
        Err(doubt) => return damaged(doubt.to_string()),
        // Boot code of a file system may end like a boot record without partitions.
        Ok(found) => found.filter(|found| !found.is_empty_record() || whole.names.is_empty()),
    };
    let Some(found) = found else {
        let slice = table::Slice { number: 0, range: 0..size, raw: None };
        let volumes = vec![volume(disk, slice, None, prove)];
        return Survey { table: Table::None, volumes, doubt: None, size, end: size };
    };
    // A table and something else that claims the same disk: a member of an array, or a leftover.
    let both = (!whole.names.is_empty())
        .then(|| format!("the disk has a partition table, but also the signature of {}", whole.names.join(", ")));
    let doubt = if let Table::Damaged(reason) = &found.table { Some(reason.clone()) } else { both };
    let end = if doubt.is_some() || found.slices.is_empty() { size } else { found.end };
    let volumes = found.slices.into_iter().map(|slice| volume(disk, slice, doubt.as_deref(), prove)).collect();
    Survey { table: found.table, volumes, doubt, size, end }
}

/// All of a disk as one volume, whatever table lies on it; its kind and label are those of the signature at its start.
pub fn whole(disk: &dyn ReadAt) -> Volume {
    let slice = table::Slice { number: 0, range: 0..disk.size(), raw: None };
    volume(disk, slice, None, |_, _, _| Err(Doubt::unhandled("its map was not asked for")))
}

/// Looks at a partition; `doubt` is why it is raw in any case.
fn volume(disk: &dyn ReadAt, slice: table::Slice, doubt: Option<&str>, prove: Prove) -> Volume {
    let table::Slice { number, range, raw } = slice;
    let len = range.end - range.start;
    let part = Part::new(disk, range.start, len);
    let proof = |found: &probe::Found| match doubt.or(raw) {
        Some(reason) => Err(Doubt::unhandled(reason)),
        None => prove(&part, found, &always(disk.size(), &range)),
    };
    let (kind, label, proof) = match probe::probe(&part) {
        Ok(found) => (found.kind, found.label.clone(), proof(&found)),
        Err(doubt) => (Kind::Unknown, String::new(), Err(doubt)),
    };
    let (treatment, map) = match proof {
        Ok(Counted { map, free, .. }) => {
            (Treatment::Used { used: len.saturating_sub(free), free }, Some(Arc::new(map)))
        }
        Err(doubt) => (Treatment::Raw { reason: doubt.to_string() }, None),
    };
    Volume { number, start: range.start, len, kind, label, treatment, map }
}

fn prove(volume: &dyn ReadAt, found: &probe::Found, always: &[Range<u64>]) -> Result<Counted, Doubt> {
    match found.kind {
        Kind::Fat => fat::prove(volume, always),
        Kind::Ext => ext::prove(volume, always),
        Kind::Ntfs => ntfs::prove(volume, always),
        Kind::Exfat => exfat::prove(volume, always),
        Kind::Several => Err(Doubt::unhandled(format!("it has the signatures of {} at once", found.names.join(", ")))),
        Kind::Blank => Err(Doubt::unhandled("no file system: it starts with zeros")),
        Kind::Unknown => Err(Doubt::unhandled("no file system that is known")),
        kind => Err(Doubt::unhandled(format!("{kind} is read whole"))),
    }
}

/// Bytes of a partition that are in use whatever its map says; sorted and disjoint.
fn always(size: u64, range: &Range<u64>) -> Vec<Range<u64>> {
    let len = range.end - range.start;
    let first = DISK_EDGE.saturating_sub(range.start).max(VOLUME_EDGE).min(len);
    let behind = size - range.end;
    let last = len.saturating_sub(DISK_EDGE.saturating_sub(behind).max(VOLUME_EDGE));
    if last <= first { std::iter::once(0..len).collect() } else { vec![0..first, last..len] }
}

impl Survey {
    fn damaged(size: u64, kind: Kind, label: String, reason: String) -> Self {
        let volume = Volume {
            number: 0,
            start: 0,
            len: size,
            kind,
            label,
            treatment: Treatment::Raw { reason: reason.clone() },
            map: None,
        };
        Self { table: Table::Damaged(reason.clone()), volumes: vec![volume], doubt: Some(reason), size, end: size }
    }

    /// Takes all bytes of all volumes, as the job asked for.
    pub fn force_raw(&mut self) {
        for volume in &mut self.volumes {
            volume.treatment = Treatment::Raw { reason: "raw was asked for".into() };
            volume.map = None;
        }
    }

    /// Whether any volume is copied by its map.
    pub fn is_used_block(&self) -> bool {
        self.volumes.iter().any(|volume| matches!(volume.treatment, Treatment::Used { .. }))
    }

    /// Bytes that will be read.
    pub fn bytes_used(&self) -> u64 {
        let free = |volume: &Volume| match volume.treatment {
            Treatment::Used { free, .. } => free,
            Treatment::Raw { .. } => 0,
        };
        self.size.saturating_sub(self.volumes.iter().map(free).sum::<u64>())
    }

    /// The first byte behind the last partition and table. A GPT's second copy is not counted, it has to be moved for
    /// another size of disk; where it is the only one that is whole, and in any doubt, this is the disk's size.
    pub fn used_end(&self) -> u64 {
        self.end
    }

    /// The maps of this survey, to be walked on the same disk.
    pub fn allocation<'a>(&self, disk: &'a dyn ReadAt) -> Allocation<'a> {
        Allocation::new(self, disk)
    }
}

#[cfg(test)]
mod crate_samples;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
